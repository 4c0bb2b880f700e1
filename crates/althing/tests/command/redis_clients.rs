//! Redis clients at a cluster of real processes.

use crate::world::World;
use althing_node::config::RespEntry;
use redis::{Client, Commands, Connection, ErrorKind, RedisResult, Value, pipe};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A cluster with a gateway beside each node; their addresses.
fn running() -> (World, Vec<crate::world::Serving>, Vec<String>) {
    let with_gateways = |world: &mut World| {
        for file in &mut world.files {
            file.resp = Some(RespEntry::new("127.0.0.1:0".into(), "client.toml".into()));
        }
    };
    let (world, nodes) = World::running_with(with_gateways);
    let addresses = nodes.iter().map(|node| node.resp.clone().expect("it was asked for"));
    let addresses = addresses.collect();
    (world, nodes, addresses)
}

fn connect(address: &str, protocol: &str) -> Connection {
    let client = Client::open(format!("redis://{address}/?protocol={protocol}")).unwrap();
    client.get_connection().unwrap()
}

/// Broken: the redis crate, which most programs in Rust use, does not work.
#[test]
fn the_redis_crate_works_at_any_node() {
    let (_world, nodes, addresses) = running();
    let mut first = connect(&addresses[0], "resp2");
    let mut second = connect(&addresses[1], "resp3");
    let mut third = connect(&addresses[2], "resp2");

    // Written here, read there.
    let () = first.set("city", "Reykjavik").unwrap();
    assert_eq!(second.get::<_, String>("city").unwrap(), "Reykjavik");
    assert_eq!(third.get::<_, Option<String>>("nothing").unwrap(), None);
    assert_eq!(third.incr::<_, _, i64>("count", 5).unwrap(), 5);
    assert_eq!(first.incr::<_, _, i64>("count", -2).unwrap(), 3);

    // Each type.
    let () = second.hset_multiple("hash", &[("a", "1"), ("b", "2")]).unwrap();
    let hash: std::collections::BTreeMap<String, i64> = second.hgetall("hash").unwrap();
    assert_eq!(hash, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    let hash: std::collections::BTreeMap<String, i64> = first.hgetall("hash").unwrap();
    assert_eq!(hash.len(), 2);
    let () = first.rpush("list", &["x", "y", "z"]).unwrap();
    assert_eq!(third.lrange::<_, Vec<String>>("list", 0, -1).unwrap(), ["x", "y", "z"]);
    let () = third.sadd("set", &["m", "n"]).unwrap();
    assert!(second.sismember::<_, _, bool>("set", "n").unwrap());
    let () = third.zadd_multiple("sorted", &[(2.5, "p"), (1.0, "q")]).unwrap();
    let sorted: Vec<(String, f64)> = second.zrange_withscores("sorted", 0, -1).unwrap();
    assert_eq!(sorted, [("q".to_owned(), 1.0), ("p".to_owned(), 2.5)]);
    assert!(first.expire::<_, bool>("city", 1000).unwrap());
    assert!((990..=1000).contains(&second.ttl::<_, i64>("city").unwrap()));

    // Pipelines, and errors in their places.
    let (a, b): (i64, i64) = pipe().incr("count", 1).incr("count", 1).query(&mut first).unwrap();
    assert_eq!((a, b), (4, 5));
    let wrong: RedisResult<i64> = first.incr("city", 1);
    assert!(wrong.unwrap_err().to_string().contains("not an integer"));
    let wrong: RedisResult<()> = first.lpush("city", 1);
    assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    let unknown: RedisResult<Value> = redis::cmd("NOSUCH").arg(1).query(&mut first);
    assert!(unknown.unwrap_err().to_string().contains("unknown command"));

    drop((first, second, third));
    nodes.into_iter().for_each(crate::world::Serving::stop);
}

/// Broken: a connection that asked for it still waits for other regions at each read, or its reads miss
/// what it wrote; or a read in a batch with a write is answered from a state without that.
#[test]
fn reads_are_as_current_as_the_connection_says() {
    let (_world, nodes, addresses) = running();
    let mut connection = connect(&addresses[0], "resp3");
    let done = || -> u64 {
        let of = |node: &crate::world::Serving| {
            let page = node.page("/status");
            let (_, body) = page.split_once("\r\n\r\n").unwrap();
            let status: serde_json::Value = serde_json::from_str(body).unwrap();
            status["replica"]["reads_done"].as_u64().unwrap()
        };
        nodes.iter().map(of).sum()
    };
    let mut reads = 0;
    for consistency in ["session", "stale", "linearizable"] {
        let () = redis::cmd("ALTHING.CONSISTENCY").arg(consistency).query(&mut connection).unwrap();
        let () = connection.set("city", consistency).unwrap();
        let city: String = connection.get("city").unwrap();
        if consistency != "stale" {
            assert_eq!(city, consistency);
        }
        // One of several keys is no command either, where it may be old.
        let all: Vec<Option<String>> = connection.mget(&["city", "nothing"]).unwrap();
        assert_eq!((all.len(), &all[1]), (2, &None));
        let (count, told): (i64, i64) =
            pipe().incr("count", 1).get("count").query(&mut connection).unwrap();
        assert_eq!(count, told);
        reads += if consistency == "linearizable" { 0 } else { 2 };
    }
    // It is published a little later.
    let begun = std::time::Instant::now();
    while done() < reads {
        assert!(begun.elapsed().as_secs() < 10, "{} of {reads} reads without a command", done());
    }
    drop(connection);
    nodes.into_iter().for_each(crate::world::Serving::stop);
}

/// Broken: two clients at two nodes both believe that their transaction came first.
#[test]
fn watched_transactions_at_different_nodes_exclude_each_other() {
    let (_world, _nodes, addresses) = running();
    let mut one = connect(&addresses[0], "resp2");
    let mut other = connect(&addresses[1], "resp3");
    let () = one.set("account", 100).unwrap();
    let watch = |connection: &mut Connection| {
        let () = redis::cmd("WATCH").arg("account").query(connection).unwrap();
        connection.get::<_, i64>("account").unwrap()
    };
    let (seen, seen_too) = (watch(&mut one), watch(&mut other));
    assert_eq!((seen, seen_too), (100, 100));
    let commit = |connection: &mut Connection, value: i64| -> Option<(String, i64)> {
        pipe().atomic().set("account", value).incr("changes", 1).query(connection).unwrap()
    };
    assert_eq!(commit(&mut one, seen - 30), Some(("OK".to_owned(), 1)));
    assert_eq!(commit(&mut other, seen_too - 50), None, "it has changed");
    assert_eq!(other.get::<_, i64>("account").unwrap(), 70);
    let seen = watch(&mut other);
    assert_eq!(commit(&mut other, seen - 50), Some(("OK".to_owned(), 2)));
    assert_eq!(one.get::<_, i64>("account").unwrap(), 20);
}

/// Broken: what was acknowledged at one port is not there at another, or a port fails with its
/// neighbour.
#[test]
fn another_port_serves_when_a_node_is_killed() {
    let (_world, mut nodes, addresses) = running();
    let mut first = connect(&addresses[0], "resp2");
    let mut second = connect(&addresses[1], "resp2");
    for n in 0..20 {
        assert_eq!(first.incr::<_, _, i64>("count", 1).unwrap(), n + 1);
    }
    drop(nodes.remove(0));
    let gone: RedisResult<i64> = first.incr("count", 1);
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(second.get::<_, i64>("count").unwrap(), 20);
    assert_eq!(second.incr::<_, _, i64>("count", 1).unwrap(), 21);
}

/// Broken: bytes that are no requests do more than end their own connection.
#[test]
fn hostile_bytes_end_their_own_connection_only() {
    let (_world, _nodes, addresses) = running();
    let hostile: [Vec<u8>; 5] = [
        b"*1\r\n".repeat(200_000),
        b"*1048576\r\n$1048577\r\n".to_vec(),
        b"*-99999999999999999999\r\n".to_vec(),
        vec![b'x'; 70_000],
        [b"*1\r\n$1\r\nx", &[0xff; 5][..], b"\r\n\r\n"].concat(),
    ];
    for bytes in hostile {
        let mut stream = TcpStream::connect(&addresses[0]).unwrap();
        // It may hang up before it has read all.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"-ERR "), "{}", answer.escape_ascii());
    }
    let mut client = connect(&addresses[0], "resp3");
    assert_eq!(client.incr::<_, _, i64>("count", 1).unwrap(), 1);
}

/// Broken: an operator does not see what clients do, or a configuration that opens everything starts.
#[test]
fn gateways_are_configured_checked_and_measured() {
    let (mut world, nodes, addresses) = running();
    let mut client = connect(&addresses[0], "resp2");
    assert_eq!(client.incr::<_, _, i64>("count", 1).unwrap(), 1);
    let metrics = nodes[0].page("/metrics");
    for part in [
        "althing_resp_connections 1",
        "althing_resp_batches_total{access=\"write\"} 1",
        "althing_resp_batch_seconds_bucket{access=\"write\",le=\"25\"} 1",
    ] {
        assert!(metrics.contains(part), "no {part} in:\n{metrics}");
    }
    drop(nodes);

    let shown = world.run(&["config", "check", "node-1.toml"]);
    assert!(shown.stdout.contains("Redis clients at TCP 127.0.0.1:0, without a password"));
    world.files[0].resp = Some(RespEntry::new("0.0.0.0:0".into(), "client.toml".into()));
    world.refused(0).says(2, &["resp.password", "can be reached from other machines"]);
    world.files[0].resp = Some(RespEntry::new("127.0.0.1:0".into(), "nowhere.toml".into()));
    world.refused(0).says(2, &["resp.client", "nowhere.toml"]);
    world.files[0].resp = Some(RespEntry::new(addresses[0].clone(), "client.toml".into()));
    let _taken = std::net::TcpListener::bind(&addresses[0]).unwrap();
    world.refused(0).says(4, &[&addresses[0], "cannot be listened on"]);
}

/// Broken: `althing resp` is no gateway, or its password protects nothing.
#[test]
fn a_gateway_runs_alone() {
    let (world, _nodes) = World::running();
    let command = ["resp", "--client", "client.toml", "--listen", "127.0.0.1:0", "--password", "p"];
    let gateway = world.alone(&command);
    let address = gateway.resp.clone().unwrap();
    let client = Client::open(format!("redis://:p@{address}/")).unwrap();
    let mut connection = client.get_connection().unwrap();
    let () = connection.set("city", "Akureyri").unwrap();
    let wrong = Client::open(format!("redis://{address}/")).unwrap();
    let mut stranger = wrong.get_connection().unwrap();
    assert_eq!(stranger.get::<_, String>("city").unwrap_err().code(), Some("NOAUTH"));
    world.kv(&["get", "city"]).prints("Akureyri");
    gateway.stop();
    let open = world.run(&["resp", "--client", "client.toml", "--listen", "0.0.0.0:0"]);
    open.says(2, &["0.0.0.0:0 can be reached from other machines"]);
}
