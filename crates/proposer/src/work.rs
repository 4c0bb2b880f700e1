//! What is being done for a vertex: one variant for each step, holding what is valid in it.

use crate::CommitPath;
use althing_model::{Ballot, Commands, DepSet, Micros, NodeId, Value};
use althing_wire::{Held, Vote};
use std::collections::{BTreeMap, BTreeSet};

/// A vertex that is not committed yet and that this proposer works on.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    pub(crate) work: Work,
    /// When it was begun here.
    pub(crate) since: Micros,
    /// When to lose patience with the current step.
    pub(crate) timer: Micros,
    /// Attempts that were refused: the exponent of the back-off.
    pub(crate) refusals: u32,
}

/// One step of the way to a commit.
#[derive(Debug, Clone, Hash)]
pub(crate) enum Work {
    /// Fast path: the anchor is asked for its vote, which comes before all others.
    Anchoring { commands: Commands, base: DepSet, quorum: Vec<NodeId>, is_fast: bool },
    /// Fast path: all voters are asked for their votes in round 0.
    Voting {
        commands: Commands,
        /// The anchor's answer, which went out with the request.
        base: DepSet,
        quorum: Vec<NodeId>,
        /// Whether the fast path is still hoped for.
        is_fast: bool,
        answers: BTreeMap<NodeId, DepSet>,
    },
    /// Fast path: the anchor is asked to commit.
    Concluding { value: Value },
    /// Slow path: the anchor votes in round 1 before anyone else hears of it (trap T15).
    Fencing { value: Value },
    /// Classic path: the dependency nodes are asked.
    Depending { commands: Commands, base: DepSet, answers: BTreeMap<NodeId, DepSet> },
    /// Phase 2.
    Proposing { ballot: Ballot, value: Value, votes: BTreeSet<NodeId>, path: CommitPath },
    /// Recovery, phase 1; on the classic path the dependency nodes are asked as well.
    Preparing {
        ballot: Ballot,
        promises: BTreeMap<NodeId, Option<Vote>>,
        inspected: BTreeMap<NodeId, Option<Held>>,
    },
    /// Recovery: a dependency round in the ballot.
    Consulting {
        ballot: Ballot,
        commands: Commands,
        base: DepSet,
        answers: BTreeMap<NodeId, DepSet>,
    },
    /// Refused: another proposer is at it. Try again later, in a higher ballot.
    Waiting,
}
