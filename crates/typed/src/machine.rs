//! The trait to implement, and the state machine made of it.

use crate::codec::{decode, decode_command, encode};
use althing_model::{Footprint, ModeTable, PIECE_LEN_MAX, Pieces, StateMachine, Unrestorable};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::io;

/// A deterministic state machine with typed commands. Its state, `Self`, begins as its default.
pub trait TypedMachine: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// What clients ask for.
    type Command: Serialize + DeserializeOwned;
    /// What they are answered. Domain errors belong here.
    type Reply: Serialize + DeserializeOwned;

    /// How commands may touch a resource, and which of these modes commute.
    fn modes() -> ModeTable;

    /// What a command touches: a pure function of it. Two commands that do not conflict by it must
    /// give the same state and the same two replies in either order; the auditor checks that.
    fn footprint(command: &Self::Command) -> Footprint;

    /// Applies a command. Never panics: a command that makes one replica panic makes all of them.
    fn apply(&mut self, command: Self::Command) -> Self::Reply;

    /// The reply that [`Self::apply`] would give to a command that changes nothing; `None` for all
    /// that may change the state. What has a reply here can be read without a command.
    fn query(&self, _command: &Self::Command) -> Option<Self::Reply> {
        None
    }
}

/// A [`TypedMachine`] as a node takes it.
#[derive(Debug, Clone, Default)]
pub struct Typed<M>(M);

impl<M: TypedMachine> Typed<M> {
    /// The state.
    pub fn state(&self) -> &M {
        &self.0
    }
}

impl<M: TypedMachine> StateMachine for Typed<M> {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = decode_command::<M>(payload);
        encode(&self.0.apply(command.expect("the conflict function has decoded it before")))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = decode_command::<M>(payload).ok()?;
        self.0.query(&command).map(|reply| encode(&reply))
    }

    fn digest(&self) -> u64 {
        let mut digest = Digest(SipHasher13::new());
        postcard::to_io(&self.0, &mut digest).expect("a digest takes whatever is written");
        digest.0.finish()
    }

    fn snapshot(&self) -> Pieces {
        let state = self.0.clone();
        let mut whole: Option<Bytes> = None;
        Box::new(std::iter::from_fn(move || {
            let rest = whole.get_or_insert_with(|| encode(&state));
            let len = rest.len().min(PIECE_LEN_MAX);
            (len > 0).then(|| rest.split_to(len))
        }))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let whole = pieces.fold(Vec::new(), |mut whole, piece| {
            whole.extend_from_slice(&piece);
            whole
        });
        self.0 = decode("state of this state machine", &whole)
            .map_err(|problem| Unrestorable(problem.to_string()))?;
        Ok(())
    }
}

/// The same on every machine and in every version of the program: replicas compare it.
struct Digest(SipHasher13);

impl io::Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
