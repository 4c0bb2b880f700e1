//! What the user plugs in.

use bytes::Bytes;

/// A deterministic state machine: the same payloads in the same order give the same state and
/// replies on every replica. Commands that the conflict function says commute may be applied in
/// different orders by different replicas.
pub trait StateMachine: Send {
    /// Applies one command and returns its reply. Domain errors belong in the reply; payloads that
    /// are no command at all were refused by [`crate::Conflicts::footprint`] before.
    fn apply(&mut self, payload: &[u8]) -> Bytes;

    /// A digest of the whole state: equal states have equal digests, whatever order of commuting
    /// commands led there.
    fn digest(&self) -> u64;
}
