//! Commands that set scores.

use super::super::super::{Answer, RedisError, RedisReply, Write, number};
use crate::collection::{Score, SortedSet};
use bytes::Bytes;

#[derive(Default)]
struct Options {
    is_new: bool,
    is_old: bool,
    counts_changes: bool,
    increments: bool,
    greater: bool,
    less: bool,
}

pub(crate) fn zadd(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    add(write, args, Options::default())
}

pub(crate) fn zincrby(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    add(write, args, Options { increments: true, ..Options::default() })
}

fn add(write: &mut Write<'_>, args: &[Bytes], mut options: Options) -> Answer {
    let mut rest = &args[2..];
    while let Some((option, more)) = rest.split_first() {
        match &option.to_ascii_uppercase()[..] {
            b"NX" => options.is_new = true,
            b"XX" => options.is_old = true,
            b"CH" => options.counts_changes = true,
            b"INCR" => options.increments = true,
            b"GT" => options.greater = true,
            b"LT" => options.less = true,
            _ => break,
        }
        rest = more;
    }
    options.check(rest)?;
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    for pair in rest.chunks_exact(2) {
        let score = number::double(&pair[0]).ok_or(RedisError::NotAFloat)?;
        pairs.push((score, &pair[1]));
    }
    let read = write.read();
    let before = read.typed::<SortedSet>(&args[1])?;
    if options.increments {
        let (by, member) = pairs[0];
        let before = before.and_then(|sorted| sorted.score(member));
        // An absent member gets what is added, and that is told even where it is -0.
        let sum = before.map_or(by, |before| before.value() + by);
        let nan = RedisError::text("ERR resulting score is not a number (NaN)");
        let score = Score::new(sum).ok_or(nan)?;
        if !options.allows(before, score) {
            return Ok(RedisReply::Null);
        }
        write.change(&args[1], |sorted: &mut SortedSet| set(sorted, member, before, score))?;
        return Ok(RedisReply::Double(sum));
    }
    let (mut added, mut changed) = (0, 0);
    write.change(&args[1], |sorted: &mut SortedSet| {
        for (score, member) in pairs {
            let score = Score::new(score).expect("what was read is no NaN");
            let before = sorted.score(member);
            if !options.allows(before, score) {
                continue;
            }
            added += i64::from(before.is_none());
            changed += i64::from(set(sorted, member, before, score));
        }
    })?;
    Ok(RedisReply::Integer(if options.counts_changes { changed } else { added }))
}

/// Whether that is a change.
fn set(sorted: &mut SortedSet, member: &[u8], before: Option<Score>, score: Score) -> bool {
    let is_change = before != Some(score);
    if is_change {
        sorted.set(member, score);
    }
    is_change
}

impl Options {
    fn check(&self, rest: &[Bytes]) -> Result<(), RedisError> {
        if rest.is_empty() || rest.len() % 2 == 1 {
            return Err(RedisError::Syntax);
        }
        let Self { is_new, is_old, greater, less, .. } = *self;
        if is_new && is_old {
            const TEXT: &str = "ERR XX and NX options at the same time are not compatible";
            return Err(RedisError::text(TEXT));
        }
        if greater && is_new || less && is_new || greater && less {
            const TEXT: &str = "ERR GT, LT, and/or NX options at the same time are not compatible";
            return Err(RedisError::text(TEXT));
        }
        if self.increments && rest.len() > 2 {
            const TEXT: &str = "ERR INCR option supports a single increment-element pair";
            return Err(RedisError::text(TEXT));
        }
        Ok(())
    }

    fn allows(&self, before: Option<Score>, score: Score) -> bool {
        match before {
            None => !self.is_old,
            Some(before) => {
                !self.is_new
                    && !(self.greater && score <= before)
                    && !(self.less && score >= before)
            }
        }
    }
}
