//! Commands on keys of any type.

use super::super::glob::Glob;
use super::super::random::Random;
use super::super::{Answer, Gather, Read, RedisError, RedisReply, Write, number};
use crate::collection::Kind;
use crate::limits::{KEYS_MAX, REPLY_LEN_MAX};
use bytes::Bytes;

/// `DEL` and `UNLINK`.
pub(crate) fn del(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = args[1..].iter().filter(|key| write.remove(key)).count();
    Ok(RedisReply::Integer(count as i64))
}

/// `EXISTS` and `TOUCH`.
pub(crate) fn exists(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let count = args[1..].iter().filter(|key| read.keys.contains(key)).count();
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn type_of(read: &Read<'_>, args: &[Bytes]) -> Answer {
    Ok(RedisReply::Simple(name_of_type(read, &args[1]).unwrap_or("none").into()))
}

/// Redis' name of the type of what the key holds.
pub(crate) fn name_of_type(read: &Read<'_>, key: &[u8]) -> Option<&'static str> {
    if read.keys.text(key).is_some() {
        return Some("string");
    }
    Some(match read.keys.collection(key)?.body.kind() {
        Kind::Hash => "hash",
        Kind::Set => "set",
        Kind::List => "list",
        Kind::Sorted => "zset",
    })
}

pub(crate) fn rename(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    move_key(write, &args[1], &args[2], true)?;
    Ok(RedisReply::Ok)
}

pub(crate) fn renamenx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let is_moved = move_key(write, &args[1], &args[2], false)?;
    Ok(RedisReply::Integer(i64::from(is_moved)))
}

fn move_key(
    write: &mut Write<'_>,
    from: &[u8],
    to: &[u8],
    replaces: bool,
) -> Result<bool, RedisError> {
    if !write.read().keys.contains(from) {
        return Err(RedisError::NoSuchKey);
    }
    if from == to || (!replaces && write.read().keys.contains(to)) {
        return Ok(false);
    }
    write.copy(from, to);
    write.remove(from);
    Ok(true)
}

pub(crate) fn copy(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let mut replaces = false;
    let mut options = args[3..].iter();
    while let Some(option) = options.next() {
        match &option.to_ascii_uppercase()[..] {
            b"REPLACE" => replaces = true,
            b"DB" => {
                let db = number::arg(options.next().ok_or(RedisError::Syntax)?)?;
                if db != 0 {
                    return Err(RedisError::text("ERR DB index is out of range"));
                }
            }
            _ => return Err(RedisError::Syntax),
        }
    }
    let (from, to) = (&args[1], &args[2]);
    if from == to {
        return Err(RedisError::text("ERR source and destination objects are the same"));
    }
    let keys = write.read().keys;
    if !keys.contains(from) || (keys.contains(to) && !replaces) {
        return Ok(RedisReply::Integer(0));
    }
    write.copy(from, to);
    Ok(RedisReply::Integer(1))
}

pub(crate) fn keys(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let glob = Glob::new(&args[1]);
    let mut gather = Gather::default();
    for key in read.keys.after(None).filter(|key| glob.matches(key)) {
        gather.bulk(key)?;
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn dbsize(read: &Read<'_>, _args: &[Bytes]) -> Answer {
    Ok(RedisReply::Integer(read.keys.len() as i64))
}

/// Which one follows from the stamp and the state.
pub(crate) fn randomkey(read: &Read<'_>, _args: &[Bytes]) -> Answer {
    let mut random = Random::new(read, b"");
    let Some(at) = random.below(read.keys.len()) else { return Ok(RedisReply::Null) };
    let key = read.keys.after(None).nth(at).expect("it is below their number");
    Ok(RedisReply::Bulk(Bytes::copy_from_slice(key)))
}

/// `FLUSHALL` and `FLUSHDB`.
pub(crate) fn flush(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let is_known = |option: &Bytes| {
        option.eq_ignore_ascii_case(b"SYNC") || option.eq_ignore_ascii_case(b"ASYNC")
    };
    if args.len() > 2 || !args[1..].iter().all(is_known) {
        return Err(RedisError::Syntax);
    }
    write.clear();
    Ok(RedisReply::Ok)
}

/// `ALTHING.VERSION key...`: each key's version.
pub(crate) fn althing_version(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let version = |key: &Bytes| RedisReply::Integer(read.keys.version(key) as i64);
    Ok(RedisReply::Array(args[1..].iter().map(version).collect()))
}

/// `ALTHING.PURGE key...`: deletes those that are due, and answers how many were.
pub(crate) fn althing_purge(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    Ok(RedisReply::Integer(write.purge(args[1..].iter()) as i64))
}

/// `ALTHING.DUE count`: keys that are due, at most so many, and no more than one purge may have.
pub(crate) fn althing_due(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let count = number::arg(&args[1])?.clamp(0, KEYS_MAX as i64) as usize;
    let mut len = 0;
    let keys = read.keys.due(read.stamp()).take(count).take_while(|key| {
        len += key.len() + Gather::AROUND;
        len <= REPLY_LEN_MAX / 2
    });
    let keys = keys.map(|key: &[u8]| RedisReply::Bulk(Bytes::copy_from_slice(key)));
    Ok(RedisReply::Array(keys.collect()))
}
