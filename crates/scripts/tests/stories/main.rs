//! Every story in `stories/`, told again and compared. `ALTHING_REWRITE=1` writes them anew.

mod planted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/stories");

/// Every story by its path.
fn stories() -> BTreeMap<PathBuf, String> {
    let mut stories = BTreeMap::new();
    let mut folders = vec![PathBuf::from(STORIES)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                stories.insert(path, text);
            }
        }
    }
    stories
}

fn name(path: &Path) -> String {
    path.strip_prefix(STORIES).unwrap().display().to_string()
}

/// Broken: the protocol does something else than its stories tell, or an invariant is violated in
/// one of them.
#[test]
fn stories_go_as_they_are_told() {
    let is_rewriting = std::env::var_os("ALTHING_REWRITE").is_some();
    let mut wrong = Vec::new();
    for (path, text) in stories() {
        let told = std::panic::catch_unwind(|| althing_scripts::run(&text));
        match told {
            Err(_) => wrong.push(format!("{}: an assertion failed", name(&path))),
            Ok(Err(failure)) => wrong.push(format!("{}: {failure}\n{}", name(&path), failure.told)),
            Ok(Ok(told)) if is_rewriting => std::fs::write(&path, told).unwrap(),
            Ok(Ok(told)) if told != text => {
                wrong.push(format!("{}: {}", name(&path), first_difference(&text, &told)));
            }
            Ok(Ok(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Broken: a story of the protocol's failures or traps was forgotten.
#[test]
fn every_failure_and_every_trap_has_a_story() {
    let stories = stories();
    let is_named = |number: &str| {
        stories.values().any(|text| {
            let prose = text.lines().take_while(|line| line.starts_with('#'));
            prose.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())).any(|it| it == number)
        })
    };
    let traps = (1..=18).map(|trap| format!("T{trap}"));
    let failures = (1..=15).map(|failure| format!("Z{failure}"));
    let missing: Vec<_> = traps.chain(failures).filter(|number| !is_named(number)).collect();
    assert!(missing.is_empty(), "no story names {missing:?}");
}

/// Broken: a story would end without anyone having looked whether all is well.
#[test]
fn every_story_is_told_and_ends_with_a_check() {
    for (path, text) in stories() {
        assert!(text.starts_with('#'), "{} begins without telling what it is about", name(&path));
        let last = text.lines().rfind(|line| line.starts_with("> "));
        assert!(last.is_some_and(|it| it.starts_with("> check")), "{}", name(&path));
    }
}

fn first_difference(text: &str, told: &str) -> String {
    let mut lines = text.lines().zip(told.lines()).enumerate();
    match lines.find(|(_, (expected, got))| expected != got) {
        Some((at, (expected, got))) => format!("line {}:\n- {expected}\n+ {got}", at + 1),
        None => "it goes on after its end, or ends too early".to_owned(),
    }
}
