//! Replies as RESP2 has them, from either side.

use althing_kv::redis::RedisReply;
use anyhow::{Context, bail};
use bytes::Bytes;
use std::fmt;
use std::io::BufRead;

/// A reply of RESP2.
#[derive(Clone, PartialEq, PartialOrd)]
pub(crate) enum Value {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    NullArray,
    Array(Vec<Value>),
}

impl Value {
    pub(crate) fn read(from: &mut impl BufRead) -> anyhow::Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let line = line.strip_suffix(b"\r\n").context("the server closed the connection")?;
        let (kind, rest) = line.split_first().context("a reply is empty")?;
        let number = || -> anyhow::Result<i64> { Ok(std::str::from_utf8(rest)?.parse()?) };
        Ok(match kind {
            b'+' => Self::Simple(rest.to_vec()),
            b'-' => Self::Error(rest.to_vec()),
            b':' => Self::Integer(number()?),
            b'$' => match usize::try_from(number()?) {
                Err(_) => Self::Null,
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    from.read_exact(&mut bytes)?;
                    bytes.truncate(len);
                    Self::Bulk(bytes)
                }
            },
            b'*' => match usize::try_from(number()?) {
                Err(_) => Self::NullArray,
                Ok(len) => {
                    Self::Array((0..len).map(|_| Self::read(from)).collect::<Result<_, _>>()?)
                }
            },
            kind => bail!("a reply begins with {kind}"),
        })
    }

    pub(crate) fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    pub(crate) fn bulk(&self) -> Option<Bytes> {
        if let Self::Bulk(bytes) = self { Some(Bytes::copy_from_slice(bytes)) } else { None }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// With the items of an array in one order, so many at a time.
    pub(crate) fn in_order(self, together: usize) -> Self {
        let Self::Array(items) = self else { return self };
        let mut groups: Vec<Vec<Self>> = items.chunks(together).map(<[_]>::to_vec).collect();
        groups.sort_by(|one, other| one.partial_cmp(other).expect("replies have an order"));
        Self::Array(groups.concat())
    }
}

impl From<RedisReply> for Value {
    fn from(reply: RedisReply) -> Self {
        let flat = |pairs: Vec<(RedisReply, RedisReply)>| {
            Self::Array(
                pairs.into_iter().flat_map(|(one, other)| [one.into(), other.into()]).collect(),
            )
        };
        match reply {
            RedisReply::Ok => Self::Simple(b"OK".to_vec()),
            RedisReply::Simple(text) => Self::Simple(text.to_vec()),
            RedisReply::Error(text) => Self::Error(text.to_vec()),
            RedisReply::Integer(number) => Self::Integer(number),
            RedisReply::Double(number) => Self::Bulk(RedisReply::double_text(number).into_bytes()),
            RedisReply::Bulk(bytes) => Self::Bulk(bytes.to_vec()),
            RedisReply::Null => Self::Null,
            RedisReply::NullArray => Self::NullArray,
            RedisReply::Array(replies) | RedisReply::Set(replies) => {
                Self::Array(replies.into_iter().map(Self::from).collect())
            }
            RedisReply::Map(pairs) | RedisReply::Pairs(pairs) => flat(pairs),
            RedisReply::Boolean(is) => Self::Integer(i64::from(is)),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{}", text.escape_ascii()),
            Self::Error(text) => write!(f, "-{}", text.escape_ascii()),
            Self::Integer(number) => write!(f, ":{number}"),
            Self::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Null => f.write_str("null"),
            Self::NullArray => f.write_str("null array"),
            Self::Array(items) => f.debug_list().entries(items).finish(),
        }
    }
}
