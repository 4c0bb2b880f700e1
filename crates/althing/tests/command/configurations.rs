//! Configurations and certificates that must not be used, each with its sentence.

use crate::world::World;
use althing_model::ClusterId;
use std::net::{TcpListener, UdpSocket};

/// Broken: a command line that makes no sense does something.
#[test]
fn bad_usage_is_2() {
    let world = World::new(3, 1);
    world.run(&["serve"]).says(2, &["--config"]);
    world.run(&["sevre"]).says(2, &["sevre", "serve"]);
    world.run(&["serve", "--config", "nowhere.toml"]).says(2, &["nowhere.toml", "No such file"]);
    world.run(&["serve", "--config", "node-0.toml", "--log", "a=b=c"]).says(2, &["a=b=c"]);
    world.run(&["kv", "get", "a"]).says(2, &["which cluster?", "--client"]);
    world.run(&["kv", "--config", "node-0.toml", "get", "a"]).says(2, &["--ca is missing"]);
    world.run(&["kv", "--nodes", "localhost:1", "get", "a"]).says(2, &["ID=HOST:PORT"]);
    world.run(&["kv", "mput", "a"]).says(2, &["KEY=VALUE"]);
    world
        .run(&["certs", "node", "--dir", "certs", "--id", "9", "--roles", "king"])
        .says(2, &["the roles are proposer, dependency, acceptor, replica"]);
    world.run(&["certs", "init", "--dir", "d", "--cluster", "x"]).says(2, &["32 hexadecimal"]);
}

/// Broken: a mistake in a file is passed over, or its place is not named.
#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let world = World::new(3, 1);
    let good = world.files[0].to_toml();
    std::fs::write(world.path("node-0.toml"), format!("data_dri = \"d\"\n{good}")).unwrap();
    for command in [&["serve", "--config", "node-0.toml"][..], &["config", "check", "node-0.toml"]]
    {
        let said = ["node-0.toml", "line 1", "unknown field `data_dri`", "data_dir"];
        world.run(command).says(2, &said);
    }
    let file = std::fs::read_to_string(world.path("client.toml")).unwrap();
    std::fs::write(world.path("client.toml"), format!("clutser = \"d\"\n{file}")).unwrap();
    world.kv(&["get", "a"]).says(2, &["client.toml", "line 1", "unknown field `clutser`"]);
}

/// Broken: a cluster that cannot survive what it promises, or agree at all, is started.
#[test]
fn a_membership_that_does_not_add_up_is_refused() {
    let mut world = World::new(3, 1);
    world.files[0].f = 2;
    world.refused(0).says(2, &["f: "]);

    let mut world = World::new(3, 1);
    for entry in world.files[0].nodes.iter_mut().skip(1) {
        entry.roles = vec!["proposer".into(), "replica".into()];
    }
    world.refused(0).says(2, &["nodes.roles"]);

    let mut world = World::new(3, 1);
    world.files[0].nodes[2].id = 1;
    world.refused(0).says(2, &["nodes[2].id", "1 is used twice"]);

    let mut world = World::new(3, 1);
    world.files[0].nodes[1].address = "somewhere".into();
    world.files[0].path = "slow".into();
    // Both, not only the first.
    world.refused(0).says(2, &["nodes[1].address", "\"slow\""]);
}

/// Broken: `config check` accepts what `serve` refuses, or does not say what it read.
#[test]
fn a_good_configuration_is_shown() {
    let world = World::new(3, 1);
    let shown = world.run(&["config", "check", "node-1.toml"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in ["ok: cluster 07070707", "1 (this one)", "fast path", "1 of 3 nodes may fail"] {
        assert!(shown.stdout.contains(part), "{}", shown.stdout);
    }
    let json = world.run(&["config", "check", "--json", "node-1.toml"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["node"], &json["f"]), (&1.into(), &1.into()));
}

/// Broken: a node runs where nobody reaches it.
#[test]
fn an_address_in_use_is_4() {
    let mut world = World::new(3, 1);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.files[0].listen = Some(address.clone());
    world.refused(0).says(4, &[&address, "in use"]);

    let mut world = World::new(3, 1);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.files[0].admin.as_mut().unwrap().listen = address.clone();
    world.refused(0).says(4, &["admin.listen", &address]);
}

/// Broken: a node or client runs as someone that it is not.
#[test]
fn a_certificate_that_is_not_its_own_is_refused() {
    let mut world = World::new(3, 1);
    let other = World::of(ClusterId([9; 16]), 3, 1);
    let theirs = |name: &str| other.path("certs").join(name);

    // Everything of another cluster.
    world.files[0].tls.ca = theirs("ca.pem");
    world.files[0].tls.cert = theirs("node-0.pem");
    world.files[0].tls.key = theirs("node-0.key");
    world.refused(0).says(4, &["belongs to cluster 09090909", "this is cluster 07070707"]);

    // Another cluster's certificate under our authority.
    world.files[0].tls.ca = "certs/ca.pem".into();
    world.refused(0).says(4, &["was not issued by the authority in", "ca.pem"]);

    // A client's.
    world.files[0].tls.cert = "certs/client-tester.pem".into();
    world.files[0].tls.key = "certs/client-tester.key".into();
    world.refused(0).says(4, &["certificate of client \"tester\"; a node needs a node's"]);

    // Another node's.
    world.files[0].tls.cert = "certs/node-1.pem".into();
    world.files[0].tls.key = "certs/node-1.key".into();
    world.refused(0).says(4, &["certificate of node 1, this is node 0"]);

    // A key that is another one's, and one that is not there.
    world.files[0].tls.cert = "certs/node-0.pem".into();
    world.refused(0).says(4, &["node-1.key is not the key of", "node-0.pem"]);
    world.files[0].tls.key = "certs/nowhere.key".into();
    world.refused(0).says(2, &["tls.key", "nowhere.key does not exist"]);

    // And a client with a node's.
    let node_s =
        ["--ca", "certs/ca.pem", "--cert", "certs/node-0.pem", "--key", "certs/node-0.key"];
    let args = [&["kv", "--config", "node-1.toml"], &node_s[..], &["get", "a"]].concat();
    world.run(&args).says(2, &["certificate of node 0; a client needs a client's"]);
}
