//! Values as bytes.

use crate::TypedMachine;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Bytes are no value of the type that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOfThisType {
    what: &'static str,
    problem: Option<postcard::Error>,
}

impl fmt::Display for NotOfThisType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match &self.problem {
            Some(problem) => write!(f, "the bytes are no {what}: {problem}"),
            None => write!(f, "the bytes hold more than one {what}"),
        }
    }
}

impl std::error::Error for NotOfThisType {}

/// The payload of a command.
pub fn encode_command<M: TypedMachine>(command: &M::Command) -> Bytes {
    encode(command)
}

/// The command in a payload.
///
/// # Errors
/// When it is none of this machine's.
pub fn decode_command<M: TypedMachine>(payload: &[u8]) -> Result<M::Command, NotOfThisType> {
    decode("command of this state machine", payload)
}

/// The reply in these bytes.
///
/// # Errors
/// When it is none of this machine's.
pub fn decode_reply<M: TypedMachine>(reply: &[u8]) -> Result<M::Reply, NotOfThisType> {
    decode("reply of this state machine", reply)
}

/// # Panics
/// For a type that has no form, such as a sequence of unknown length: the type is part of the program.
pub(crate) fn encode(value: &impl Serialize) -> Bytes {
    let bytes = postcard::to_stdvec(value);
    bytes.expect("commands, replies and states are of types that serde can write").into()
}

/// Takes all bytes or fails: what is left over would be lost silently.
pub(crate) fn decode<T: DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, NotOfThisType> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(NotOfThisType { what, problem: None }),
        Err(problem) => Err(NotOfThisType { what, problem: Some(problem) }),
    }
}
