//! Why a role did nothing with a message.

/// The reason for which a role dropped a message, for a counter. Most are the network's doing
/// (late, repeated); those of a misbehaving peer say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// The role has no use for this kind of message, or not from this kind of sender.
    Misdirected,
    /// The sender may not do this in this vertex: rounds 0 and 1 are the owner's, a ballot is its
    /// proposer's.
    NotTheOwner,
    /// Another epoch than the role's own.
    OtherEpoch,
    /// About an attempt that is over, or a vertex that nothing is being done for.
    Late,
    /// Answered or counted before.
    Repeated,
    /// The node does not know yet whether it lost its disk, or it did: it neither votes nor proposes.
    Lost,
    /// The replica's state is another than the others': it does nothing any more.
    Diverged,
    /// It contradicts what the same sender said before.
    Contradiction,
}

impl Ignored {
    /// The reason's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Misdirected => "misdirected",
            Self::NotTheOwner => "not_the_owner",
            Self::OtherEpoch => "other_epoch",
            Self::Late => "late",
            Self::Repeated => "repeated",
            Self::Lost => "lost",
            Self::Diverged => "diverged",
            Self::Contradiction => "contradiction",
        }
    }
}
