//! The typed client against real nodes with the reference store.

use crate::fake_node::{CLUSTER, PATIENCE, World};
use althing_kv::{KvConflicts, Store};
use althing_model::{NodeId, Path};
use althing_node::{Config, ConfigFile, Node, NodeHandle, StartError};
use althing_sdk::{
    Branch, Client, ClientFile, ClientTlsEntry, KvClient, KvError, KvOperation, OperationFailure,
    OperationResult, Swapped, Transacted, Transaction,
};
use althing_transport::Error;
use std::net::UdpSocket;
use std::sync::Arc;

/// Three nodes at ports that were free a moment ago; other ports when they are not any more.
fn start(world: &World) -> (Vec<ConfigFile>, Vec<NodeHandle>) {
    loop {
        let sockets: Vec<_> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let address = |socket: &UdpSocket| socket.local_addr().unwrap().to_string();
        let addresses: Vec<_> = sockets.iter().map(address).collect();
        drop(sockets);
        let files: Vec<_> = (0..3)
            .map(|node| {
                let mut file = ConfigFile::example(CLUSTER, node, &addresses, 1, Path::Fast);
                file.journal.segment_mib = 8;
                file.tls.ca = "ca.pem".into();
                file.tls.cert = format!("node-{node}.pem").into();
                file.tls.key = format!("node-{node}.key").into();
                file
            })
            .collect();
        let started = files.iter().map(|file| {
            let config = Config::from_file(file, world.dir.path()).unwrap();
            Node::start(config, Box::<Store>::default(), Arc::new(KvConflicts::default()))
        });
        match started.collect() {
            Ok(nodes) => return (files, nodes),
            Err(StartError::Transport(Error::AddressInUse { .. })) => continue,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Broken: an application's operations give another result than they say, or are lost with a node.
#[tokio::test]
async fn each_operation_does_what_it_says_also_when_a_node_is_lost() {
    let world = World::new();
    let (files, mut nodes) = start(&world);
    let path = world.dir.path().join("node-0.toml");
    std::fs::write(&path, files[0].to_toml()).unwrap();
    let tls = world.tls();
    let tls = ClientTlsEntry { ca: tls.ca, cert: tls.cert, key: tls.key };
    let mut config = ClientFile::from_node_file(&path, tls).unwrap().config().unwrap();
    (config.connect_timeout, config.timeout) = (PATIENCE, PATIENCE);
    let kv = KvClient::new(Client::connect(config).await.unwrap());

    assert_eq!(kv.get("city").await.unwrap(), None);
    kv.put("city", "Reykjavik").await.unwrap();
    assert_eq!(kv.get("city").await.unwrap(), Some("Reykjavik".into()));
    assert_eq!(kv.incr("visits", 2).await.unwrap(), 2);
    kv.add("visits", 3).await.unwrap();
    assert_eq!(kv.incr("visits", 0).await.unwrap(), 5);
    assert_eq!(kv.incr("city", 1).await, Err(KvError::NotANumber));
    let swapped = kv.cas("city", Some("Oslo".into()), None).await.unwrap();
    assert_eq!(swapped, Swapped { swapped: false, actual: Some("Reykjavik".into()) });
    assert!(kv.get("").await.is_err());
    let move_four = Transaction::new()
        .when_at_least("visits", 4)
        .then(KvOperation::increment("visits", -4))
        .then(KvOperation::append("moved", "4,"))
        .otherwise(KvOperation::get("moved"));
    let done = [OperationResult::Number(1), OperationResult::Length(2)].into();
    let held = Transacted { held: true, results: done };
    assert_eq!(kv.transaction(move_four.clone()).await, Ok(held));
    let done = [OperationResult::Value(Some("4,".into()))].into();
    assert_eq!(kv.transaction(move_four).await, Ok(Transacted { held: false, results: done }));
    let fails = Transaction::new()
        .then(KvOperation::delete("visits"))
        .then(KvOperation::increment("city", 1));
    let (branch, why) = (Branch::Then, OperationFailure::NotANumber);
    let failed = KvError::Transaction { branch, operation: 1, why };
    assert_eq!(kv.transaction(fails).await, Err(failed));

    // The node that is asked first ends; nothing is lost.
    let first = kv.client().order()[0];
    let index = usize::try_from(first.0).unwrap();
    nodes.remove(index).shutdown().await.unwrap();
    assert!(kv.cas("city", Some("Reykjavik".into()), None).await.unwrap().swapped);
    assert!(!kv.delete("city").await.unwrap());
    kv.mput(vec![("a".into(), "1".into()), ("b".into(), "2".into())]).await.unwrap();
    let values = kv.mget(vec!["b".into(), "c".into(), "a".into()]).await.unwrap();
    assert_eq!(values, [Some("2".into()), None, Some("1".into())]);
    let executed =
        kv.client().execute_detailed(althing_kv::KvCommand::Get { key: "visits".into() }.encode());
    let answered: NodeId = executed.await.unwrap().node;
    assert_ne!(answered, first);
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}
