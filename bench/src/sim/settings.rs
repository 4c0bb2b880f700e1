//! What a simulation can be told beside its workload.

use althing_model::Micros;

/// Contended keys that are counted and placed: a node's default (`limits.placements`).
const PLACEMENTS: usize = 256;

/// How the nodes of a simulation are set; the defaults are those of a real node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The patience of Althing's proposers.
    pub proposer_timing: althing_proposer::Timing,
    /// Their limits. Of these the workload decides over the batches.
    pub proposer_limits: althing_proposer::Limits,
    /// The patience of Althing's replicas.
    pub replica_timing: althing_replica::Timing,
    /// Their limits.
    pub replica_limits: althing_replica::Limits,
    /// How long a node must be silent to be believed down, in microseconds, whatever the protocol:
    /// what a leader's followers wait before they elect another one, too. A node's default
    /// (`timeouts.down_after_ms`).
    pub down_after: Micros,
    /// Whether the history is kept and checked.
    pub checks: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proposer_timing: althing_proposer::Timing::default(),
            proposer_limits: althing_proposer::Limits {
                placements_max: PLACEMENTS,
                ..althing_proposer::Limits::default()
            },
            replica_timing: althing_replica::Timing::default(),
            replica_limits: althing_replica::Limits {
                demand_len_max: PLACEMENTS,
                ..althing_replica::Limits::default()
            },
            down_after: 500_000,
            checks: true,
        }
    }
}
