//! Sorted sets.

pub(crate) mod add;
pub(crate) mod bounds;
pub(crate) mod range;
pub(crate) mod remove;

use super::super::{Answer, Gather, Read, RedisReply};
use crate::collection::SortedSet;
use bounds::{LexRange, ScoreRange};
use bytes::Bytes;

pub(crate) fn zcard(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = read.typed::<SortedSet>(&args[1])?.map_or(0, SortedSet::len);
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn zscore(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let score = read.typed::<SortedSet>(&args[1])?.and_then(|sorted| sorted.score(&args[2]));
    Ok(score.map_or(RedisReply::Null, |score| RedisReply::Double(score.value())))
}

pub(crate) fn zmscore(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let sorted = read.typed::<SortedSet>(&args[1])?;
    let mut gather = Gather::default();
    for member in &args[2..] {
        let score = sorted.and_then(|sorted| sorted.score(member));
        let reply = score.map_or(RedisReply::Null, |score| RedisReply::Double(score.value()));
        gather.small(reply)?;
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn zcount(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let range = ScoreRange::read(&args[2], &args[3])?;
    let sorted = read.typed::<SortedSet>(&args[1])?;
    let count = sorted.map_or(0, |sorted| range.of(sorted).count());
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn zlexcount(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let range = LexRange::read(&args[2], &args[3])?;
    let sorted = read.typed::<SortedSet>(&args[1])?;
    let count = sorted.map_or(0, |sorted| range.of(sorted).count());
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn zrank(read: &Read<'_>, args: &[Bytes]) -> Answer {
    rank(read, args, false)
}

pub(crate) fn zrevrank(read: &Read<'_>, args: &[Bytes]) -> Answer {
    rank(read, args, true)
}

fn rank(read: &Read<'_>, args: &[Bytes], from_end: bool) -> Answer {
    let Some(sorted) = read.typed::<SortedSet>(&args[1])? else { return Ok(RedisReply::Null) };
    Ok(match sorted.score(&args[2]) {
        None => RedisReply::Null,
        Some(score) => {
            let above = sorted.after_score(Some((score, args[2][..].into()))).count();
            let rank = if from_end { above } else { sorted.len() - 1 - above };
            RedisReply::Integer(rank as i64)
        }
    })
}
