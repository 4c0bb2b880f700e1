//! `althing bench soak`, `absence`, `restart`, `overload` and `kills`, small, as programs call them.

use serde_json::Value;
use std::process::Command;

/// What is printed, and the exit code.
fn bench(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_althing"))
        .arg("bench")
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    let result = serde_json::from_slice(&output.stdout);
    (result.unwrap_or_else(|error| panic!("{error}: {output:?}")), output.status.code())
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Broken: a program that reads the result misses a figure, not all commands pass, or the plots are
/// not written.
#[test]
fn a_soak_answers_every_command_and_tells_what_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let asked = ["soak", "--commands", "800", "--clients", "8", "--keys", "50", "--out", out];
    let (result, exit) = bench(&asked);
    assert_eq!(exit, Some(0));
    let expected = ["commands", "disk_mib", "rss_mib", "seconds", "throughput_ratio"];
    assert_eq!(keys(&result), expected);
    assert_eq!(result["commands"], 800);
    assert_eq!(keys(&result["rss_mib"]), ["end", "warm"]);
    assert_eq!(keys(&result["disk_mib"]), ["budget", "end", "warm"]);
    assert!(number(&result["throughput_ratio"]) > 0.0);
    // A process takes a few megabytes, and its first segments as many as they are long.
    for taken in [&result["rss_mib"], &result["disk_mib"]] {
        for when in ["warm", "end"] {
            assert!((4.0..4096.0).contains(&number(&taken[when])), "{result}");
        }
    }
    for file in ["memory.svg", "disk.svg", "throughput.svg", "soak.html"] {
        assert!(dir.path().join(file).is_file(), "{file}");
    }
}

/// Broken: a node that was away does not vote again, misses what was committed without it, or
/// comes to another state.
#[test]
fn an_absent_node_comes_back_under_load() {
    let (result, exit) = bench(&["absence", "--commands", "300", "--clients", "3"]);
    assert_eq!((exit, &result["digests_equal"]), (Some(0), &true.into()), "{result}");
    assert!(number(&result["commands"]) >= 300.0);
    let (votes, consistent) = (&result["votes_seconds"], &result["consistent_seconds"]);
    assert!(0.0 < number(votes) && number(votes) <= number(consistent), "{result}");
    let p99_ms = &result["p99_ms"];
    let ratio = number(&p99_ms["during"]) / number(&p99_ms["before"]);
    assert!((number(&result["p99_ratio"]) - ratio).abs() < 0.01, "{result}");
}

/// Broken: a node that reads a journal of some length back does not vote, or has another state than
/// before.
#[test]
fn a_restarted_node_has_its_state_again() {
    let (result, exit) = bench(&["restart", "--journal-mib", "1", "--clients", "8"]);
    assert_eq!((exit, &result["digests_equal"]), (Some(0), &true.into()), "{result}");
    assert!(number(&result["journal_mib"]) >= 1.0 && number(&result["commands"]) > 0.0);
    assert!(number(&result["votes_seconds"]) <= number(&result["consistent_seconds"]));
}

/// Broken: commands of an overload are lost from the shares, a full queue does not turn anybody
/// away, or what was asked for was never more than could be done.
#[test]
fn an_overloaded_cluster_sheds_what_it_cannot_do() {
    let asked = ["overload", "--seconds", "2", "--factor", "4", "--queue", "16"];
    let (result, exit) =
        bench(&[&asked[..], &["--timeout-ms", "1500", "--sessions", "3"]].concat());
    assert_eq!(exit, Some(0), "{result}");
    let share = &result["share"];
    let shares = ["answered", "failed", "shed", "unknown"];
    assert_eq!(keys(share), shares);
    let sum: f64 = shares.iter().map(|name| number(&share[name])).sum();
    assert!((sum - 1.0).abs() < 0.01, "{result}");
    assert!(number(&share["shed"]) > 0.0, "{result}");
    assert!(number(&share["answered"]) < 1.0 && number(&result["goodput_per_second"]) > 0.0);
    assert!(number(&result["offered_per_second"]) > number(&result["peak_per_second"]));
    assert!(number(&result["rss_mib"]["peak"]) > 4.0 && number(&result["nodes_cpu_cores"]) > 0.0);
    assert_eq!(keys(&result["generator"]), ["cpu_cores", "late_p99_ms", "saturated"]);
}

fn killed(arguments: &[&str]) {
    let (result, exit) = bench(&[&["kills", "--kills", "3", "--clients", "2"], arguments].concat());
    assert_eq!(exit, Some(0), "{result}");
    assert_eq!(result["kills"], 3);
    assert_eq!(keys(&result["latency_ms"]), ["max", "p50", "p99"]);
    assert!(number(&result["operations"]) > 0.0, "{result}");
    assert_eq!((&result["linearizable"], &result["lost"]), (&true.into(), &0.into()), "{result}");
    let rest = (&result["digests_equal"], &result["applied_twice"]);
    assert_eq!(rest, (&true.into(), &0.into()), "{result}");
}

/// Broken: a process that is killed and started again breaks a promise, on the fast path.
#[test]
fn kills_break_no_promise_where_roles_share_a_process() {
    killed(&[]);
}

/// Broken: the same on the classic path with a process for each role, or such a cluster does not
/// start.
#[test]
fn kills_break_no_promise_where_roles_are_apart() {
    killed(&["--classic"]);
}

/// Broken: whoever asks for what cannot be waits for a cluster to start before they learn it.
#[test]
fn what_cannot_be_is_wrong_usage() {
    for (arguments, said) in [
        (&["soak", "--commands", "7"][..], "7 is not in 100.."),
        (&["soak", "--payload", "99999999"], "a payload has at most"),
        (&["absence", "--reads", "101"], "from 0 to 100"),
        (&["overload", "--factor", "0"], "the factor is above 0"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
        let output = command.arg("bench").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(said), "{text}");
        assert!(output.stdout.is_empty());
    }
}
