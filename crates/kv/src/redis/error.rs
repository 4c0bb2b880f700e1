//! Why a command is refused, in Redis' words.

use super::RedisReply;
use std::borrow::Cow;

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RedisError {
    WrongType,
    Syntax,
    NotAnInteger,
    NotAFloat,
    OutOfRange,
    NoSuchKey,
    /// The reply would have more bytes than one may.
    ReplyTooLong,
    Text(Cow<'static, str>),
}

impl RedisError {
    pub(crate) const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The number of a command's arguments, which its name does not tell alone, is wrong.
    pub(crate) fn arity(command: &str) -> Self {
        Self::Text(format!("ERR wrong number of arguments for '{command}' command").into())
    }

    pub(crate) fn invalid_expire(command: &str) -> Self {
        Self::Text(format!("ERR invalid expire time in '{command}' command").into())
    }

    pub(crate) fn unsupported(option: &[u8]) -> Self {
        // Redis prints it as a C string, and an error has one line.
        let option = option.split(|byte| *byte == 0).next().unwrap_or_default();
        let option = String::from_utf8_lossy(option).replace(['\r', '\n'], " ");
        Self::Text(format!("ERR Unsupported option {option}").into())
    }

    pub(crate) fn into_reply(self) -> RedisReply {
        RedisReply::Error(match self {
            Self::WrongType => {
                "WRONGTYPE Operation against a key holding the wrong kind of value".into()
            }
            Self::Syntax => "ERR syntax error".into(),
            Self::NotAnInteger => "ERR value is not an integer or out of range".into(),
            Self::NotAFloat => "ERR value is not a valid float".into(),
            Self::OutOfRange => "ERR index out of range".into(),
            Self::NoSuchKey => "ERR no such key".into(),
            Self::ReplyTooLong => {
                let max = crate::limits::REPLY_LEN_MAX;
                format!("ERR the reply is over the {max} bytes allowed: ask for less").into()
            }
            Self::Text(text) => text.into_owned().into(),
        })
    }
}
