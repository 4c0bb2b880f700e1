//! Updates that never wait: `cargo run -p althing-examples --example crdt`.

use althing_examples::crdt::{Command, Reply, Types, Updates};
use althing_examples::story::tell;

fn main() {
    let name = || "party".to_owned();
    let insert = |element: &str, tag: &str| Command::Insert {
        name: name(),
        element: element.to_owned(),
        tag: tag.to_owned(),
    };
    let assign = |value: &str, at, writer: &str| Command::Assign {
        name: name(),
        key: "place".into(),
        value: value.to_owned(),
        stamp: (at, writer.to_owned()),
    };
    let commands = [
        Command::Add { name: name(), by: 3 },
        Command::Add { name: name(), by: -1 },
        insert("ann", "t1"),
        // Who removes her saw the first insertion alone: the second survives.
        insert("ann", "t2"),
        Command::Remove { name: name(), element: "ann".into(), tags: vec!["t1".into()] },
        assign("garden", 20, "bob"),
        assign("kitchen", 10, "cid"),
        Command::Read { name: name() },
    ];
    print!("{}", tell::<_, Reply>(Types::default(), &Updates::default(), &commands));
}
