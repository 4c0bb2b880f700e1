//! The laws, one file for each family.

mod footprint;
mod order;
mod restore;
mod run;
mod single;

use crate::report::Tally;
use crate::script::Script;
use crate::subject::Subject;
use bytes::Bytes;
use std::fmt;

/// What replication relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// The conflict function takes the commands that clients send.
    Accepted,
    /// Neither the conflict function nor the state machine panics.
    Lives,
    /// A footprint follows from the payload and from nothing else.
    FootprintPure,
    /// If one command conflicts with another, the other conflicts with it.
    Symmetric,
    /// The same commands in the same order give the same replies and states on every machine.
    Deterministic,
    /// A command that touches nothing changes nothing.
    NothingTouched,
    /// A machine's query changes nothing, and answers as the command does.
    Query,
    /// What is to be read without a vertex may be.
    Readable,
    /// Commands said to commute give the same replies and the same state in either order.
    Commute,
    /// States that answer differently have different digests.
    DigestTells,
    /// A restored machine is the one of which the snapshot was taken.
    Restorable,
}

impl Law {
    /// All of them, in the order in which a case is checked.
    pub const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Lives,
        Self::FootprintPure,
        Self::Symmetric,
        Self::Deterministic,
        Self::NothingTouched,
        Self::Query,
        Self::Readable,
        Self::Commute,
        Self::DigestTells,
        Self::Restorable,
    ];

    /// What a user does about a counterexample.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Accepted => {
                "Draw commands that clients may send, encode them as clients do, or correct the \
                 conflict function, which refuses them. Nothing was tried with what is refused."
            }
            Self::Lives => {
                "Answer with an error in the reply instead, or let the conflict function refuse the \
                 payload. In a cluster every replica would meet this command, and end."
            }
            Self::FootprintPure => {
                "Compute the footprint from the payload alone: no counters, caches that forget, hash \
                 maps that are iterated, clocks, random numbers or thread-locals. Nodes that see \
                 different footprints order the same commands differently."
            }
            Self::Symmetric => {
                "Let the predicate answer the same for (a, b) and (b, a), for instance by asking it \
                 both ways and taking either. Only one of two proposers would wait for the other."
            }
            Self::Deterministic => {
                "Let `apply` depend on the state and the payload alone: no clocks, random numbers, \
                 hash maps that are iterated, or globals. What is random or timed is drawn by the \
                 client and travels in the command."
            }
            Self::NothingTouched => {
                "Name what the command changes in its footprint. `Footprint::NOTHING` is for \
                 commands that change nothing."
            }
            Self::Query => {
                "Let `query` answer `None` for whatever may change the state, and what `apply` would \
                 answer for all else. Who reads without a vertex sees another state than who does not."
            }
            Self::Readable => {
                "Read it as a command, or as a session or stale read. A linearizable read without a \
                 vertex is of one resource, on which all updates that it can observe conflict with \
                 each other (`ModeTable::is_readable_unrecorded`)."
            }
            Self::Commute => {
                "Let their footprints conflict: both name a resource that both depend on, in modes \
                 that the mode table does not let commute. Or change the commands so that they do \
                 commute, for instance by a reply that tells less. Replicas that execute them in \
                 different orders would differ for ever."
            }
            Self::DigestTells => {
                "Let `digest` cover everything that a reply may depend on. Replicas compare digests \
                 to find out that they differ; these differ, and would not."
            }
            Self::Restorable => {
                "Let `snapshot` give all of the state as it is at the call, and let `restore` replace \
                 all of it. A replica that comes back from this snapshot would differ from the others."
            }
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "the conflict function takes the commands that clients send",
            Self::Lives => "neither the conflict function nor the state machine panics",
            Self::FootprintPure => "a footprint follows from the payload alone",
            Self::Symmetric => "the conflict relation is symmetric",
            Self::Deterministic => "the state machine is deterministic",
            Self::NothingTouched => "a command that touches nothing changes nothing",
            Self::Query => "a query answers as the command, and changes nothing",
            Self::Readable => "what is to be read without a vertex may be",
            Self::Commute => "commands said to commute do",
            Self::DigestTells => "states that answer differently have different digests",
            Self::Restorable => "a restored machine is the one that was saved",
        })
    }
}

/// A law broken in a case, by the numbers of its commands.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) law: Law,
    pub(crate) finding: String,
    /// Commands executed before, in this order.
    pub(crate) before: Vec<usize>,
    /// Those at fault.
    pub(crate) commands: Vec<usize>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// What came of executing the commands of a counterexample in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which way, for instance the order.
    pub way: String,
    /// The reply of each command of the counterexample, where it was executed.
    pub replies: Vec<Option<Bytes>>,
    /// The state's digest afterwards.
    pub digest: Option<u64>,
}

/// Checks all laws on one case; what was seen of pairs goes into the tally.
pub(crate) fn check(
    subject: &Subject,
    script: &Script,
    kinds: &[String],
    is_readable: &dyn Fn(usize) -> bool,
    tally: &mut Tally,
) -> Result<(), Violation> {
    footprint::check(subject, script)?;
    let conflicts = script.conflicts(subject);
    let base = single::check(subject, script, is_readable)?;
    order::check_neighbours(subject, script, &conflicts, &base, kinds, tally)?;
    order::check_reordered(subject, script, &conflicts, &base)?;
    restore::check(subject, script, &conflicts, &base)
}
