//! What a module may take.

/// Bytes of a module, at most.
pub const MODULE_LEN_MAX: usize = 4 << 20;

/// Bytes of the text of a mode table, at most.
pub const MODES_LEN_MAX: usize = 16 << 10;

/// Bytes of a footprint, at most: as much as the names that a message can carry, and their lengths.
pub const FOOTPRINT_LEN_MAX: usize = 2 << 20;

/// What one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for a call; about one for each instruction, so that a million take a few milliseconds. All
    /// nodes must give the same: with less, a call ends as a command over everything.
    pub fuel: u64,
    /// Bytes of memory. A proposer holds as much for the one call that is under way.
    pub memory: usize,
}

impl Default for Limits {
    /// A million of fuel, 16 MiB of memory.
    fn default() -> Self {
        Self { fuel: 1_000_000, memory: 16 << 20 }
    }
}
