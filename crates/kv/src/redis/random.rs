//! Choices that look random, and are the same on every replica.

use super::{Gather, Read, RedisError};
use crate::limits::REPLY_LEN_MAX;

/// A sequence of numbers that follows from the stamp of a batch and from what a key holds.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(read: &Read<'_>, key: &[u8]) -> Self {
        let content = match key {
            b"" => read.keys.digest().value(),
            key => read.keys.version(key),
        };
        Self(crate::digest::hash(&content.to_le_bytes(), &read.stamp().to_le_bytes()))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers below this one, all about as likely; `None` where there is none.
    pub(super) fn below(&mut self, end: usize) -> Option<usize> {
        (end > 0).then(|| ((u128::from(self.next()) * end as u128) >> 64) as usize)
    }

    /// So many of the items, each at most once, in their order.
    pub(super) fn choose<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        len: usize,
        count: usize,
    ) -> Vec<T> {
        let mut chosen = Vec::new();
        for (item, left) in items.zip((1..=len).rev()) {
            if chosen.len() == count {
                break;
            }
            if self.below(left).is_some_and(|at| at < count - chosen.len()) {
                chosen.push(item);
            }
        }
        chosen
    }

    /// As Redis counts: so many different items, or, where the count is negative, as many as it is
    /// without its sign, of which some may be the same.
    pub(super) fn some<T: Copy>(
        &mut self,
        items: impl Iterator<Item = T>,
        len: usize,
        count: i64,
    ) -> Result<Vec<T>, RedisError> {
        let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count >= 0 {
            return Ok(self.choose(items, len, size.min(len)));
        }
        if size > REPLY_LEN_MAX / Gather::LEAST {
            return Err(RedisError::ReplyTooLong);
        }
        let items: Vec<T> = items.collect();
        Ok((0..size).filter_map(|_| self.below(len)).map(|at| items[at]).collect())
    }
}
