//! node -> node, whatever their roles: who lost its disk.

/// The sender's journal was made with this number, which it drew at random. Asked by a node with a
/// new journal: if the receiver knows it under another number, the sender has forgotten what it
/// promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register {
    /// The number.
    pub incarnation: u64,
    /// The sender lost its disk before, and neither votes nor proposes, whatever the receiver knows.
    pub is_lost: bool,
}

/// What the sender has on record for the receiver, durably: the number that it heard of first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Registered {
    /// The number.
    pub incarnation: u64,
}
