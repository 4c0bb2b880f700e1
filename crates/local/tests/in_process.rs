//! A cluster in this process, as an application's tests use it.

use althing_kv::{KvConflicts, Store};
use althing_local::LocalNodes;
use althing_sdk::KvClient;

/// Broken: whoever tries a cluster in a program of theirs has none, or loses what was written when a
/// node stops.
#[tokio::test]
async fn two_of_three_go_on() {
    let mut nodes = LocalNodes::start(3, Store::default, KvConflicts::default).await.unwrap();
    let first = KvClient::new(nodes.client(0).await.unwrap());
    first.put("city", "Reykjavik").await.unwrap();
    nodes.stop_one(0).await.unwrap();
    assert!(nodes.node(0).is_none() && nodes.node(1).is_some());
    let second = KvClient::new(nodes.client(1).await.unwrap());
    assert_eq!(second.get("city").await.unwrap(), Some("Reykjavik".into()));
    second.put("city", "Akureyri").await.unwrap();
    assert_eq!(first.get("city").await.unwrap(), Some("Akureyri".into()));
    nodes.stop().await.unwrap();
}

/// Broken: a program that asks for no nodes gets a cluster that never answers.
#[tokio::test]
async fn no_nodes_are_no_cluster() {
    let started = LocalNodes::start(0, Store::default, KvConflicts::default).await;
    assert!(started.unwrap_err().to_string().contains("at least one node"));
}
