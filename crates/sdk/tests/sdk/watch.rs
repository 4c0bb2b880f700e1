//! Watches of the typed client against real nodes.

use crate::fake_node::{PATIENCE, World};
use crate::store::{connect, start};
use althing_model::NodeId;
use althing_sdk::{
    ClusterId, Filter, KvChange, KvChanged, KvWatch, ModeSet, Scope, WatchError, token,
};
use tokio::time::timeout;

async fn next(watch: &mut KvWatch) -> Vec<(String, KvChanged)> {
    let told = timeout(PATIENCE, watch.next()).await.expect("something is told").unwrap();
    let key = |change: &KvChange| String::from_utf8_lossy(change.key.as_ref().unwrap()).into();
    told.changes.iter().map(|change| (key(change), change.what.clone())).collect()
}

fn put(key: &str, value: &'static str) -> Vec<(String, KvChanged)> {
    vec![(key.into(), KvChanged::Put(value.into()))]
}

/// Broken: an application that follows keys would lose changes, or see some twice, when its node goes
/// away or when it is started again.
#[tokio::test]
async fn a_watch_goes_on_when_its_node_goes_away_and_from_its_token() {
    let world = World::new();
    let (files, mut nodes) = start(&world);
    let kv = connect(&world, &files).await;
    kv.put("user/0", "before").await.unwrap();
    let mut watch = kv.watch_prefix("user/", None).await.unwrap();
    let mut of_one = kv.watch_key("user/2", None).await.unwrap();
    kv.put("user/1", "Gunnar").await.unwrap();
    // What changes nothing, or nothing that is watched, is not told.
    kv.put("item/1", "sword").await.unwrap();
    assert!(!kv.cas("user/1", None, Some("Njal".into())).await.unwrap().swapped);
    assert_eq!(kv.get("user/1").await.unwrap(), Some("Gunnar".into()));
    kv.mput(vec![("user/2".into(), "Njal".into()), ("item/2".into(), "axe".into())]).await.unwrap();
    assert_eq!(next(&mut watch).await, put("user/1", "Gunnar"));
    let stored = watch.token_text();

    // The node that is watched ends.
    let first = usize::try_from(kv.client().order()[0].0).unwrap();
    nodes.remove(first).shutdown().await.unwrap();
    assert!(kv.delete("user/1").await.unwrap());
    assert_eq!(next(&mut watch).await, put("user/2", "Njal"));
    assert_eq!(next(&mut watch).await, [("user/1".to_owned(), KvChanged::Deleted)]);
    kv.incr("user/3", 4).await.unwrap();
    assert_eq!(next(&mut watch).await, put("user/3", "4"));
    assert_eq!(next(&mut of_one).await, put("user/2", "Njal"));

    // What was stored on the way is where another client goes on, at another node.
    let other = connect(&world, &files).await;
    let stored = token::from_text(&stored, other.client().cluster()).unwrap();
    let mut again = other.watch_prefix("user/", Some(stored)).await.unwrap();
    assert_eq!(next(&mut again).await, put("user/2", "Njal"));
    assert_eq!(next(&mut again).await, [("user/1".to_owned(), KvChanged::Deleted)]);
    assert_eq!(next(&mut again).await, put("user/3", "4"));
    assert!(token::from_text(&again.token_text(), ClusterId([0; 16])).is_err());
    drop(watch);
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}

/// Broken: a client whose token no node can go on from would wait for ever, or miss changes without
/// being told.
#[tokio::test]
async fn a_token_from_the_future_and_one_from_long_ago_are_told_apart() {
    let world = World::new();
    let (files, nodes) = start(&world);
    let kv = connect(&world, &files).await;
    let filter = || Filter { scope: Scope::Everything, modes: ModeSet::ALL };
    // Nobody has forgotten anything yet, so the beginning is as good a token as any.
    kv.put("a", "1").await.unwrap();
    let mut watch = kv.client().watch(filter(), Some(Default::default())).await.unwrap();
    let told = timeout(PATIENCE, watch.next()).await.expect("something is told").unwrap();
    assert_eq!(told.changes.len(), 1);
    // No node of this cluster ever executes that.
    let epoch = althing_model::Epoch(0);
    let column = althing_model::Column { epoch, proposer: NodeId(99) };
    let unknown = [column.vertex(7)].into_iter().collect();
    let hasty = connect_hasty(&world, &files).await;
    let refused = hasty.watch(filter(), Some(unknown)).await;
    assert_eq!(refused.unwrap_err(), WatchError::Unreachable);
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}

/// A client that gives up after a second.
async fn connect_hasty(world: &World, files: &[althing_node::ConfigFile]) -> althing_sdk::Client {
    let mut config = crate::store::config(world, files);
    config.timeout = std::time::Duration::from_secs(1);
    config.attempt_timeout = config.timeout;
    althing_sdk::Client::connect(config).await.unwrap()
}
