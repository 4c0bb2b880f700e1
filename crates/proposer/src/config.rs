//! What a proposer is told at its start.

use althing_model::{Membership, Micros, NodeId};
use althing_wire::limits::SESSION_WINDOW;

/// A proposer's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own node.
    pub me: NodeId,
    /// Who else there is, and the path.
    pub membership: Membership,
    /// For randomised back-off.
    pub seed: u64,
    /// When to lose patience.
    pub timing: Timing,
    /// How much it holds at a time.
    pub limits: Limits,
}

/// When a proposer loses patience. All times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long beyond the measured round trip to the farthest member of the fast quorum its
    /// answers may take, before the fast path is given up for the vertex.
    pub fast_path: Micros,
    /// How long beyond the measured round trip a request may stay unanswered before it is sent
    /// again.
    pub retry: Micros,
    /// The first back-off after an attempt was refused; it doubles with each attempt, randomised.
    pub back_off: Micros,
    /// How long a client's submission is remembered after its vertex was proposed.
    pub answer: Micros,
    /// How often other proposers are told how far this one is from everyone, beyond when that
    /// changes.
    pub distances: Micros,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            fast_path: 50_000,
            retry: 250_000,
            back_off: 100_000,
            answer: 60_000_000,
            distances: 5_000_000,
        }
    }
}

/// How much a proposer holds at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Own vertices that are not committed yet; a few hundred bytes each, and their payloads.
    pub in_flight_max: usize,
    /// Commands that wait for a vertex; beyond it clients are told that it is overloaded.
    pub queue_len_max: usize,
    /// How long the oldest of them may have waited when another comes, in microseconds: beyond it
    /// clients are told that it is overloaded. A queue bounded by number alone holds, at a proposer
    /// that has become slow, commands whose clients have given up long before their turn.
    pub queue_delay_max: Micros,
    /// Commands in one vertex.
    pub batch_len_max: usize,
    /// Payload bytes in one vertex; one larger command still gets a vertex of its own.
    pub batch_bytes_max: usize,
    /// How long a command may wait for others, while earlier vertices are in flight; none waits
    /// when there are none. In microseconds.
    pub batch_delay: Micros,
    /// Sequence numbers reserved by one record; up to twice as many are filled with noops after a
    /// restart.
    pub reserve_len: u64,
    /// Resources whose last vertex is remembered (about 100 bytes each and the name); beyond it all
    /// are forgotten at once, and the next vertex on each depends on all earlier ones.
    pub chain_len_max: usize,
    /// Recoveries in flight at a time.
    pub recoveries_max: usize,
    /// Requests of one session that its client has not acknowledged, from the first of them on:
    /// replicas keep the replies to these. One beyond is turned away.
    pub session_window: u64,
    /// Contended resources whose commands are proposed elsewhere, about 100 bytes each and the name;
    /// 0 for none: every command is proposed where its client submitted it.
    pub placements_max: usize,
}

/// So many times as many vertices may be committed and not executed yet as may be in flight, and at
/// least so many: the reply to one that was lost on the way is waited for, as long as clients may be.
const UNANSWERED: usize = 4;
const UNANSWERED_LEAST: usize = 1024;

impl Limits {
    /// Own vertices whose clients wait for their replies, those in flight among them.
    pub fn unanswered_max(&self) -> usize {
        self.in_flight_max.saturating_mul(UNANSWERED).max(UNANSWERED_LEAST)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight_max: 4096,
            queue_len_max: 16_384,
            queue_delay_max: 500_000,
            batch_len_max: 256,
            batch_bytes_max: 1 << 20,
            batch_delay: 0,
            reserve_len: 128,
            chain_len_max: 1 << 20,
            recoveries_max: 256,
            session_window: SESSION_WINDOW,
            placements_max: 0,
        }
    }
}
