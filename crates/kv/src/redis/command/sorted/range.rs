//! `ZRANGE` and its older forms.

use super::super::super::{Answer, Gather, Read, RedisError, RedisReply, number};
use super::super::lists::span;
use super::bounds::{LexRange, ScoreRange};
use crate::collection::{Blob, Score, SortedSet};
use bytes::Bytes;

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a command's name says; `None` is left to its options.
struct Form {
    by: Option<By>,
    is_reversed: Option<bool>,
}

pub(crate) fn zrange(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: None, is_reversed: None })
}

pub(crate) fn zrevrange(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: Some(By::Rank), is_reversed: Some(true) })
}

pub(crate) fn zrangebyscore(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: Some(By::Score), is_reversed: Some(false) })
}

pub(crate) fn zrevrangebyscore(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: Some(By::Score), is_reversed: Some(true) })
}

pub(crate) fn zrangebylex(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: Some(By::Lex), is_reversed: Some(false) })
}

pub(crate) fn zrevrangebylex(read: &Read<'_>, args: &[Bytes]) -> Answer {
    range(read, args, &Form { by: Some(By::Lex), is_reversed: Some(true) })
}

struct Options {
    by: By,
    is_reversed: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: all.
    limit: i64,
}

impl Options {
    fn read(args: &[Bytes], form: &Form) -> Result<Self, RedisError> {
        let (mut by, mut is_reversed) = (form.by, form.is_reversed);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut args = args.iter();
        while let Some(option) = args.next() {
            match &option.to_ascii_uppercase()[..] {
                b"WITHSCORES" => with_scores = true,
                b"LIMIT" if args.len() >= 2 => {
                    let mut next = || number::arg(args.next().expect("there are two"));
                    (offset, limit) = (next()?, next()?);
                }
                b"REV" if is_reversed.is_none() => is_reversed = Some(true),
                b"BYSCORE" if by.is_none() => by = Some(By::Score),
                b"BYLEX" if by.is_none() => by = Some(By::Lex),
                _ => return Err(RedisError::Syntax),
            }
        }
        let by = by.unwrap_or(By::Rank);
        if limit != -1 && by == By::Rank {
            const TEXT: &str = "ERR syntax error, LIMIT is only supported in combination with \
                either BYSCORE or BYLEX";
            return Err(RedisError::text(TEXT));
        }
        if with_scores && by == By::Lex {
            const TEXT: &str =
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
            return Err(RedisError::text(TEXT));
        }
        let is_reversed = is_reversed.unwrap_or(false);
        Ok(Self { by, is_reversed, with_scores, offset, limit })
    }

    fn answer<'a>(&self, found: impl Iterator<Item = (&'a Blob, Score)>) -> Answer {
        let mut gather = Gather::default();
        for (member, score) in found {
            gather.bulk(member)?;
            if self.with_scores {
                gather.small(RedisReply::Double(score.value()))?;
            }
        }
        Ok(match self.with_scores {
            false => RedisReply::Array(gather.replies),
            true => RedisReply::Pairs(gather.into_pairs()),
        })
    }

    fn answer_limited<'a>(&self, found: impl Iterator<Item = (&'a Blob, Score)>) -> Answer {
        // A negative offset skips all there is, as in Redis.
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        self.answer(found.skip(offset).take(limit))
    }
}

fn range(read: &Read<'_>, args: &[Bytes], form: &Form) -> Answer {
    let options = Options::read(&args[4..], form)?;
    let key = &args[1];
    let (min, max) = match options.is_reversed && options.by != By::Rank {
        false => (&args[2], &args[3]),
        true => (&args[3], &args[2]),
    };
    let nothing = SortedSet::default();
    let sorted = || Ok(read.typed::<SortedSet>(key)?.unwrap_or(&nothing));
    match (options.by, options.is_reversed) {
        (By::Rank, is_reversed) => {
            let (start, end) = (number::arg(min)?, number::arg(max)?);
            let sorted = sorted()?;
            let span = span(start, end, sorted.len());
            match is_reversed {
                false => options.answer(sorted.iter().skip(span.start).take(span.len())),
                true => options.answer(sorted.iter().rev().skip(span.start).take(span.len())),
            }
        }
        (By::Score, is_reversed) => {
            let range = ScoreRange::read(min, max)?;
            match is_reversed {
                false => options.answer_limited(range.of(sorted()?)),
                true => options.answer_limited(range.of_reversed(sorted()?)),
            }
        }
        (By::Lex, is_reversed) => {
            let range = LexRange::read(min, max)?;
            match is_reversed {
                false => options.answer_limited(range.of(sorted()?)),
                true => options.answer_limited(range.of_reversed(sorted()?)),
            }
        }
    }
}
