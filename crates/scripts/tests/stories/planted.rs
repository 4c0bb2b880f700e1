//! Faults that a story names after `Planted:` at the end of its beginning (see `mutant` in
//! `althing-model`). Planted, each must make the story go otherwise, or end badly:
//! ```text
//! RUSTFLAGS='--cfg mutants' cargo test --target-dir target/mutants -p althing-scripts
//! ```

use super::{name, stories};
use althing_model::mutant::Mutant;

/// The faults that a story names.
fn planted(text: &str) -> Vec<String> {
    let beginning = text.lines().map_while(|line| line.strip_prefix('#'));
    let words: Vec<&str> = beginning.flat_map(str::split_whitespace).collect();
    let names = words.iter().skip_while(|word| **word != "Planted:").skip(1);
    names.map(|name| name.trim_end_matches([',', '.']).to_owned()).collect()
}

/// Broken: a story would name a fault that there is none of, and be checked against nothing.
#[test]
fn stories_name_faults_that_exist() {
    for (path, text) in stories() {
        for fault in planted(&text) {
            assert!(Mutant::named(&fault).is_some(), "{}: {fault}", name(&path));
        }
    }
}

/// Broken: a story would go on as told although the very fault that it is about is there.
#[cfg(mutants)]
#[test]
fn a_planted_fault_changes_its_stories() {
    use std::process::{Command, Stdio};

    // A fault is planted for the life of a process: each story is told in one of its own.
    const STORY: &str = "ALTHING_STORY";
    if let Some(path) = std::env::var_os(STORY) {
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(althing_scripts::run(&text).expect("it can be told"), text);
        return;
    }
    let goes_as_told = |path: &std::path::Path, fault: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "planted::a_planted_fault_changes_its_stories"])
            .env(STORY, path)
            .env("ALTHING_MUTANT", fault)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    let mut wrong = Vec::new();
    for (path, text) in stories() {
        if !goes_as_told(&path, "") {
            wrong.push(format!("{} without a fault", name(&path)));
        }
        for fault in planted(&text) {
            if goes_as_told(&path, &fault) {
                wrong.push(format!("{} with {fault}", name(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
