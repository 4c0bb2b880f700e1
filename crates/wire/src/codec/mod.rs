//! Messages and records as bytes: protobuf by `proto/althing.proto`, whose generated code lies in
//! `generated/`.
//!
//! Encoding writes the body once, and copies payloads nowhere else. Decoding parses: what comes out
//! keeps every rule that roles rely on (canonical dependency sets, ballots that their proposers may
//! use, quorums with their anchor, batches that are not empty, everything within
//! [`crate::limits`]), and what does not keep them is a [`DecodeError`] that names the field.
//! Fields that a later version added are skipped.
//!
//! # Memory
//! A byte string of a message (payload, resource, reply) of at least half of the body is a slice of
//! it and keeps it alive; a smaller one is a copy and keeps nothing else. Long bodies are counted
//! through before memory is taken for their elements.

mod count;
mod decode;
mod encode;
mod error;
mod message;
mod record;
mod registry;
mod snapshot;
mod watch;

pub use error::{DecodeError, Fault};
pub use watch::{decode_token, encode_token};

use bytes::Bytes;
use decode::Body;

fn to_bytes(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

/// The body as the schema's type, nothing checked but the number of elements.
fn parse<T: prost::Message + Default>(
    message: &'static str,
    bytes: Bytes,
    shape: count::Shape,
) -> Result<(Body, T), DecodeError> {
    let body = Body { message, len: bytes.len() };
    count::check(body, &bytes, shape)?;
    match T::decode(bytes) {
        Ok(parsed) => Ok((body, parsed)),
        Err(error) => body.fault("body", Fault::Malformed(error)),
    }
}
