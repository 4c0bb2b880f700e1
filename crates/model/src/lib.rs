//! The nouns of Althing: what every other crate talks about.
//!
//! # Glossary
//! One word has one meaning, in code, messages, metrics and documents.
//!
//! | word | meaning |
//! | --- | --- |
//! | command | what a client wants executed: an [`Operation`] and its [`Footprint`] |
//! | footprint | what a command touches: resources or [`Range`]s of them, each with an access [`Mode`], or what a [`Predicate`] sees of it |
//! | conflict | two commands conflict when the [`ModeTable`] says that their modes on a shared resource do not commute, or its predicate says so; conflicting commands are executed in one order everywhere |
//! | vertex | one instance of consensus, [`VertexId`]; its [`Value`] is commands and dependencies |
//! | batch | several commands in one vertex |
//! | noop | a vertex committed without a command |
//! | dependencies, deps | the vertices that are executed before this one, or in one component with it: a [`DepSet`] |
//! | column | all vertices of one proposer in one epoch |
//! | proposer | gives each command a vertex and drives it to commit |
//! | dependency node | keeps the conflict index, answers with the conflicting vertices it has seen |
//! | acceptor | promises and votes, per vertex |
//! | voter | a dependency node and an acceptor on one node with one record for both |
//! | anchor | the voter beside a vertex's own proposer; it alone may conclude a fast commit |
//! | ballot | one attempt to choose a value in a vertex, [`Ballot`] |
//! | promise | an acceptor's word never to vote in a lower ballot |
//! | vote | an acceptor's acceptance of a value in a ballot |
//! | committed | chosen: nothing else can ever be the vertex's value |
//! | replica | collects committed vertices, executes them, produces replies |
//! | executed | applied to the state machine (or passed over, for a noop or a duplicate) |
//! | component | a strongly connected component of the committed graph, executed as one |
//! | blocked | committed, but something that it reaches is not |
//! | session, request | a client's exactly-once context, and one numbered command in it |
//! | watch, watcher | a client's subscription to what is executed, as far as its [`Filter`] lets through |
//! | change | what a watcher is told of one command that took effect |
//! | token | the vertices whose changes a watcher has been told of: a [`DepSet`] from which it goes on, at any replica |
//! | fast path | commit after one round trip to a fast quorum |
//! | slow path | the same vertex's second round trip, when the fast quorum disagreed or was silent |
//! | classic path | Simple BPaxos: a dependency round, then a voting round, roles anywhere |
//! | recovery | choosing the value of a vertex in a ballot of round 2 or higher |
//!
//! Sources: Moraru et al., *There Is More Consensus in Egalitarian Parliaments* (SOSP '13); Enes et
//! al., *State-Machine Replication for Planet-Scale Systems* (EuroSys '20); Whittaker et al., *SoK:
//! A Generalized Multi-Leader State Machine Replication Tutorial* (JSys '21).

pub mod applying;
mod command;
mod conflicts;
mod dep_set;
mod filter;
mod footprint;
mod id;
mod jitter;
pub mod mark;
mod membership;
mod mode_table;
pub mod mutant;
mod quorum;
mod range;
mod seq_set;
mod state_machine;

pub use command::{Command, Commands, Operation, Reply, Value};
pub use conflicts::{CommandInvalid, Conflicts, ConflictsId, Predicate};
pub use dep_set::{DepSet, Row};
pub use filter::{Filter, ModeSet, Scope};
pub use footprint::{Footprint, Mode};
pub use id::{
    Ballot, ClusterId, ClusterIdInvalid, Column, Epoch, NodeId, RequestId, Role, SessionId,
    VertexId,
};
pub use jitter::Jitter;
pub use membership::{Membership, MembershipInvalid, Path};
pub use mode_table::ModeTable;
pub use quorum::{Quorums, QuorumsInvalid};
pub use range::Range;
pub use seq_set::SeqSet;
pub use state_machine::{PIECE_LEN_MAX, Pieces, StateMachine, Unrestorable};

/// Microseconds since some start that only the caller knows; roles compare and add, nothing more.
pub type Micros = u64;
