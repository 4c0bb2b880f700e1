//! Strings: the store's own values.

use super::super::expiry::{self, Unit};
use super::super::{Answer, Read, RedisError, RedisReply, Write, extended, number};
use crate::collection::Blob;
use crate::limits::VALUE_LEN_MAX;
use bytes::Bytes;

/// Refuses a string that would be longer than a value may be.
fn check_len(len: usize) -> Result<(), RedisError> {
    match len {
        0..=VALUE_LEN_MAX => Ok(()),
        _ => {
            const TEXT: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
            Err(RedisError::text(TEXT))
        }
    }
}

fn value(read: &Read<'_>, key: &[u8]) -> Answer {
    let entry = read.text(key)?;
    Ok(entry.map_or(RedisReply::Null, |entry| RedisReply::Bulk(entry.value_shared())))
}

pub(crate) fn get(read: &Read<'_>, args: &[Bytes]) -> Answer {
    value(read, &args[1])
}

pub(crate) fn mget(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let mut room = crate::limits::REPLY_LEN_MAX;
    let value = |key: &Bytes| match read.keys.text(key) {
        None => Ok(RedisReply::Null),
        Some(entry) => {
            let rest = room.checked_sub(entry.value().len());
            room = rest.ok_or(RedisError::ReplyTooLong)?;
            Ok(RedisReply::Bulk(entry.value_shared()))
        }
    };
    args[1..].iter().map(value).collect::<Result<_, _>>().map(RedisReply::Array)
}

pub(crate) fn strlen(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = read.text(&args[1])?.map_or(0, |entry| entry.value().len());
    Ok(RedisReply::Integer(len as i64))
}

/// `GETRANGE` and `SUBSTR`.
pub(crate) fn getrange(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let (start, end) = (number::arg(&args[2])?, number::arg(&args[3])?);
    let Some(entry) = read.text(&args[1])? else { return Ok(RedisReply::Bulk(Bytes::new())) };
    let len = entry.value().len() as i64;
    // Redis' own exception: from the end, the wrong way round.
    let is_reversed = start < 0 && end < 0 && start > end;
    let from_end = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if is_reversed || start > end {
        return Ok(RedisReply::Bulk(Bytes::new()));
    }
    Ok(RedisReply::Bulk(entry.value_shared().slice(start as usize..=end as usize)))
}

#[derive(Default)]
struct SetOptions {
    is_new: bool,
    is_old: bool,
    get: bool,
    keep_end: bool,
    persist: bool,
    end: Option<(Unit, bool, Bytes)>,
}

impl SetOptions {
    fn read(args: &[Bytes], is_set: bool) -> Result<Self, RedisError> {
        let mut options = Self::default();
        let mut kind = None;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let option = arg.to_ascii_uppercase();
            let is_free = !options.keep_end && !options.persist;
            match &option[..] {
                b"NX" if is_set && !options.is_old => options.is_new = true,
                b"XX" if is_set && !options.is_new => options.is_old = true,
                b"GET" if is_set => options.get = true,
                b"KEEPTTL" if is_set && !options.persist && kind.is_none() => {
                    options.keep_end = true;
                }
                b"PERSIST" if !is_set && !options.keep_end && kind.is_none() => {
                    options.persist = true;
                }
                b"EX" | b"PX" | b"EXAT" | b"PXAT"
                    if is_free && kind.as_ref().is_none_or(|kind| *kind == option) =>
                {
                    let unit = if option[0] == b'E' { Unit::Seconds } else { Unit::Milliseconds };
                    let is_absolute = option.len() == 4;
                    let end = args.next().ok_or(RedisError::Syntax)?.clone();
                    options.end = Some((unit, is_absolute, end));
                    kind = Some(option);
                }
                _ => return Err(RedisError::Syntax),
            }
        }
        Ok(options)
    }

    fn end_ms(&self, now_ms: u64, command: &str) -> Result<Option<u64>, RedisError> {
        let Some((unit, is_absolute, end)) = &self.end else { return Ok(None) };
        let from = if *is_absolute { 0 } else { now_ms };
        expiry::end_ms(end, *unit, from, command).map(Some)
    }
}

pub(crate) fn set(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let key = &args[1];
    let options = SetOptions::read(&args[3..], true)?;
    let end_ms = options.end_ms(write.read().now(key), "set")?;
    let before = if options.get { value(&write.read(), key)? } else { RedisReply::Ok };
    let is_there = write.read().keys.contains(key);
    if (options.is_new && is_there) || (options.is_old && !is_there) {
        return Ok(if options.get { before } else { RedisReply::Null });
    }
    check_len(args[2].len())?;
    match options.keep_end {
        true => write.replace(key, &args[2]),
        false => write.set(key, &args[2], end_ms),
    }
    Ok(before)
}

pub(crate) fn setnx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let is_there = write.read().keys.contains(&args[1]);
    if !is_there {
        check_len(args[2].len())?;
        write.set(&args[1], &args[2], None);
    }
    Ok(RedisReply::Integer(i64::from(!is_there)))
}

pub(crate) fn setex(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_with_end(write, args, Unit::Seconds, "setex")
}

pub(crate) fn psetex(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_with_end(write, args, Unit::Milliseconds, "psetex")
}

fn set_with_end(write: &mut Write<'_>, args: &[Bytes], unit: Unit, command: &str) -> Answer {
    let end_ms = expiry::end_ms(&args[2], unit, write.read().now(&args[1]), command)?;
    check_len(args[3].len())?;
    write.set(&args[1], &args[3], Some(end_ms));
    Ok(RedisReply::Ok)
}

pub(crate) fn getdel(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let before = value(&write.read(), &args[1])?;
    write.remove(&args[1]);
    Ok(before)
}

pub(crate) fn getset(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let before = value(&write.read(), &args[1])?;
    check_len(args[2].len())?;
    write.set(&args[1], &args[2], None);
    Ok(before)
}

pub(crate) fn getex(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let key = &args[1];
    let options = SetOptions::read(&args[2..], false)?;
    let value = value(&write.read(), key)?;
    if value == RedisReply::Null {
        return Ok(value);
    }
    let end_ms = options.end_ms(write.read().now(key), "getex")?;
    let has_end = write.read().keys.meta(key).is_some_and(|meta| meta.end_ms.is_some());
    if end_ms.is_some() || (options.persist && has_end) {
        write.set_end(key, end_ms);
    }
    Ok(value)
}

pub(crate) fn append(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let read = write.read();
    let before = read.text(&args[1])?.map_or(&[][..], |entry| entry.value());
    check_len(before.len() + args[2].len())?;
    let value = [before, &args[2]].concat();
    write.replace(&args[1], &value);
    Ok(RedisReply::Integer(value.len() as i64))
}

pub(crate) fn setrange(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let (key, part) = (&args[1], &args[3]);
    let offset = number::arg(&args[2])?;
    let offset = usize::try_from(offset);
    let offset = offset.map_err(|_| RedisError::text("ERR offset is out of range"))?;
    let read = write.read();
    let before = read.text(key)?.map_or(&[][..], |entry| entry.value());
    if part.is_empty() {
        return Ok(RedisReply::Integer(before.len() as i64));
    }
    let end = offset.saturating_add(part.len());
    check_len(end)?;
    let mut value = before.to_vec();
    value.resize(value.len().max(end), 0);
    value[offset..end].copy_from_slice(part);
    write.replace(key, &value);
    Ok(RedisReply::Integer(value.len() as i64))
}

pub(crate) fn incr(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    add(write, &args[1], 1)
}

pub(crate) fn decr(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    add(write, &args[1], -1)
}

pub(crate) fn incrby(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let by = number::arg(&args[2])?;
    add(write, &args[1], by)
}

pub(crate) fn decrby(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let by = number::arg(&args[2])?.checked_neg();
    let by = by.ok_or(RedisError::text("ERR decrement would overflow"))?;
    add(write, &args[1], by)
}

fn add(write: &mut Write<'_>, key: &[u8], by: i64) -> Answer {
    let before = match write.read().text(key)? {
        None => 0,
        Some(entry) => number::arg(entry.value())?,
    };
    let sum = before.checked_add(by);
    let sum = sum.ok_or(RedisError::text("ERR increment or decrement would overflow"))?;
    write.replace(key, &number::text(sum));
    Ok(RedisReply::Integer(sum))
}

pub(crate) fn incrbyfloat(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let before = write.read().text(&args[1])?.map(|entry| Blob::from(entry.value()));
    let sum = extended::sum(before.as_deref(), RedisError::NotAFloat, &args[2])?;
    write.replace(&args[1], sum.as_bytes());
    Ok(RedisReply::Bulk(sum.into()))
}

pub(crate) fn mset(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    check_pairs(args, "mset")?;
    for pair in args[1..].chunks_exact(2) {
        write.set(&pair[0], &pair[1], None);
    }
    Ok(RedisReply::Ok)
}

pub(crate) fn msetnx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    check_pairs(args, "msetnx")?;
    let is_any = args[1..].chunks_exact(2).any(|pair| write.read().keys.contains(&pair[0]));
    if !is_any {
        mset(write, args)?;
    }
    Ok(RedisReply::Integer(i64::from(!is_any)))
}

fn check_pairs(args: &[Bytes], command: &str) -> Result<(), RedisError> {
    if args.len().is_multiple_of(2) {
        return Err(RedisError::arity(command));
    }
    args[2..].iter().step_by(2).try_for_each(|value| check_len(value.len()))
}
