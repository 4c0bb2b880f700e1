//! When two proposers are the same to a driver without clocks: for model checkers.

use crate::Proposer;
use althing_model::VertexId;
use std::hash::{Hash, Hasher};

impl Proposer {
    /// Feeds `hasher` what decides what this proposer will do, given the same calls: two of one
    /// node and configuration that feed it the same do the same, but for the times of their timers.
    ///
    /// Left out: times, counters, and entropy, of which timers are made and, beyond
    /// [`crate::Limits::recoveries_max`], the order of recoveries: models stay within it.
    pub fn hash_behaviour(&self, hasher: &mut impl Hasher) {
        let Self {
            config: _,
            conflicts: _,
            column: _,
            next_seq,
            reserved,
            reserving,
            resolved,
            chain,
            queue,
            unanswered,
            requests,
            in_flight,
            // It follows from `in_flight`.
            own_in_flight: _,
            recovery_backlog,
            rounds,
            rounds_floor,
            floor,
            rewriting,
            timers: _,
            links,
            // Models do not place commands elsewhere.
            forwarding: _,
            jitter: _,
            counters: _,
            commits: _,
        } = self;
        (next_seq, reserved, reserving, resolved, chain).hash(hasher);
        queue.len().hash(hasher);
        for queued in queue {
            (&queued.command, queued.submitter).hash(hasher);
        }
        unanswered.len().hash(hasher);
        for (vertex, unanswered) in unanswered {
            (vertex, &unanswered.commands, &unanswered.submitters).hash(hasher);
        }
        (requests, recovery_backlog, rounds, rounds_floor, links).hash(hasher);
        (floor, rewriting).hash(hasher);
        in_flight.len().hash(hasher);
        for (vertex, in_flight) in in_flight {
            (vertex, &in_flight.work).hash(hasher);
        }
    }

    /// The vertices that [`Self::on_timer`] has something to do for, ascending.
    pub fn vertices_in_flight(&self) -> impl Iterator<Item = VertexId> + '_ {
        self.in_flight.keys().copied()
    }
}
