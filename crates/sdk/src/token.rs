//! A token as text, to be stored or passed on.

use althing_model::{ClusterId, DepSet};
use althing_wire::DecodeError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes};

/// What such a text begins with: the first version of its form.
const BEGIN: &str = "at1.";

/// Bytes of text, at most: a token of the longest kind.
const TEXT_LEN_MAX: usize = 2 << 20;

/// The cluster, and a checksum of it all.
const FIXED_LEN: usize = 16 + 4;

/// A text is no token, or not one of this cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenInvalid {
    /// It does not begin as one of this version does.
    #[error("a token begins with {BEGIN:?}, and this text does not: is it of a newer version?")]
    NoToken,
    /// It is cut off, or was changed.
    #[error("the token is damaged: copy all of it, and nothing else")]
    Damaged,
    /// It is of another cluster, where the same numbers mean something else.
    #[error("the token is of cluster {found}, and this is cluster {expected}")]
    OtherCluster {
        /// The token's.
        found: ClusterId,
        /// The client's.
        expected: ClusterId,
    },
    /// It is whole, and holds what a token may not.
    #[error("the token cannot be read: {0}")]
    Undecodable(DecodeError),
}

/// The token of a cluster as text: printable, without spaces, safe in URLs and file names; about 30
/// characters and two or three for each proposer, more while commands are under way.
pub fn to_text(token: &DepSet, cluster: ClusterId) -> String {
    let mut bytes = cluster.0.to_vec();
    bytes.extend_from_slice(&althing_wire::encode_token(token));
    bytes.put_u32(crc32c::crc32c(&bytes));
    format!("{BEGIN}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The token in a text that [`to_text`] made.
///
/// ```
/// use althing_sdk::{ClusterId, token};
/// let cluster = ClusterId([7; 16]);
/// let seen = althing_sdk::Seen::default();
/// let text = token::to_text(&seen, cluster);
/// assert_eq!(token::from_text(&text, cluster), Ok(seen));
/// assert!(token::from_text(&text[..text.len() - 1], cluster).is_err());
/// assert!(token::from_text(&text, ClusterId([8; 16])).is_err());
/// ```
///
/// # Errors
/// When it is none, or one of another cluster than `cluster`.
pub fn from_text(text: &str, cluster: ClusterId) -> Result<DepSet, TokenInvalid> {
    let text = text.trim().strip_prefix(BEGIN).ok_or(TokenInvalid::NoToken)?;
    if text.len() > TEXT_LEN_MAX {
        return Err(TokenInvalid::Damaged);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenInvalid::Damaged)?;
    if bytes.len() < FIXED_LEN {
        return Err(TokenInvalid::Damaged);
    }
    let (checked, sum) = bytes.split_at(bytes.len() - 4);
    if crc32c::crc32c(checked).to_be_bytes() != sum {
        return Err(TokenInvalid::Damaged);
    }
    let (found, token) = checked.split_at(16);
    let found = ClusterId(found.try_into().expect("split there"));
    if found != cluster {
        return Err(TokenInvalid::OtherCluster { found, expected: cluster });
    }
    althing_wire::decode_token(Bytes::copy_from_slice(token)).map_err(TokenInvalid::Undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Column, Epoch, NodeId};

    /// Broken: a stored token would lead to lost or doubled changes, or a damaged one be taken.
    #[test]
    fn a_token_survives_as_text_and_no_damage_does() {
        let cluster = ClusterId([9; 16]);
        let column = Column { epoch: Epoch(0), proposer: NodeId(3) };
        let token = DepSet::from_columns([(column, 1 << 40, vec![(1 << 40) + 7])]);
        let text = to_text(&token, cluster);
        assert_eq!(from_text(&format!(" {text}\n"), cluster), Ok(token));
        for index in BEGIN.len()..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[index] = if damaged[index] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(damaged).expect("letters");
            assert_eq!(from_text(&damaged, cluster), Err(TokenInvalid::Damaged), "{index}");
        }
        assert_eq!(from_text("city", cluster), Err(TokenInvalid::NoToken));
        let expected = ClusterId([8; 16]);
        let other = from_text(&text, expected);
        assert_eq!(other, Err(TokenInvalid::OtherCluster { found: cluster, expected }));
    }
}
