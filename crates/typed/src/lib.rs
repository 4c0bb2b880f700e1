//! State machines of typed commands: you write a struct, an enum of commands, an enum of replies and
//! what each command touches; the bytes are taken care of.
//!
//! ```
//! use althing_model::{Footprint, Mode, ModeTable, StateMachine};
//! use althing_typed::{Typed, TypedMachine, encode_command};
//! use serde::{Deserialize, Serialize};
//! use std::collections::BTreeMap;
//!
//! #[derive(Clone, Default, Serialize, Deserialize)]
//! struct Stock(BTreeMap<String, u64>);
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! enum Command {
//!     /// Replies nothing about what was there, so that two of them commute.
//!     Deliver { item: String, pieces: u64 },
//!     Sell { item: String },
//! }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum Reply {
//!     Done,
//!     SoldOut,
//! }
//!
//! const DELIVER: Mode = Mode(0);
//! const SELL: Mode = Mode(1);
//!
//! impl TypedMachine for Stock {
//!     type Command = Command;
//!     type Reply = Reply;
//!
//!     fn modes() -> ModeTable {
//!         ModeTable::new(&["deliver", "sell"]).commuting(DELIVER, DELIVER)
//!     }
//!
//!     fn footprint(command: &Command) -> Footprint {
//!         let (item, mode) = match command {
//!             Command::Deliver { item, .. } => (item, DELIVER),
//!             Command::Sell { item } => (item, SELL),
//!         };
//!         Footprint::of([(item.clone().into(), mode)])
//!     }
//!
//!     fn apply(&mut self, command: Command) -> Reply {
//!         match command {
//!             Command::Deliver { item, pieces } => *self.0.entry(item).or_default() += pieces,
//!             Command::Sell { item } => match self.0.get_mut(&item) {
//!                 Some(pieces) if *pieces > 0 => *pieces -= 1,
//!                 _ => return Reply::SoldOut,
//!             },
//!         }
//!         Reply::Done
//!     }
//! }
//!
//! let mut stock = Typed::<Stock>::default();
//! let reply = stock.apply(&encode_command::<Stock>(&Command::Sell { item: "boot".into() }));
//! assert_eq!(althing_typed::decode_reply::<Stock>(&reply).unwrap(), Reply::SoldOut);
//! ```
//!
//! [`Typed`] is the [`StateMachine`](althing_model::StateMachine) and [`TypedConflicts`] the
//! [`Conflicts`](althing_model::Conflicts) that a node, the simulator and the auditor take.
//!
//! # What it costs
//! The form is postcard's. A snapshot clones the state on the replica's thread, and a digest, asked
//! for when a node is asked for its status, encodes all of it: both take time proportional to the state,
//! and commands wait meanwhile. A large one implements `StateMachine` itself, over persistent maps and
//! with a digest that each change brings up to date; `althing-kv` is an example.
//!
//! # What it asks of you
//! The state must have one form: equal states must encode equally, so use `BTreeMap` and `BTreeSet`,
//! whose order is the same everywhere, never `HashMap`. Nothing in `apply` may depend on a clock, on
//! entropy, on addresses in memory or on anything else than the state and the command. Commands of
//! a type that contains itself may be nested as deeply as a client likes; avoid them.
//!
//! An old node must understand a new one's commands and snapshots, so new variants go to the end of
//! their enum, and fields are never added to what exists.

mod codec;
mod conflicts;
mod machine;

pub use codec::{NotOfThisType, decode_command, decode_reply, encode_command};
pub use conflicts::TypedConflicts;
pub use machine::{Typed, TypedMachine};
