//! Votes that commute, on three nodes in this process: the first program of the guide.

use althing::{
    Footprint, LocalNodes, Mode, ModeTable, Typed, TypedClient, TypedConflicts, TypedMachine,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Default, Serialize, Deserialize)]
struct Votes(BTreeMap<String, u64>);

#[derive(Serialize, Deserialize)]
enum Command {
    Vote { option: String },
    Count { option: String },
}

const VOTE: Mode = Mode(0);
const COUNT: Mode = Mode(1);

impl TypedMachine for Votes {
    type Command = Command;
    /// The count, for whoever asked for it.
    type Reply = Option<u64>;

    // Votes commute with votes, and counts with counts: neither waits for its own kind.
    fn modes() -> ModeTable {
        ModeTable::new(&["vote", "count"]).commuting(VOTE, VOTE).commuting(COUNT, COUNT)
    }

    fn footprint(command: &Command) -> Footprint {
        let (option, mode) = match command {
            Command::Vote { option } => (option, VOTE),
            Command::Count { option } => (option, COUNT),
        };
        Footprint::of([(option.clone().into(), mode)])
    }

    fn apply(&mut self, command: Command) -> Option<u64> {
        match command {
            Command::Vote { option } => {
                *self.0.entry(option).or_default() += 1;
                None
            }
            Command::Count { option } => Some(self.0.get(&option).copied().unwrap_or(0)),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let nodes =
        LocalNodes::start(3, Typed::<Votes>::default, TypedConflicts::<Votes>::default).await?;
    let votes = TypedClient::<Votes>::new(nodes.client(0).await?);
    votes.execute(&Command::Vote { option: "tea".into() }).await?;
    let count = votes.execute(&Command::Count { option: "tea".into() }).await?;
    println!("tea has {} vote(s)", count.unwrap_or(0));
    Ok(nodes.stop().await?)
}
