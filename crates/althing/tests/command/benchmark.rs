//! `althing bench geo --sim`, as programs and people call it.

use std::process::{Command, Output};

fn geo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
    command.args(["bench", "geo"]).args(arguments).output().unwrap()
}

const REGIONS: [&str; 4] =
    ["--planet", "aws-2020-06-05", "--regions", "eu-west-1,us-west-1,ca-central-1"];

/// Broken: a program that reads the result finds something else on stdout, or misses a figure; or a
/// run is not the same the second time.
#[test]
fn the_result_is_one_object_and_nothing_else() {
    let asked = ["--protocol", "fast,atlas", "--commands", "40", "--conflict", "0,50", "--json"];
    let arguments = [&["--sim"], &REGIONS[..], &asked[..]].concat();
    let output = geo(&arguments);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, geo(&arguments).stdout);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&result), ["mode", "planet", "protocols"]);
    assert_eq!((&result["mode"], &result["planet"]), (&"sim".into(), &"aws-2020-06-05".into()));
    let runs = result["protocols"].as_array().unwrap();
    let asked: Vec<(&str, f64)> = runs
        .iter()
        .map(|run| (run["name"].as_str().unwrap(), run["conflict"].as_f64().unwrap()))
        .collect();
    assert_eq!(asked, [("fast", 0.0), ("fast", 50.0), ("atlas", 0.0), ("atlas", 50.0)]);
    for run in runs {
        let expected =
            ["conflict", "f", "linearizable", "mean_ms", "name", "p50_ms", "p99_ms", "regions"];
        assert_eq!(keys(run), expected);
        assert_eq!(run["linearizable"], true);
        let regions = run["regions"].as_array().unwrap();
        assert_eq!(regions.len(), 3);
        for region in regions {
            let expected = ["bound_ms", "fast_share", "mean_ms", "name", "ops", "p50_ms", "p99_ms"];
            assert_eq!(keys(region), expected);
            assert_eq!(region["ops"], 40);
        }
    }
}

/// Broken: who mistypes something is left to search, or something else is run than was asked for.
#[test]
fn what_cannot_be_run_is_said_and_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let table = "from,to,min_ms,avg_ms,max_ms,mdev_ms\na,b,1,1,1,0\na,a,0,0,0,0\n";
    let incomplete = file("rtt-mine.csv", table);
    let profile = file("wrong.toml", "protocls = [\"fast\"]\n");
    for (arguments, said) in [
        (&["--regions", "eu-west-1,us-wst-1,ca-central-1"][..], "did you mean \"us-west-1\"?"),
        (&["--regions", "eu-west-1,us-west-1,ca-central-1", "--f", "2"], "f = 2 is too large"),
        (&["--planet", &incomplete, "--regions", "a,b"], "no row between b and b"),
        (&["--profile", &profile], "unknown field `protocls`"),
    ] {
        let output = geo(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(said), "{text}");
        assert!(output.stdout.is_empty());
    }
}
