//! `SCAN` and its like.
//!
//! A cursor is `0`, the beginning and the end, or `@` and the last key, field or member that was
//! looked at: what is there all the time is found, whatever comes and goes meanwhile, and the store
//! keeps nothing for it. Redis' clients expect numbers: a gateway puts
//! [`RedisCursors`](crate::redis::RedisCursors) between.

use super::super::glob::Glob;
use super::super::{Answer, Gather, Read, RedisError, RedisReply, number};
use super::keys::name_of_type;
use crate::collection::{Hash, Set, SortedSet};
use crate::limits::REDIS_SCANNED_MAX;
use bytes::Bytes;

/// Collections of so few items are answered whole, as Redis does with small ones.
const WHOLE_LEN_MAX: usize = 128;

struct Options {
    pattern: Option<Bytes>,
    count: usize,
    type_name: Option<String>,
}

impl Options {
    fn read(args: &[Bytes], has_type: bool) -> Result<Self, RedisError> {
        let mut options = Self { pattern: None, count: 10, type_name: None };
        for option in args.chunks(2) {
            let [name, value] = option else { return Err(RedisError::Syntax) };
            match &name.to_ascii_uppercase()[..] {
                b"COUNT" => {
                    let count = usize::try_from(number::arg(value)?);
                    options.count = match count {
                        Ok(0) | Err(_) => return Err(RedisError::Syntax),
                        Ok(count) => count.min(REDIS_SCANNED_MAX),
                    };
                }
                b"MATCH" => options.pattern = Some(value.clone()).filter(|it| it[..] != b"*"[..]),
                b"TYPE" if has_type => {
                    let name = String::from_utf8_lossy(value).to_ascii_lowercase();
                    options.type_name = Some(name);
                }
                _ => return Err(RedisError::Syntax),
            }
        }
        Ok(options)
    }

    fn matches(&self, text: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| Glob::new(pattern).matches(text))
    }
}

/// Where a scan goes on.
enum Cursor<'a> {
    Start,
    After(&'a [u8]),
    /// A number that no reply had, or that a gateway has forgotten.
    Unknown,
}

const INVALID: RedisError = RedisError::text("ERR invalid cursor");

impl<'a> Cursor<'a> {
    fn read(cursor: &'a [u8]) -> Result<Self, RedisError> {
        match cursor {
            b"0" | b"" => Ok(Self::Start),
            [b'@', last @ ..] => Ok(Self::After(last)),
            [b'-' | b'+', digits @ ..] | digits => match digits.iter().all(u8::is_ascii_digit) {
                true => Ok(Self::Unknown),
                false => Err(INVALID),
            },
        }
    }

    /// After what it goes on; `None` from the beginning.
    fn after(self) -> Result<Option<&'a [u8]>, RedisError> {
        match self {
            Self::Start => Ok(None),
            Self::After(last) => Ok(Some(last)),
            Self::Unknown => Err(INVALID),
        }
    }

    /// The same in a collection of so many items: what is answered whole has only a beginning.
    fn after_in(self, len: usize) -> Result<Option<&'a [u8]>, RedisError> {
        if len <= WHOLE_LEN_MAX { Ok(None) } else { self.after() }
    }
}

/// Looks at items until it has seen enough, and answers with the cursor for the rest.
fn scan<'a, T>(
    items: impl Iterator<Item = (&'a [u8], T)>,
    count: usize,
    mut found: impl FnMut(&mut Gather, &'a [u8], T) -> Result<bool, RedisError>,
) -> Answer {
    let mut gather = Gather::default();
    let mut items = items.peekable();
    let mut last = None;
    for _ in 0..count {
        let Some((key, item)) = items.next() else { break };
        // What has no room comes first the next time.
        if !found(&mut gather, key, item)? {
            let cursor = cursor_after(last)?;
            return Ok(reply(cursor, gather));
        }
        last = Some(key);
    }
    let cursor = match items.peek() {
        None => Bytes::from_static(b"0"),
        Some(_) => cursor_after(last)?,
    };
    Ok(reply(cursor, gather))
}

fn cursor_after(last: Option<&[u8]>) -> Result<Bytes, RedisError> {
    // The first alone is too long.
    let last = last.ok_or(RedisError::ReplyTooLong)?;
    Ok([b"@", last].concat().into())
}

fn reply(cursor: Bytes, gather: Gather) -> RedisReply {
    RedisReply::Array(vec![RedisReply::Bulk(cursor), RedisReply::Array(gather.replies)])
}

fn nothing() -> RedisReply {
    reply(Bytes::from_static(b"0"), Gather::default())
}

pub(crate) fn keys(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let cursor = Cursor::read(&args[1])?;
    let options = Options::read(&args[2..], true)?;
    let items = read.keys.after(cursor.after()?).map(|key| (key, ()));
    scan(items, options.count, |gather, key, ()| {
        let wanted = options.type_name.as_deref();
        let is_type = wanted.is_none_or(|wanted| name_of_type(read, key) == Some(wanted));
        found(gather, is_type && options.matches(key), key, None)
    })
}

/// Adds what is found, unless there is no room: whether there was.
fn found(
    gather: &mut Gather,
    is_wanted: bool,
    text: &[u8],
    beside: Option<&[u8]>,
) -> Result<bool, RedisError> {
    if !is_wanted {
        return Ok(true);
    }
    // Half of the room is the cursor's, which may be as long as an item.
    let len = text.len() + beside.map_or(0, <[u8]>::len) + Gather::AROUND;
    if gather.is_full(2 * len + text.len()) && !gather.replies.is_empty() {
        return Ok(false);
    }
    gather.bulk(text)?;
    if let Some(beside) = beside {
        gather.bulk(beside)?;
    }
    Ok(true)
}

fn count_for(len: usize, count: usize) -> usize {
    if len <= WHOLE_LEN_MAX { WHOLE_LEN_MAX } else { count }
}

pub(crate) fn hash(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let cursor = Cursor::read(&args[2])?;
    let Some(hash) = read.typed::<Hash>(&args[1])? else { return Ok(nothing()) };
    let options = Options::read(&args[3..], false)?;
    let items =
        hash.after(cursor.after_in(hash.len())?).map(|(field, value)| (&field[..], &value[..]));
    scan(items, count_for(hash.len(), options.count), |gather, field, value| {
        found(gather, options.matches(field), field, Some(value))
    })
}

pub(crate) fn set(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let cursor = Cursor::read(&args[2])?;
    let Some(set) = read.typed::<Set>(&args[1])? else { return Ok(nothing()) };
    let options = Options::read(&args[3..], false)?;
    let items = set.after(cursor.after_in(set.len())?).map(|member| (&member[..], ()));
    scan(items, count_for(set.len(), options.count), |gather, member, ()| {
        found(gather, options.matches(member), member, None)
    })
}

pub(crate) fn sorted(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let cursor = Cursor::read(&args[2])?;
    let Some(sorted) = read.typed::<SortedSet>(&args[1])? else { return Ok(nothing()) };
    let options = Options::read(&args[3..], false)?;
    let items =
        sorted.after(cursor.after_in(sorted.len())?).map(|(member, score)| (&member[..], score));
    scan(items, count_for(sorted.len(), options.count), |gather, member, score| {
        let score = score_text(score.value());
        found(gather, options.matches(member), member, Some(score.as_bytes()))
    })
}

/// As Redis tells the scores of small sorted sets here: whole ones without an exponent.
fn score_text(score: f64) -> String {
    const WHOLE_MAX: f64 = (i64::MAX / 2) as f64;
    match score.fract() == 0.0 && score.abs() <= WHOLE_MAX {
        true => (score as i64).to_string(),
        false => RedisReply::double_text(score),
    }
}
