//! Long replies, bounded while they are made.

use super::{RedisError, RedisReply};
use crate::limits::REPLY_LEN_MAX;
use bytes::Bytes;

/// Replies that are to be parts of one, no longer together than one may be.
#[derive(Default)]
pub(super) struct Gather {
    pub(super) replies: Vec<RedisReply>,
    len: usize,
}

impl Gather {
    /// Bytes around the text of a bulk string in an encoded reply, at most.
    pub(super) const AROUND: usize = 16;

    /// Bytes of a bulk string in an encoded reply, at least.
    pub(super) const LEAST: usize = 4;

    pub(super) fn bulk(&mut self, text: &[u8]) -> Result<(), RedisError> {
        self.count(text.len())?;
        self.replies.push(RedisReply::Bulk(Bytes::copy_from_slice(text)));
        Ok(())
    }

    /// A reply whose bytes besides the usual are few.
    pub(super) fn small(&mut self, reply: RedisReply) -> Result<(), RedisError> {
        self.count(0)?;
        self.replies.push(reply);
        Ok(())
    }

    /// Whether the next text, of this length, has no room any more.
    pub(super) fn is_full(&self, len: usize) -> bool {
        self.len + len + Self::AROUND > REPLY_LEN_MAX
    }

    fn count(&mut self, len: usize) -> Result<(), RedisError> {
        if self.is_full(len) {
            return Err(RedisError::ReplyTooLong);
        }
        // What is around a text may be less than counted, and a reply is judged by its true length
        // in the end; here it must only not grow without bound.
        self.len += len + Self::LEAST;
        Ok(())
    }

    /// The replies two by two.
    pub(super) fn into_pairs(self) -> Vec<(RedisReply, RedisReply)> {
        let mut replies = self.replies.into_iter();
        std::iter::from_fn(|| Some((replies.next()?, replies.next()?))).collect()
    }
}
