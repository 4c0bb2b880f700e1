//! Journals that a node must not run on.

use crate::world::{Serving, World};
use althing_model::ClusterId;
use std::path::PathBuf;

/// A cluster that has run, and the only segment of node 0.
fn has_run() -> (World, PathBuf) {
    let (world, nodes) = World::running();
    world.kv(&["put", "city", "Reykjavik"]).prints("ok");
    nodes.into_iter().for_each(Serving::stop);
    let data = world.path("data/0");
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let segment = entries.filter(|path| path.extension().is_some_and(|it| it == "segment")).min();
    (world, segment.expect("a journal has a segment"))
}

/// Broken: a node takes another's promises for its own.
#[test]
fn another_node_s_journal_is_refused() {
    let (mut world, _) = has_run();
    world.files[1].data_dir = "data/0".into();
    world.refused(1).says(4, &["belongs to node 0, not 1"]);
    let mut elsewhere = World::of(ClusterId([9; 16]), 3, 1);
    elsewhere.files[0].data_dir = world.path("data/0");
    elsewhere.refused(0).says(4, &["belongs to cluster", "point this node to its own directory"]);
}

/// Broken: a node that forgot what it promised takes part again.
#[test]
fn a_damaged_journal_is_refused() {
    let (world, segment) = has_run();
    let good = std::fs::read(&segment).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();

    let mut flipped = good.clone();
    flipped[700] ^= 1;
    std::fs::write(&segment, flipped).unwrap();
    world.refused(0).says(4, &["journal", name, "damaged at offset 512"]);

    std::fs::write(&segment, &good[..1024]).unwrap();
    world.refused(0).says(4, &["journal", name, "truncated to 1024 bytes"]);

    std::fs::remove_file(&segment).unwrap();
    world.refused(0).says(4, &["journal", "missing"]);

    // And as it was, it is not: nothing was changed by looking.
    std::fs::write(&segment, good).unwrap();
    let nodes = world.serve_all().unwrap();
    world.kv(&["get", "city"]).prints("Reykjavik");
    nodes.into_iter().for_each(Serving::stop);
}

/// Broken: two processes write one journal.
#[test]
fn a_journal_in_use_is_refused() {
    let (mut world, nodes) = World::running();
    world.files[0].listen = Some("127.0.0.1:1".into());
    world.refused(0).says(4, &["in use by another process"]);
    nodes.into_iter().for_each(Serving::stop);
}
