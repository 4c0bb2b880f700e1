//! What the user plugs in.

use bytes::Bytes;

/// Bytes of one piece of a state, at most: 4 MiB. It is what a replica holds in memory of a snapshot
/// at a time for each reader and each writer of one, and fits into one message. A machine whose
/// values are longer cuts them.
pub const PIECE_LEN_MAX: usize = 4 << 20;

/// A state in pieces, produced lazily while the machine goes on changing.
pub type Pieces = Box<dyn Iterator<Item = Bytes> + Send>;

/// A deterministic state machine: the same payloads in the same order give the same state and
/// replies on every replica. Commands that the conflict function says commute may be applied in
/// different orders by different replicas.
///
/// A small one:
/// ```
/// use althing_model::{Pieces, StateMachine, Unrestorable};
/// use bytes::Bytes;
///
/// /// A sum; each payload is a number to add.
/// #[derive(Default)]
/// struct Sum(u64);
///
/// impl StateMachine for Sum {
///     fn apply(&mut self, payload: &[u8]) -> Bytes {
///         let number = payload.try_into().expect("the conflict function took eight bytes");
///         self.0 = self.0.wrapping_add(u64::from_be_bytes(number));
///         Bytes::copy_from_slice(&self.0.to_be_bytes())
///     }
///
///     fn digest(&self) -> u64 {
///         self.0
///     }
///
///     fn snapshot(&self) -> Pieces {
///         let sum = self.0;
///         Box::new(std::iter::once_with(move || Bytes::copy_from_slice(&sum.to_be_bytes())))
///     }
///
///     fn restore(
///         &mut self,
///         pieces: &mut dyn Iterator<Item = Bytes>,
///     ) -> Result<(), Unrestorable> {
///         let piece = pieces.next().ok_or_else(|| Unrestorable("the sum is missing".into()))?;
///         let sum = piece[..].try_into().map_err(|_| {
///             Unrestorable(format!("the sum has 8 bytes, and these are {}", piece.len()))
///         })?;
///         if pieces.next().is_some() {
///             return Err(Unrestorable("there is something after the sum".into()));
///         }
///         self.0 = u64::from_be_bytes(sum);
///         Ok(())
///     }
/// }
///
/// let mut machine = Sum::default();
/// machine.apply(&7u64.to_be_bytes());
/// let mut pieces = machine.snapshot();
/// // What is applied after the call does not show in the pieces.
/// machine.apply(&1u64.to_be_bytes());
/// let mut restored = Sum::default();
/// restored.restore(&mut pieces).unwrap();
/// assert_eq!(restored.digest(), 7);
/// ```
pub trait StateMachine: Send {
    /// Applies one command and returns its reply. Domain errors belong in the reply; payloads that
    /// are no command at all were refused by [`crate::Conflicts::footprint`] before.
    ///
    /// # Panics
    /// It must not: the command is committed, so that every replica applies it, and a panic ends each of
    /// them, and again at each start, until a program is started that does not panic at it. The node tells
    /// which vertex and which request it was.
    ///
    /// A reply has at most 1 MiB. A longer one is told to nobody: the command took effect, and for its
    /// client the outcome is unknown.
    fn apply(&mut self, payload: &[u8]) -> Bytes;

    /// The reply that [`Self::apply`] would give to a payload that changes nothing, without changing
    /// anything; `None` when the payload may change the state, or the machine answers no reads: such
    /// a read is executed as a command.
    ///
    /// Called between two commands, on the replica's thread, so it takes no longer than a command
    /// may. A footprint says nothing of this: whether a payload changes anything is for the machine
    /// to say.
    fn query(&self, _payload: &[u8]) -> Option<Bytes> {
        None
    }

    /// A digest of the whole state: equal states have equal digests, whatever order of commuting
    /// commands led there.
    ///
    /// Replicas compare theirs at every barrier, and one whose digest is not the majority's stops. It is
    /// asked for on the replica's thread, so keep it up to date with each change, as a sum of hashes of
    /// the parts, rather than walk a large state. Nodes that run together must compute it alike: a
    /// program with another digest is started on all nodes at once. One that is always the same number is
    /// allowed, and compares nothing.
    fn digest(&self) -> u64;

    /// The whole state as it is now, for another replica or for this one after a restart. Pieces
    /// have at most [`PIECE_LEN_MAX`] bytes each; there may be none.
    ///
    /// The call is made on the replica's thread, between two commands, so it must be cheap however
    /// large the state is: it shares the state, as a persistent map or an `Arc` does, and leaves the
    /// copying to the changes that follow. The pieces are asked for later, on another thread, while
    /// commands go on being applied here; they show the state as it was at the call. They may also
    /// be dropped before the last one.
    ///
    /// Of equal states the pieces may differ.
    fn snapshot(&self) -> Pieces;

    /// Replaces the whole state by that of a snapshot, which another version of the program may have
    /// made on another machine. The pieces come in the order and cut as they were produced, or are
    /// damaged: what they claim must be checked before memory is taken for it, and too few or too
    /// many of them must be found.
    ///
    /// # Errors
    /// When they are no snapshot that this version knows, and why. The state is then unspecified,
    /// and the caller discards the machine.
    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable>;
}

/// Pieces are no snapshot that can be restored; the text says why, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot cannot be restored: {0}")]
pub struct Unrestorable(pub String);
