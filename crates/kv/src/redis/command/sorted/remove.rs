//! Commands that remove members.

use super::super::super::{Answer, Gather, RedisError, RedisReply, Write, number};
use super::super::lists::span;
use super::bounds::{LexRange, ScoreRange};
use crate::collection::{Blob, Score, SortedSet};
use bytes::Bytes;

pub(crate) fn zrem(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = write.change(&args[1], |sorted: &mut SortedSet| {
        args[2..].iter().filter(|member| sorted.remove(member)).count()
    })?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn zremrangebyrank(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let (start, end) = (number::arg(&args[2])?, number::arg(&args[3])?);
    remove(write, &args[1], |sorted| {
        let span = span(start, end, sorted.len());
        sorted.iter().skip(span.start).take(span.len()).map(member).collect()
    })
}

pub(crate) fn zremrangebyscore(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let range = ScoreRange::read(&args[2], &args[3])?;
    remove(write, &args[1], |sorted| range.of(sorted).map(member).collect())
}

pub(crate) fn zremrangebylex(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let range = LexRange::read(&args[2], &args[3])?;
    remove(write, &args[1], |sorted| range.of(sorted).map(member).collect())
}

fn member((member, _): (&Blob, Score)) -> Blob {
    member.clone()
}

fn remove(write: &mut Write<'_>, key: &[u8], find: impl FnOnce(&SortedSet) -> Vec<Blob>) -> Answer {
    let count = write.change(key, |sorted: &mut SortedSet| {
        let found = find(sorted);
        found.iter().filter(|member| sorted.remove(member)).count()
    })?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn zpopmin(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    pop(write, args, false)
}

pub(crate) fn zpopmax(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    pop(write, args, true)
}

fn pop(write: &mut Write<'_>, args: &[Bytes], from_end: bool) -> Answer {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(number::count(count)?),
        _ => return Err(RedisError::Syntax),
    };
    let read = write.read();
    let size = count.unwrap_or(1);
    let mut gather = Gather::default();
    let mut popped = Vec::new();
    if let Some(sorted) = read.typed::<SortedSet>(&args[1])? {
        let mut members = sorted.iter();
        while popped.len() < size
            && let Some((member, score)) =
                if from_end { members.next_back() } else { members.next() }
        {
            gather.bulk(member)?;
            gather.small(RedisReply::Double(score.value()))?;
            popped.push(member.clone());
        }
    }
    write.change(&args[1], |sorted: &mut SortedSet| {
        for member in &popped {
            sorted.remove(member);
        }
    })?;
    Ok(match count {
        Some(_) => RedisReply::Pairs(gather.into_pairs()),
        None => RedisReply::Array(gather.replies),
    })
}
