//! Nodes do not outlive the command that started them.

use rustix::process::{Pid, test_kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Broken: a cluster whose parent was killed keeps its processes, ports and memory.
#[test]
fn nodes_end_when_their_parent_is_killed() {
    // Whoever is killed removes nothing: the directory is this test's.
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Parent(
        Command::new(env!("CARGO_BIN_EXE_althing"))
            .args(["cluster", "--nodes", "3", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let lines = BufReader::new(parent.0.stdout.take().unwrap()).lines();
    let is_last = |line: &String| !line.contains("Ctrl-C");
    let text: Vec<String> = lines.map(|line| line.unwrap()).take_while(is_last).collect();
    let nodes: Vec<Pid> = text
        .iter()
        .filter(|line| line.trim_start().starts_with("node "))
        .filter_map(|line| line.split_once(" process "))
        .filter_map(|(_, id)| Pid::from_raw(id.trim().parse().unwrap()))
        .collect();
    assert_eq!(nodes.len(), 3, "{text:?}");
    assert!(nodes.iter().all(|node| test_kill_process(*node).is_ok()), "they run");

    parent.0.kill().unwrap();
    parent.0.wait().unwrap();
    let begun = Instant::now();
    while nodes.iter().any(|node| !is_gone(*node)) {
        assert!(begun.elapsed() < PATIENCE, "of {nodes:?} some are still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An orphan that nobody waits for stays in the table of processes, without running.
fn is_gone(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

struct Parent(Child);

impl Drop for Parent {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
