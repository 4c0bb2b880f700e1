//! Commands on keys of any type.

use super::super::{Answer, Read, RedisReply, Write, number};
use bytes::Bytes;

pub(crate) fn del(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = args[1..].iter().filter(|key| write.remove(key)).count();
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn exists(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let count = args[1..].iter().filter(|key| read.keys.contains(key)).count();
    Ok(RedisReply::Integer(count as i64))
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

/// `ALTHING.DUE count`: keys that are due, at most so many, and at most what a purge may have.
pub(crate) fn althing_due(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let count = number::arg(&args[1])?.clamp(0, crate::limits::KEYS_MAX as i64) as usize;
    let keys = read.keys.due(read.stamp()).take(count);
    let mut room = crate::limits::REPLY_LEN_MAX / 2;
    let mut replies = Vec::new();
    for key in keys {
        let Some(rest) = room.checked_sub(key.len() + 16) else { break };
        room = rest;
        replies.push(RedisReply::Bulk(Bytes::copy_from_slice(key)));
    }
    Ok(RedisReply::Array(replies))
}
