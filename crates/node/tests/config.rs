//! Configurations that must not be used, one by one, and what is said of each.

use althing_model::{ClusterId, NodeId, Path, Role};
use althing_node::{Config, ConfigFile};
use std::time::Duration;
use tempfile::TempDir;

/// A configuration in which nothing is wrong, and a directory with the files that it names.
fn sound() -> (TempDir, ConfigFile) {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("certs")).unwrap();
    for name in ["ca.pem", "node-0.pem", "node-0.key"] {
        std::fs::write(dir.path().join("certs").join(name), "").unwrap();
    }
    let addresses: Vec<_> = (0..3).map(|node| format!("10.0.0.{node}:7000")).collect();
    let cluster = ClusterId([0xab; 16]);
    let file = ConfigFile::example(cluster, 0, &addresses, 1, Path::Fast);
    (dir, file)
}

/// Broken: what a tool writes is not what a node reads.
#[test]
fn what_is_written_is_read() {
    let (dir, mut file) = sound();
    file.nodes[1].dial = Some("127.0.0.1:9000".to_owned());
    file.nodes[2].region = "eu-west-1".to_owned();
    let text = file.to_toml();
    assert_eq!(toml::from_str::<ConfigFile>(&text).unwrap(), file);
    let path = dir.path().join("node-0.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config, Config::from_file(&file, dir.path()).unwrap());
    assert_eq!(config.me, NodeId(0));
    assert_eq!(config.nodes[&NodeId(1)].dial, "127.0.0.1:9000");
    assert_eq!(config.nodes[&NodeId(2)].dial, "10.0.0.2:7000");
    assert_eq!(config.data_dir, dir.path().join("data/0"));
    assert_eq!(config.listen.to_string(), "10.0.0.0:7000");
    assert_eq!(config.membership.roles(NodeId(2)), Role::ALL);
    assert_eq!(config.down_after, Duration::from_millis(500));
}

/// Broken: the shortest configuration does not do.
#[test]
fn what_has_a_default_may_be_left_out() {
    let (dir, _) = sound();
    let text = r#"
        cluster = "00112233-4455-6677-8899-aabbccddeeff"
        f = 1
        node = 0
        data_dir = "data/0"
        [tls]
        ca = "certs/ca.pem"
        cert = "certs/node-0.pem"
        key = "certs/node-0.key"
        [[nodes]]
        id = 0
        address = "node-0.example:7000"
        [[nodes]]
        id = 1
        address = "node-1.example:7000"
        [[nodes]]
        id = 2
        address = "node-2.example:7000"
    "#;
    let config = Config::parse(text, dir.path()).unwrap();
    assert_eq!(config.membership.path(), Path::Fast);
    assert_eq!(config.listen.to_string(), "0.0.0.0:7000", "a host name");
    assert_eq!(config.admin, None);
}

type Change = fn(&mut ConfigFile);

/// Broken: a wrong configuration is taken, or whoever wrote it is not told which key is wrong and
/// what would be right.
#[test]
fn every_problem_names_its_key_and_what_would_be_right() {
    let table: &[(Change, &[&str])] = &[
        (|c| c.cluster = "beef".into(), &["cluster:", "beef", "32 hexadecimal digits"]),
        (|c| c.path = "quick".into(), &["path:", "quick", "\"fast\" or \"classic\""]),
        (|c| c.f = 2, &["f:", "3"]),
        (|c| c.f = 0, &["f:", "0"]),
        (|c| c.node = 9, &["node:", "9 is not among the nodes", "0, 1, 2"]),
        (|c| c.nodes[2].id = 1, &["nodes[2].id", "1 is used twice", "its own number"]),
        (|c| c.nodes[2].address = "10.0.0.0:7000".into(), &["nodes[2].address", "node 0 already"]),
        (
            |c| c.nodes[1].address = "10.0.0.1".into(),
            &["nodes[1].address", "HOST:PORT", "10.0.0.1:7000"],
        ),
        (|c| c.nodes[1].dial = Some("relay:0".into()), &["nodes[1].dial", "HOST:PORT"]),
        (|c| c.nodes[1].roles.clear(), &["nodes[1].roles", "leave it out"]),
        (
            |c| c.nodes[1].roles = vec!["voter".into()],
            &["nodes[1].roles", "voter", "proposer, dependency, acceptor, replica"],
        ),
        (
            |c| c.nodes[1].roles = vec!["replica".into(), "replica".into()],
            &["nodes[1].roles", "twice"],
        ),
        (
            |c| {
                c.path = "classic".into();
                c.nodes[1].roles = vec!["replica".into()];
            },
            &["nodes.roles", "\"dependency\"", "there are 2"],
        ),
        (
            |c| {
                c.nodes.push(c.nodes[0].clone());
                c.nodes[3].id = 3;
                c.nodes[3].address = "10.0.0.3:7000".into();
                c.nodes[3].roles = vec!["proposer".into()];
            },
            &["nodes.roles", "voter beside each proposer", "node 3"],
        ),
        (|c| c.listen = Some("7000".into()), &["listen", "IP:PORT"]),
        (|c| c.listen = Some("0.0.0.0:0".into()), &["listen", "port 0"]),
        (|c| c.admin.as_mut().unwrap().listen = "here".into(), &["admin.listen", "IP:PORT"]),
        (
            |c| c.tls.key = "certs/lost.key".into(),
            &["tls.key", "lost.key does not exist", "althing cert"],
        ),
        (|c| c.tls.ca = "certs".into(), &["tls.ca", "does not exist"]),
        (|c| c.data_dir = "".into(), &["data_dir", "directory of the journal"]),
        (|c| c.data_dir = "certs/ca.pem".into(), &["data_dir", "ca.pem is no directory"]),
        (|c| c.timeouts.retry_ms = 0, &["timeouts.retry_ms", "0 is not from 1 to 3600000"]),
        (|c| c.timeouts.recover_ms = u64::MAX >> 1, &["timeouts.recover_ms", "to 3600000"]),
        (|c| c.timeouts.down_after_ms = 150, &["timeouts.down_after_ms", "two heartbeats", "100"]),
        (|c| c.limits.batch_commands = 5000, &["limits.batch_commands", "from 1 to 4096"]),
        (|c| c.limits.inbox_mib = 1, &["limits.inbox_mib", "from 4"]),
        (|c| c.journal.segment_mib = 1, &["journal.segment_mib", "from 8 to 1024"]),
        (|c| c.snapshots.keep = 0, &["snapshots.keep", "0 is not from 1 to 64"]),
        (|c| c.snapshots.barrier_mib = 0, &["snapshots.barrier_mib", "from 1"]),
        (
            |c| c.snapshots.barrier_most_s = 1,
            &["snapshots.barrier_most_s", "less than snapshots.barrier_least_ms, 5000 ms"],
        ),
        (|c| c.snapshots.seed = Some("abc".into()), &["snapshots.seed", "64 hexadecimal digits"]),
        (
            |c| c.transport.congestion = "vegas".into(),
            &["transport.congestion", "cubic, newreno or bbr", "vegas"],
        ),
        (|c| c.transport.idle_timeout_ms = 200, &["transport:", "three heartbeats"]),
    ];
    for (change, said) in table {
        let (dir, mut file) = sound();
        change(&mut file);
        let error = Config::from_file(&file, dir.path())
            .expect_err(&format!("{said:?} must be refused"))
            .to_string();
        for part in *said {
            assert!(error.contains(part), "{part:?} is not said: {error}");
        }
        assert!(!error.contains('\n'), "one mistake, several problems: {error}");
    }
}

/// Broken: a file that is no configuration is read as one, or the line is not named.
#[test]
fn what_is_no_configuration_names_the_line() {
    let (dir, file) = sound();
    let text = file.to_toml();
    let table: &[(&str, &str, &[&str])] = &[
        (
            "fast_path_ms = 50",
            "fasth_path_ms = 50",
            &["fasth_path_ms", "unknown", "did you mean \"fast_path_ms\"?", "line "],
        ),
        ("data_dir = ", "datadir = ", &["datadir", "did you mean \"data_dir\"?", "line "]),
        ("f = 1", "f = \"one\"", &["f: line ", "invalid type", "one"]),
        ("f = 1", "f = -1", &["f: line ", "invalid value", "-1"]),
        ("f = 1\n", "", &["missing field `f`"]),
        ("[tls]", "[tls", &["line "]),
    ];
    for (right, wrong, said) in table {
        assert!(text.contains(right), "{right} is not in {text}");
        let error = Config::parse(&text.replacen(right, wrong, 1), dir.path())
            .expect_err(&format!("{wrong:?} must be refused"))
            .to_string();
        for part in *said {
            assert!(error.contains(part), "{part:?} is not said: {error}");
        }
    }
    let missing = dir.path().join("none.toml");
    let error = Config::load(&missing).unwrap_err().to_string();
    assert!(error.contains("none.toml"), "{error}");
}

/// Broken: whoever made two mistakes is told of one.
#[test]
fn all_problems_are_told_at_once() {
    let (dir, mut file) = sound();
    file.path = "quick".to_owned();
    file.timeouts.retry_ms = 0;
    let error = Config::from_file(&file, dir.path()).unwrap_err();
    let keys: Vec<_> = error.problems.iter().map(|it| &it.key[..]).collect();
    assert_eq!(keys, ["path", "timeouts.retry_ms"]);
}
