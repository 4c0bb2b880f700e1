//! What goes wrong in a run.

use althing_model::{Micros, NodeId};
use althing_wire::Kind;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The node stops at once; what was not synced is lost, but for a prefix of it.
    Crash(NodeId),
    /// It starts again from what its disk holds.
    Restart(NodeId),
    /// The node's messages to and from others are lost; or, one way, those to it.
    Cut {
        /// The node.
        node: NodeId,
        /// Only messages to it are lost.
        one_way: bool,
    },
    /// The node's messages of one kind to others are lost, and no others.
    Mute {
        /// The node.
        node: NodeId,
        /// The kind.
        kind: Kind,
        /// To this node only; else to all.
        to: Option<NodeId>,
    },
    /// Its messages arrive again.
    Heal(NodeId),
    /// The node does nothing for so long, and then goes on with what arrived.
    Pause(NodeId, Micros),
}

/// How often what went wrong in a run, or in several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Nodes crashed.
    pub crashes: u64,
    /// Nodes cut off.
    pub cuts: u64,
    /// Nodes whose messages of one kind were lost.
    pub mutes: u64,
    /// Nodes paused.
    pub pauses: u64,
    /// Messages lost.
    pub lost: u64,
    /// Messages that arrived twice.
    pub duplicated: u64,
    /// Records lost because they were not synced.
    pub unsynced: u64,
}

impl FaultCounts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.mutes += other.mutes;
        self.pauses += other.pauses;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.unsynced += other.unsynced;
    }
}
