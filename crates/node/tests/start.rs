//! Nodes that must not start, and what they say.

mod support;

use althing_model::Path;
use althing_node::StartError;
use std::net::UdpSocket;
use support::Cluster;

fn refused(cluster: &mut Cluster, node: usize) -> StartError {
    cluster.try_start_node(node).expect_err("it must not be started")
}

/// Broken: a node runs unreachable, or does not say which address is taken.
#[tokio::test]
async fn an_address_in_use_is_named() {
    let mut cluster = Cluster::prepare(3, 1, Path::Fast);
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    cluster.files[0].listen = Some(address.clone());
    let error = refused(&mut cluster, 0).to_string();
    assert!(error.contains(&address) && error.contains("in use"), "{error}");

    cluster.files[0].listen = None;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    cluster.files[0].admin.as_mut().unwrap().listen = address.clone();
    let error = refused(&mut cluster, 0).to_string();
    assert!(error.contains(&address) && error.starts_with("admin.listen"), "{error}");
}

/// Broken: a node takes another's promises for its own, or forgets its own.
#[tokio::test]
async fn a_journal_that_is_not_this_node_s_is_refused() {
    let mut cluster = Cluster::start(3, 1, Path::Fast).await;
    let mut client = cluster.client(0).await;
    client.open_session().await;

    // In use by a running node.
    let error = support::start_node(cluster.config(0)).expect_err("it runs").to_string();
    assert!(error.contains("in use by another process"), "{error}");
    cluster.files[1].data_dir = cluster.files[0].data_dir.clone();
    cluster.stop_node(1).await;

    // Another node's.
    cluster.stop_node(0).await;
    let error = refused(&mut cluster, 1).to_string();
    assert!(error.contains("belongs to node 0, not 1"), "{error}");

    // Its own, but the cluster took another path then: its votes would be nobody's.
    for file in &mut cluster.files {
        file.path = "classic".to_owned();
    }
    let error = refused(&mut cluster, 0).to_string();
    assert!(error.contains("a voter's") && error.contains("`path`"), "{error}");

    // Damaged: the file and the offset are named.
    cluster.files[0].path = "fast".to_owned();
    let data = cluster.dir.path().join(&cluster.files[0].data_dir);
    let segment = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "segment"))
        .min()
        .expect("a journal has a segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = refused(&mut cluster, 0).to_string();
    assert!(error.contains("damaged at offset 512"), "{error}");
    cluster.shutdown().await;
}

/// Broken: a node runs with another's certificate, and its peers take it for that one.
#[tokio::test]
async fn another_node_s_certificate_is_refused() {
    let mut cluster = Cluster::prepare(3, 1, Path::Fast);
    cluster.files[0].tls = cluster.files[1].tls.clone();
    let error = refused(&mut cluster, 0).to_string();
    assert!(error.contains("certificate of node 1, this is node 0"), "{error}");
}
