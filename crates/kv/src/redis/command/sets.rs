//! Sets.

use super::super::random::Random;
use super::super::{Answer, Gather, Read, RedisError, RedisReply, Write, number};
use crate::collection::{Blob, Set};
use bytes::Bytes;

pub(crate) fn sadd(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = write.change(&args[1], |set: &mut Set| {
        args[2..].iter().filter(|member| set.insert(member)).count()
    })?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn srem(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = write.change(&args[1], |set: &mut Set| {
        args[2..].iter().filter(|member| set.remove(member)).count()
    })?;
    Ok(RedisReply::Integer(count as i64))
}

pub(crate) fn smembers(read: &Read<'_>, args: &[Bytes]) -> Answer {
    members(read.typed::<Set>(&args[1])?.into_iter().flat_map(Set::iter))
}

fn members<'a>(members: impl Iterator<Item = &'a Blob>) -> Answer {
    let mut gather = Gather::default();
    for member in members {
        gather.bulk(member)?;
    }
    Ok(RedisReply::Set(gather.replies))
}

pub(crate) fn sismember(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let is_member = read.typed::<Set>(&args[1])?.is_some_and(|set| set.contains(&args[2]));
    Ok(RedisReply::Integer(i64::from(is_member)))
}

pub(crate) fn smismember(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let set = read.typed::<Set>(&args[1])?;
    let mut gather = Gather::default();
    for member in &args[2..] {
        let is_member = set.is_some_and(|set| set.contains(member));
        gather.small(RedisReply::Integer(i64::from(is_member)))?;
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn scard(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = read.typed::<Set>(&args[1])?.map_or(0, Set::len);
    Ok(RedisReply::Integer(len as i64))
}

/// Which members follows from the stamp and from what the set holds.
pub(crate) fn spop(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let key = &args[1];
    let count = match &args[2..] {
        [] => None,
        [count] => Some(number::count(count)?),
        _ => return Err(RedisError::Syntax),
    };
    let read = write.read();
    let mut random = Random::new(&read, key);
    let Some(set) = read.typed::<Set>(key)? else {
        return Ok(if count.is_some() { RedisReply::Set(vec![]) } else { RedisReply::Null });
    };
    let size = count.unwrap_or(1).min(set.len());
    let popped: Vec<Blob> =
        random.choose(set.iter(), set.len(), size).into_iter().cloned().collect();
    let mut gather = Gather::default();
    for member in &popped {
        gather.bulk(member)?;
    }
    write.change(key, |set: &mut Set| {
        for member in &popped {
            set.remove(member);
        }
    })?;
    Ok(match count {
        Some(_) => RedisReply::Set(gather.replies),
        None => gather.replies.pop().unwrap_or(RedisReply::Null),
    })
}

/// Which members follows from the stamp and from what the set holds.
pub(crate) fn srandmember(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let key = &args[1];
    let count = match &args[2..] {
        [] => None,
        [count] => Some(number::arg_but_min(count)?),
        _ => return Err(RedisError::Syntax),
    };
    let mut random = Random::new(read, key);
    let Some(set) = read.typed::<Set>(key)? else {
        return Ok(if count.is_some() { RedisReply::Array(vec![]) } else { RedisReply::Null });
    };
    let mut gather = Gather::default();
    for member in random.some(set.iter(), set.len(), count.unwrap_or(1))? {
        gather.bulk(member)?;
    }
    Ok(match count {
        Some(_) => RedisReply::Array(gather.replies),
        None => gather.replies.pop().unwrap_or(RedisReply::Null),
    })
}

pub(crate) fn smove(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let (from, to, member) = (&args[1], &args[2], &args[3]);
    let read = write.read();
    let Some(set) = read.typed::<Set>(from)? else { return Ok(RedisReply::Integer(0)) };
    read.typed::<Set>(to)?;
    let is_member = set.contains(member);
    if is_member && from != to {
        write.change(from, |set: &mut Set| set.remove(member))?;
        write.change(to, |set: &mut Set| set.insert(member))?;
    }
    Ok(RedisReply::Integer(i64::from(is_member)))
}

#[derive(Clone, Copy)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// All keys must hold sets, whichever of them the result depends on.
fn sets<'a>(read: &Read<'a>, keys: &[Bytes]) -> Result<Vec<Option<&'a Set>>, RedisError> {
    keys.iter().map(|key| read.typed::<Set>(key)).collect()
}

/// The members of all of these sets.
fn common<'a>(sets: &[Option<&'a Set>]) -> impl Iterator<Item = &'a Blob> {
    let sets: Option<Vec<&Set>> = sets.iter().copied().collect();
    let mut sets = sets.unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| sets[1..].iter().all(|set| set.contains(member)))
}

fn combine(read: &Read<'_>, keys: &[Bytes], operation: Operation) -> Result<Set, RedisError> {
    let sets = sets(read, keys)?;
    let mut result = Set::default();
    match operation {
        Operation::Intersection => common(&sets).for_each(|member| {
            result.insert(member);
        }),
        Operation::Union => {
            // The largest is shared, and the others are put into it.
            let mut sets: Vec<&Set> = sets.into_iter().flatten().collect();
            sets.sort_by_key(|set| set.len());
            result = sets.pop().cloned().unwrap_or_default();
            for member in sets.into_iter().flat_map(Set::iter) {
                result.insert(member);
            }
        }
        Operation::Difference => {
            let others: Vec<&Set> = sets[1..].iter().copied().flatten().collect();
            for member in sets[0].into_iter().flat_map(Set::iter) {
                if !others.iter().any(|other| other.contains(member)) {
                    result.insert(member);
                }
            }
        }
    }
    Ok(result)
}

pub(crate) fn sinter(read: &Read<'_>, args: &[Bytes]) -> Answer {
    members(combine(read, &args[1..], Operation::Intersection)?.iter())
}

pub(crate) fn sunion(read: &Read<'_>, args: &[Bytes]) -> Answer {
    members(combine(read, &args[1..], Operation::Union)?.iter())
}

pub(crate) fn sdiff(read: &Read<'_>, args: &[Bytes]) -> Answer {
    members(combine(read, &args[1..], Operation::Difference)?.iter())
}

pub(crate) fn sinterstore(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    store(write, args, Operation::Intersection)
}

pub(crate) fn sunionstore(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    store(write, args, Operation::Union)
}

pub(crate) fn sdiffstore(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    store(write, args, Operation::Difference)
}

fn store(write: &mut Write<'_>, args: &[Bytes], operation: Operation) -> Answer {
    let result = combine(&write.read(), &args[2..], operation)?;
    let len = result.len();
    write.put(&args[1], result, None);
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn sintercard(read: &Read<'_>, args: &[Bytes]) -> Answer {
    const KEYS: &str = "ERR numkeys should be greater than 0";
    let count = match number::count_or(&args[1], KEYS)? {
        0 => return Err(RedisError::text(KEYS)),
        count if count > args.len() - 2 => {
            let text = "ERR Number of keys can't be greater than number of args";
            return Err(RedisError::text(text));
        }
        count => count,
    };
    let (keys, options) = args[2..].split_at(count);
    let mut limit = 0;
    for option in options.chunks(2) {
        match option {
            [name, value] if name.eq_ignore_ascii_case(b"LIMIT") => {
                limit = number::count_or(value, "ERR LIMIT can't be negative")?;
            }
            _ => return Err(RedisError::Syntax),
        }
    }
    let sets = sets(read, keys)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(RedisReply::Integer(common(&sets).take(limit).count() as i64))
}
