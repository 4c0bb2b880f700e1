//! What a builder says of what it was not given.

mod support;

use althing_model::ModeTable;
use althing_node::{Node, NodeBuilder};
use support::{Numbers, NumbersConflicts};

/// Broken: an embedder would be told nothing of what was forgotten.
#[test]
fn what_is_missing_is_named() {
    let said = |builder: NodeBuilder| builder.start().unwrap_err().to_string();
    let file = || Node::builder().config_file("/nowhere/node.toml");
    let machine = || file().state_machine(Numbers::default());
    assert!(said(Node::builder()).contains(".config_file(..)"));
    assert!(said(file()).contains(".state_machine(..)"));
    assert!(said(machine()).contains(".conflicts(..)"));
    let complete = machine().conflicts(NumbersConflicts(ModeTable::read_write()));
    assert!(said(complete).contains("/nowhere/node.toml"));
}
