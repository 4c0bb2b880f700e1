//! Hashes.

use super::super::random::Random;
use super::super::{Answer, Gather, Read, RedisError, RedisReply, Write, extended, number};
use crate::collection::{Blob, Hash};
use bytes::Bytes;

fn find<'a>(read: &Read<'a>, key: &[u8], field: &[u8]) -> Result<Option<&'a Blob>, RedisError> {
    Ok(read.typed::<Hash>(key)?.and_then(|hash| hash.get(field)))
}

fn set_all(write: &mut Write<'_>, args: &[Bytes], command: &str) -> Result<usize, RedisError> {
    if args.len() % 2 == 1 {
        return Err(RedisError::arity(command));
    }
    write.change(&args[1], |hash: &mut Hash| {
        args[2..].chunks_exact(2).filter(|pair| hash.set(&pair[0], &pair[1])).count()
    })
}

pub(crate) fn hset(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = set_all(write, args, "hset")?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn hmset(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_all(write, args, "hmset")?;
    Ok(RedisReply::Ok)
}

pub(crate) fn hsetnx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let is_new = find(&write.read(), &args[1], &args[2])?.is_none();
    if is_new {
        write.change(&args[1], |hash: &mut Hash| hash.set(&args[2], &args[3]))?;
    }
    Ok(RedisReply::Integer(i64::from(is_new)))
}

pub(crate) fn hget(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let value = find(read, &args[1], &args[2])?;
    Ok(value.map_or(RedisReply::Null, |value| RedisReply::Bulk(Bytes::copy_from_slice(value))))
}

pub(crate) fn hmget(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let hash = read.typed::<Hash>(&args[1])?;
    let mut gather = Gather::default();
    for field in &args[2..] {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => gather.bulk(value)?,
            None => gather.small(RedisReply::Null)?,
        }
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn hgetall(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let mut gather = Gather::default();
    for (field, value) in read.typed::<Hash>(&args[1])?.into_iter().flat_map(Hash::iter) {
        gather.bulk(field)?;
        gather.bulk(value)?;
    }
    Ok(RedisReply::Map(gather.into_pairs()))
}

pub(crate) fn hkeys(read: &Read<'_>, args: &[Bytes]) -> Answer {
    each(read, args, |(field, _)| field)
}

pub(crate) fn hvals(read: &Read<'_>, args: &[Bytes]) -> Answer {
    each(read, args, |(_, value)| value)
}

fn each<'a>(
    read: &Read<'a>,
    args: &[Bytes],
    part: impl Fn((&'a Blob, &'a Blob)) -> &'a Blob,
) -> Answer {
    let mut gather = Gather::default();
    for item in read.typed::<Hash>(&args[1])?.into_iter().flat_map(Hash::iter) {
        gather.bulk(part(item))?;
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn hdel(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = write.change(&args[1], |hash: &mut Hash| {
        args[2..].iter().filter(|field| hash.remove(field)).count()
    })?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn hexists(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let is_there = find(read, &args[1], &args[2])?.is_some();
    Ok(RedisReply::Integer(i64::from(is_there)))
}

pub(crate) fn hlen(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = read.typed::<Hash>(&args[1])?.map_or(0, Hash::len);
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn hstrlen(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = find(read, &args[1], &args[2])?.map_or(0, |value| value.len());
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn hincrby(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let by = number::arg(&args[3])?;
    let before = match find(&write.read(), &args[1], &args[2])? {
        None => 0,
        Some(value) => {
            let invalid = RedisError::text("ERR hash value is not an integer");
            number::integer(value).ok_or(invalid)?
        }
    };
    let sum = before.checked_add(by);
    let sum = sum.ok_or(RedisError::text("ERR increment or decrement would overflow"))?;
    write.change(&args[1], |hash: &mut Hash| hash.set(&args[2], &number::text(sum)))?;
    Ok(RedisReply::Integer(sum))
}

pub(crate) fn hincrbyfloat(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    extended::check_finite(&args[3])?;
    let before = find(&write.read(), &args[1], &args[2])?.cloned();
    let invalid = RedisError::text("ERR hash value is not a float");
    let sum = extended::sum(before.as_deref(), invalid, &args[3])?;
    write.change(&args[1], |hash: &mut Hash| hash.set(&args[2], sum.as_bytes()))?;
    Ok(RedisReply::Bulk(sum.into()))
}

/// Which fields follows from the stamp and from what the hash holds.
pub(crate) fn hrandfield(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let key = &args[1];
    let mut random = Random::new(read, key);
    if args.len() == 2 {
        let Some(hash) = read.typed::<Hash>(key)? else { return Ok(RedisReply::Null) };
        let at = random.below(hash.len()).expect("what is empty is no hash");
        let (field, _) = hash.iter().nth(at).expect("it is below their number");
        return Ok(RedisReply::Bulk(Bytes::copy_from_slice(field)));
    }
    let count = number::arg_but_min(&args[2])?;
    let has_values = match &args[3..] {
        [] => false,
        [option] if option.eq_ignore_ascii_case(b"WITHVALUES") => true,
        _ => return Err(RedisError::Syntax),
    };
    if has_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(RedisError::text("ERR value is out of range"));
    }
    let Some(hash) = read.typed::<Hash>(key)? else { return Ok(RedisReply::Array(vec![])) };
    let chosen = random.some(hash.iter(), hash.len(), count)?;
    let mut gather = Gather::default();
    for (field, value) in chosen {
        gather.bulk(field)?;
        if has_values {
            gather.bulk(value)?;
        }
    }
    Ok(match has_values {
        false => RedisReply::Array(gather.replies),
        true => RedisReply::Pairs(gather.into_pairs()),
    })
}
