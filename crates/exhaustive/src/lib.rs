//! Exhaustive small models: the roles' own code, and every behaviour of a small cluster within named
//! bounds, where the simulator draws some behaviours of large ones.
//!
//! ```text
//! cargo run --profile swarm -p althing-exhaustive -- --path fast --bounds ci
//! cargo run --profile swarm -p althing-exhaustive -- --path classic --bounds deep --minutes 30 --memory 20
//! ```
//! Each prints how many states there are and which properties hold; `--help` lists the limits. The
//! engine is stateright; the tests run the bounds `ci` to their end.
//!
//! # What is modelled
//! Two proposers, and three voters (on the classic path three dependency nodes and three acceptors),
//! f = 1: the very types that a node runs. Each proposer's client submits a command; all commands
//! write one resource, so they conflict. Anything may happen in any order: messages arrive late, in
//! another order, again, or never; a proposer loses patience with any vertex; it is asked to recover
//! one; a node crashes and restarts from its disk, also in the middle of a step, when what need not
//! wait for the disk has left and the rest never will. n = 5 is out of reach: already here a state
//! has eight parts.
//!
//! Checked in every state: I1 and I2 of `protocol` section 2, that only what was submitted is
//! committed, that a ballot has one value (trap T14), and that no assertion of a role fails. A value
//! counts as committed when someone says so, and as soon as f + 1 votes in one ballot are told,
//! whether or not anybody counts them. That fast commits, round 1, recoveries with the command and
//! as a noop, votes in two ballots and cycles are reached is checked too, so that bounds which leave
//! nothing to be seen are noticed.
//!
//! Not modelled: replicas (I1 and I2 speak of commits; whom a replica would have recovered is asked
//! for at any time), clients' retries, batches, sessions' openings (they are taken for committed),
//! clocks, damaged disks.
//!
//! # Why so few states
//! - *Everything sent stays.* What an actor has sent is part of its state and may arrive at any time,
//!   any number of times. So loss, delay, order and duplication need no state of their own, and a
//!   message between the roles of one node is like any other: more than can happen, never less.
//! - *Times are choices.* Roles are called at time 0, and a time-out is a step that is always
//!   possible ([`althing_proposer::Proposer::on_timer`]). Timers, entropy and counters tell no states
//!   apart ([`althing_proposer::Proposer::hash_behaviour`]).
//! - *A step and its sync are one.* What a responder does is seen by nobody before it is synced, so
//!   a step that is lost in a crash is one that was not made. A proposer sends some messages before
//!   its record is synced: for it, the loss of a step is a step of its own.
//! - *Each role's code runs once* for each pair of a role's state and a stimulus (`catalogue`): a
//!   state of the cluster is eight numbers, and a step a look into a table.
//! - *The search is reduced* to orders that matter (`reduction`, with the argument). A test compares
//!   it with the full search where that can be done.
//! - *Commits are not delivered, and outcomes not heard of*, unless the bounds say so
//!   ([`Bounds::commits`], [`Bounds::outcomes`]). A voter that is told of a commit only says less of
//!   its promises and votes from then on; a proposer that hears of an outcome only stops. Two
//!   things are lost where outcomes are not heard of: a proposer that ended one vertex begins the
//!   recovery of another in a higher round, and its own counting of votes is not put to the test.
//!   The bounds `ci` and `duel` have both.
//!
//! There is no symmetry to use: ballots order the proposers, and the third voter is alone. States
//! are told apart by 64-bit fingerprints: among 10^8 states two share one with a probability of about
//! 3 in 10,000.
//!
//! # Testing the models
//! `--flaw forgetful-disk` empties the disks of voters at a restart, and must be found; a test does
//! that. With the planted faults of [`althing_model::mutant`]:
//! ```text
//! RUSTFLAGS='--cfg mutants' ALTHING_MUTANT=conclude_after_promise cargo run --profile swarm \
//!     --target-dir target/mutants -p althing-exhaustive -- --path fast --bounds ci
//! ```
//! `ci` finds most faults of quorums, promises and recovery in a second; those of two attempts, such
//! as `ballot_used_for_two_attempts`, take `duel`; those of disks take `small`.

mod actor;
mod bounds;
mod catalogue;
mod cluster;
mod exploration;
mod facts;
mod model;
mod reduction;

pub use bounds::{Bounds, FastQuorums, Flaw, Recoveries};
pub use exploration::{Exploration, Finding, Findings};
pub use facts::Facts;
pub use model::{Action, Exhaustive, Search, State};
