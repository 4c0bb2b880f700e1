//! The guide's first program is the one that is compiled and run.

use std::process::Command;

/// Broken: who follows the guide would type a program that nobody has compiled.
#[test]
fn the_guide_s_program_is_the_example() {
    let chapter = include_str!("../docs/guide/2-first-state-machine.md");
    let example = include_str!("../examples/votes.rs");
    let (_, program) = example.split_once("\n\n").expect("an essay, then the program");
    assert!(chapter.contains(program.trim_end()), "they differ: copy the example into the chapter");
    assert!(program.trim_end().lines().count() < 60, "short enough to be typed");
}

/// Broken: the first thing that a new user does would fail.
#[test]
fn the_first_program_runs() {
    let example = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "-p", "althing", "--example", "votes"])
        .output()
        .expect("cargo runs this test");
    let (out, err) =
        (String::from_utf8_lossy(&example.stdout), String::from_utf8_lossy(&example.stderr));
    assert!(example.status.success(), "{err}");
    assert_eq!(out.trim(), "tea has 1 vote(s)", "{err}");
}
