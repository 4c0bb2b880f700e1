//! What the index looks at and holds at most. Beyond it an answer names whole prefixes instead of
//! single vertices: more than conflicts, which is safe (I2 asks for no less) and costs waiting.

/// Steps that ranges take in one answer: a resource or range that is looked at is one, and each
/// vertex on it. A range over more live resources conflicts with all vertices that name any: half a
/// millisecond, or 16 bytes for each step in a message.
pub const RANGE_STEPS_MAX: usize = 4096;

/// Commands shown to a predicate that are kept for each column, to be scanned; of older ones all
/// count as conflicting. 4096 calls of the predicate for each column and command, and 4 MiB for a
/// column if each shows 1 KiB.
pub const SHOWN_KEPT_MAX: usize = 4096;

/// Vertices that a predicate makes an answer name singly in each column, the latest ones; what is
/// before them is named as a prefix.
pub const SHOWN_NAMED_MAX: usize = 256;

/// Resources and ranges that one call of [`ConflictIndex::sweep`] looks at.
///
/// [`ConflictIndex::sweep`]: crate::ConflictIndex::sweep
pub const SWEPT_MAX: usize = 256;
