//! Snapshots of real nodes: made by command, killed in the midst of, restored into a new cluster.

use crate::world::{Serving, World};
use althing_model::ClusterId;
use althing_sdk::{Client, ClientFile, KvClient};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// How many values, of how many bytes: enough that a snapshot of them takes a while.
const VALUES: usize = 200;
const VALUE_LEN: usize = 64 << 10;

fn until<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A cluster with barriers by command only, and nothing kept for nodes that are away.
fn prepare(cluster: ClusterId) -> World {
    let mut world = World::of(cluster, 3, 1);
    for file in &mut world.files {
        file.snapshots.barrier_vertices = 10_000_000;
        file.snapshots.barrier_mib = 1024;
        file.snapshots.log_vertices = 0;
        file.snapshots.log_mib = 0;
    }
    world.write();
    world
}

fn status(node: &Serving) -> Value {
    let page = node.page("/status");
    let (_, body) = page.split_once("\r\n\r\n").expect("a response has a head");
    serde_json::from_str(body).expect("the page is JSON")
}

fn until_alike(nodes: &[&Serving]) {
    until("all nodes are alike", || {
        let states: Vec<_> = nodes
            .iter()
            .map(|node| {
                let status = status(node);
                (status["replica"]["barriers"].clone(), status["digest"].clone())
            })
            .collect();
        states.iter().all(|state| *state == states[0] && state.1.is_string()).then_some(())
    });
}

/// Puts large values.
fn fill(world: &World, round: u8) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = ClientFile::load(&world.path("client.toml")).unwrap().config().unwrap();
        let kv = KvClient::new(Client::connect(config).await.unwrap());
        for index in 0..VALUES {
            kv.put(format!("key {index}"), vec![round; VALUE_LEN]).await.unwrap();
        }
    });
}

/// A file in the directory with that ending.
fn with_ending(dir: &Path, ending: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|it| it == ending))
}

const CREATE: [&str; 6] = ["snapshot", "create", "--client", "client.toml", "--node", "0"];

/// Broken: a backup is none.
#[test]
fn a_backup_begins_a_new_cluster() {
    let (world, nodes) = World::running();
    world.kv(&["mput", "city=Reykjavik", "river=Ölfusá"]).prints("ok");
    let created = world.run(&[&CREATE[..], &["--json"]].concat());
    assert_eq!(created.code, Some(0), "{created:?}");
    let listed = world.run(&["snapshot", "list", "data/0", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("it prints JSON");
    let file = listed[0]["file"].as_str().expect("there is one");
    let listed = world.run(&["snapshot", "list", "--client", "client.toml"]);
    assert!(listed.code == Some(0) && listed.stdout.contains("age_s"), "{listed:?}");
    let backup = world.path("backup.snapshot");
    std::fs::copy(world.path("data/0/snapshots").join(file), &backup).unwrap();
    let inspected = world.run(&["snapshot", "inspect", "backup.snapshot", "--json"]);
    let inspected: Value = serde_json::from_str(&inspected.stdout).expect("it prints JSON");
    assert!(inspected["machine_bytes"].as_u64().unwrap() > 0, "{inspected}");
    assert_eq!(inspected["sessions"], 1, "{inspected}");

    // While a node runs its journal is its own.
    world.run(&["journal", "verify", "data/0"]).says(1, &["in use"]);
    nodes.into_iter().for_each(Serving::stop);
    let verified = world.run(&["journal", "verify", "data/0", "--json"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let verified: Value = serde_json::from_str(&verified.stdout).expect("it prints JSON");
    assert_eq!((&verified["sound"], &verified["closed"]), (&true.into(), &true.into()));

    let restore = |world: &World| {
        let configs = ["node-0.toml", "node-1.toml", "node-2.toml"];
        let configs = configs.iter().flat_map(|config| ["--config", config]);
        let args = ["snapshot", "restore", backup.to_str().unwrap()].into_iter().chain(configs);
        world.run(&args.collect::<Vec<_>>())
    };
    // Into the cluster that it is from: never.
    restore(&world).says(2, &["id of its own"]);
    let mut fresh = World::of(ClusterId([9; 16]), 3, 1);
    let restored = restore(&fresh);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let seed = restored.stdout.lines().last().unwrap();
    let seed = seed.strip_prefix("seed = \"").unwrap().strip_suffix('"').unwrap().to_owned();
    for file in &mut fresh.files {
        file.snapshots.seed = Some(seed.clone());
    }
    fresh.write();
    restore(&fresh).says(2, &["has snapshots already"]);
    let nodes = fresh.serve_all().unwrap();
    fresh.kv(&["get", "city"]).prints("Reykjavik");
    fresh.kv(&["put", "city", "Akureyri"]).prints("ok");
    fresh.kv(&["get", "river"]).prints("Ölfusá");
    until_alike(&nodes.iter().collect::<Vec<_>>());
    nodes.into_iter().for_each(Serving::stop);
    restore(&fresh).says(2, &["has a journal"]);

    // A node that was forgotten does not become another.
    std::fs::remove_dir_all(fresh.path("data/1")).unwrap();
    fresh.refused(1).says(4, &["no readable snapshot", "althing snapshot restore"]);
}

/// Broken: a node that is killed while it writes a snapshot has none, or a half one.
#[test]
fn a_node_killed_while_it_writes_a_snapshot_goes_on() {
    let world = prepare(ClusterId([7; 16]));
    let mut nodes = world.serve_all().unwrap();
    fill(&world, 1);
    let created = world.run(&CREATE);
    assert_eq!(created.code, Some(0), "{created:?}");
    let dir = world.path("data/0/snapshots");
    until("it is killed in the midst", || {
        let draft = std::thread::scope(|scope| {
            let client = scope.spawn(|| world.run(&[&CREATE[..], &["--timeout", "1"]].concat()));
            let mut draft = None;
            while draft.is_none() && !client.is_finished() {
                draft = with_ending(&dir, "draft");
            }
            if draft.is_some() {
                nodes[0].signal(rustix::process::Signal::KILL);
            }
            draft
        });
        draft?;
        // The rest may have been faster.
        let is_half = with_ending(&dir, "draft").is_some();
        drop(nodes.remove(0));
        nodes.insert(0, world.serve(0).unwrap());
        is_half.then_some(())
    });
    until("the half one is gone", || with_ending(&dir, "draft").is_none().then_some(()));
    world.write_client(&nodes.iter().map(|node| node.admin.clone()).collect::<Vec<_>>());
    let created = world.run(&CREATE);
    assert_eq!(created.code, Some(0), "{created:?}");
    until_alike(&nodes.iter().collect::<Vec<_>>());
}

/// Broken: a node that is killed while it fetches a snapshot begins anew each time, or never comes
/// back, or with another state.
#[test]
fn a_node_killed_while_it_fetches_a_snapshot_goes_on() {
    let world = prepare(ClusterId([7; 16]));
    let mut nodes = world.serve_all().unwrap();
    world.kv(&["put", "city", "Reykjavik"]).prints("ok");
    nodes.pop().expect("there are three").stop();
    fill(&world, 2);
    // The floor follows when both have it on disk.
    for node in ["0", "1", "0"] {
        let args = [&CREATE[..5], &[node]].concat();
        let created = world.run(&args);
        assert_eq!(created.code, Some(0), "{created:?}");
    }
    let dir = world.path("data/2/snapshots");
    let node = world.serve(2).unwrap();
    until("it fetches", || with_ending(&dir, "fetch"));
    node.signal(rustix::process::Signal::KILL);
    drop(node);
    let is_half = with_ending(&dir, "fetch").is_some();
    let node = world.serve(2).unwrap();
    until("it has installed it", || {
        (status(&node)["replica"]["snapshots_installed"].as_u64() > Some(0)
            || !is_half && status(&node)["replica"]["barriers"].as_u64() > Some(0))
        .then_some(())
    });
    nodes.push(node);
    until_alike(&nodes.iter().collect::<Vec<_>>());
    world.kv(&["get", "city"]).prints("Reykjavik");
}
