//! A row of the ledger of soaks (crates/sim/LEDGER.md).

use super::Args;
use althing_sim::Totals;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The crates that a soak is about: where none of them changed, seeds add up over commits.
const CORES: [&str; 10] = [
    "model",
    "wire",
    "dependency",
    "acceptor",
    "voter",
    "proposer",
    "replica",
    "roles",
    "client",
    "journal",
];

const UNKNOWN: &str = "unknown";

/// The row, without an end of line.
pub(super) fn row(args: &Args, totals: &Totals, seconds: f64) -> String {
    let fired = totals.faults.iter().filter(|(_, count)| *count > 0);
    let faults: Vec<String> = fired.map(|(of, count)| format!("{} {count}", of.name())).collect();
    format!(
        "| {} | {} | {}..{} {} | {} | {} | {seconds:.0} | {} | {} | {} |",
        commit(),
        cores(),
        args.seeds.start(),
        args.seeds.end(),
        args.profile,
        totals.seeds,
        totals.operations,
        totals.violations,
        totals.invalid,
        faults.join(", ")
    )
}

/// The commit of the directory that this runs in.
fn commit() -> String {
    git(&["describe", "--always", "--dirty"], b"").unwrap_or_else(|| UNKNOWN.to_owned())
}

/// A digest of the cores' sources in that commit.
fn cores() -> String {
    let directories = CORES.map(|core| format!("crates/{core}/src"));
    let mut list = vec!["ls-tree", "-r", "--full-tree", "HEAD", "--"];
    list.extend(directories.iter().map(String::as_str));
    let digest = git(&list, b"")
        .filter(|trees| !trees.is_empty())
        .and_then(|trees| git(&["hash-object", "--stdin"], trees.as_bytes()));
    digest.map_or_else(|| UNKNOWN.to_owned(), |digest| digest.chars().take(10).collect())
}

/// What git prints; nothing, where there is no git or no repository.
fn git(arguments: &[&str], input: &[u8]) -> Option<String> {
    let mut child = Command::new("git")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input).ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
