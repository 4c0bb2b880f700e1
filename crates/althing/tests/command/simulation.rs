//! `althing sim`, as programs and people call it.

use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
    command.arg("sim").args(arguments).output().unwrap()
}

/// Broken: a program that reads the result finds something else on stdout, or misses a figure; or the
/// range does not include its last seed.
#[test]
fn the_result_is_one_object_and_nothing_else() {
    let output = sim(&["--seeds", "1..3", "--ops", "50", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["faults", "invalid", "ops", "seconds", "seeds", "violations"]);
    assert_eq!(result["seeds"], 3);
    assert_eq!(result["ops"], 150);
    assert_eq!(result["violations"], 0);
    assert!(result["faults"]["lost"].is_u64(), "{result}");
}

/// Broken: one seed is another run the second time, or its chart does not fit a terminal.
#[test]
fn a_seed_is_drawn_as_a_chart_that_fits() {
    let arguments = ["--seed", "7", "--ops", "20", "--trace", "--last", "0"];
    let output = sim(&arguments);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, sim(&arguments).stdout);
    let chart = String::from_utf8(output.stdout).unwrap();
    for sign in ["▶", "●", "▪", "◆", "n0 starts", "asks", "executed"] {
        assert!(chart.contains(sign), "{sign} is missing:\n{chart}");
    }
    let longest = chart.lines().skip_while(|line| !line.is_empty());
    assert!(longest.map(|line| line.chars().count()).max().unwrap() <= 120, "{chart}");
    let verdict = String::from_utf8(output.stderr).unwrap();
    assert!(verdict.contains("no property is violated"), "{verdict}");
}

/// Broken: a run that comes to its end, where somebody asks for everything on nobody's behalf, cannot be
/// drawn.
#[test]
fn runs_are_drawn_to_their_end() {
    for seed in ["1", "2", "3", "4"] {
        let output = sim(&["--seed", seed, "--ops", "20", "--trace"]);
        assert!(output.status.success(), "{seed}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Broken: a misspelt profile or range runs something else than was asked for.
#[test]
fn what_cannot_be_run_is_wrong_usage() {
    for wrong in [
        &["--profile", "calmest"][..],
        &["--seeds", "5..4"],
        &["--ops", "0"],
        &["--trace"],
        &["--seed", "1", "--trace", "--vertex", "seven"],
    ] {
        assert_eq!(sim(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
