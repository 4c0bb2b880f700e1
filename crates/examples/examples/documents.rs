//! Folders as ranges: `cargo run -p althing-examples --example documents`.

use althing_examples::documents::{ByPath, Command, Documents, Reply};
use althing_examples::story::tell;

fn main() {
    let write = |path: &str| Command::Write { path: path.to_owned(), text: "...".into() };
    let commands = [
        write("/inbox/1"),
        write("/inbox/2"),
        // Not in the folder, for all that the names share.
        write("/inbox-old/1"),
        Command::List { folder: "/inbox/".into() },
        Command::Move { from: "/inbox/".into(), to: "/done/".into() },
        Command::List { folder: "/inbox-old/".into() },
        Command::List { folder: "/".into() },
    ];
    print!("{}", tell::<_, Reply>(Documents::default(), &ByPath::default(), &commands));
}
