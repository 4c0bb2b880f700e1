//! The reference state machine: an ordered map from keys to values, both bytes.
//!
//! [`KvCommand`] and [`KvReply`] are what clients encode and decode, [`KvConflicts`] is the conflict
//! function for proposers, [`Store`] the state machine for replicas.
//!
//! ```
//! use althing_kv::{KvCommand, KvReply, Store};
//! use althing_model::StateMachine;
//!
//! let mut store = Store::default();
//! let put = KvCommand::Put { key: "city".into(), value: "Reykjavik".into() };
//! store.apply(&put.encode());
//! let get = KvCommand::Get { key: "city".into() };
//! let reply = KvReply::decode(store.apply(&get.encode())).unwrap();
//! assert_eq!(reply, KvReply::Value(Some("Reykjavik".into())));
//! ```
//!
//! # Which commands commute
//! Commands on different keys do. On one key:
//!
//! | | read | write | add |
//! | --- | --- | --- | --- |
//! | read: `Get`, `MultiGet` | yes | | |
//! | write: `Put`, `Delete`, `CompareAndSwap`, `Increment`, `MultiPut` | | | |
//! | add: `Add` | | | yes |
//!
//! A [`Transaction`] reads the keys that it only compares or gets, and writes those that one of its
//! branches may change, whichever is taken.
//!
//! `Increment` answers with the sum, and two of them in the other order answer otherwise: it is a
//! write. `Add` answers without the sum so that adds may be executed in any order. What an add does
//! to each state is chosen for that: an absent key counts as 0, sums wrap around, and a value that
//! is no number stays as it is, however many adds meet it; so adds never change whether a key holds
//! a number, which is all that their replies tell.
//!
//! Batches of Redis commands ([`redis`]) read their keys, or write them all, whatever each command does;
//! those that look at all keys, as `KEYS` does, conflict with everything.
//!
//! # Isolation
//! Commands are linearizable, transactions strictly serializable, among themselves and with all other
//! commands: each takes effect at one moment between its invocation and its answer, in one order
//! for everybody. A transaction is one command and so one vertex; all keys that it may touch are in
//! its footprint, also those of the branch that is not taken; and it is answered after it was
//! executed. There are no interactive transactions, which read, decide at the client and then write:
//! a client that wants this reads, and then sends a transaction that compares with what it read.
//!
//! A number is its decimal text, an `i64` without superfluous signs and zeros.

mod collection;
mod command;
mod conflicts;
mod digest;
mod draft;
mod entry;
mod keyspace;
pub mod limits;
mod number;
pub mod redis;
mod reply;
mod schema;
mod snapshot;
mod store;
mod transaction;

pub use command::{KvCommand, KvInvalid};
pub use conflicts::KvConflicts;
pub use reply::KvReply;
pub use store::Store;
pub use transaction::{
    Branch, Condition, KvOperation, OperationFailure, OperationResult, Transaction, TransactionEnd,
};
