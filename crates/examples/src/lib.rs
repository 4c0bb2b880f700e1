//! State machines to learn from, and to begin one's own with.
//!
//! | module | to see |
//! | --- | --- |
//! | [`bank`] | modes: deposits commute with each other, and with nothing else |
//! | [`lease`] | locks with fencing tokens; time that comes with commands |
//! | [`inventory`] | a counter with a lower bound, in shares, so that reservations rarely meet |
//! | [`crdt`] | updates that all commute: a counter, a set, a map |
//! | [`documents`] | ranges: folders are read, erased and moved |
//! | [`order_book`] | a predicate, where neither names nor ranges can say what conflicts |
//!
//! Each module has commands and replies with a codec, a conflict function ([`Conflicts`]), a state
//! machine ([`StateMachine`]), and a test that audits one by the other (`althing_audit`). Read the
//! module's text first: it says which commands commute, why, and what that costs elsewhere.
//!
//! Run one: `cargo run -p althing-examples --example bank`. What each conflict function does to
//! latency between five regions: `cargo run --release -p althing-bench --example contention`.
//!
//! [`Conflicts`]: althing_model::Conflicts
//! [`StateMachine`]: althing_model::StateMachine

pub mod bank;
mod codec;
pub mod crdt;
pub mod documents;
pub mod everything;
pub mod inventory;
pub mod lease;
pub mod order_book;
mod saved;
pub mod story;

pub use codec::{decode, encode};
