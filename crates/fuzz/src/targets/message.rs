//! The body of a message, decoded by its kind as the transport's delivery does.

use crate::allocation::bounded;
use crate::scope::Scope;
use crate::{Outcomes, Target};
use althing_model::{Path, Role};
use althing_wire::{Address, Kind, Message, Party};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target =
    Target { name: "message", run, len_max: 4096, generate, words: &[] };

/// What a decoded body takes for each of its bytes, at worst: a command in a batch is two bytes on
/// the wire, about a hundred in memory, and lies in a list that doubles while it grows. Long bodies
/// are counted before, see the wire crate's tests.
pub(super) const MEMORY_PER_BYTE: usize = 256;
/// What errors and lists take that no byte of the body stands for.
pub(super) const MEMORY_BESIDE: usize = 8 << 10;

/// The first byte is the kind.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Some((kind, body)) = data.split_first() else { return };
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    let body = Bytes::copy_from_slice(body);
    let max = MEMORY_BESIDE + MEMORY_PER_BYTE * body.len();
    let len = body.len();
    match bounded(max, || Message::decode(kind, body)) {
        Ok(message) => {
            outcomes.note((kind, "decoded"));
            outcomes.note((kind, len.checked_ilog2()));
            assert_eq!(message.kind(), kind);
            let again = message.encode();
            assert_eq!(Message::decode(kind, again.clone()).as_ref(), Ok(&message));
            // Canonical: what two nodes hold alike they write alike.
            assert_eq!(message.encode(), again);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            outcomes.note((kind, error.field, std::mem::discriminant(&error.fault)));
        }
    }
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let path = *bytes.choose(&[Path::Fast, Path::Classic])?;
    let scope = Scope::draw(bytes, path, Party::Node(Role::Proposer))?;
    let number = bytes.choose_index(Kind::ALL.len())?;
    let from: Address = scope.me.into();
    let message = scope.message(bytes, Kind::ALL[number], from)?;
    Ok([&[number as u8], &message.encode()[..]].concat())
}
