//! proposer -> itself, when a record is on disk. It never crosses the network.

/// The reservation of sequence numbers up to `until` (exclusive) is on disk: they may be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reserved {
    /// The end of the reservation.
    pub until: u64,
}
