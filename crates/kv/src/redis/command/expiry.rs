//! Commands on when keys end.

use super::super::{Answer, Read, RedisError, RedisReply, Write, expiry::Unit, number};
use bytes::Bytes;

pub(crate) fn expire(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_end(write, args, Unit::Seconds, false, "expire")
}

pub(crate) fn pexpire(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_end(write, args, Unit::Milliseconds, false, "pexpire")
}

pub(crate) fn expireat(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_end(write, args, Unit::Seconds, true, "expireat")
}

pub(crate) fn pexpireat(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    set_end(write, args, Unit::Milliseconds, true, "pexpireat")
}

fn set_end(
    write: &mut Write<'_>,
    args: &[Bytes],
    unit: Unit,
    is_absolute: bool,
    command: &str,
) -> Answer {
    let key = &args[1];
    let condition = Condition::read(&args[3..])?;
    let count = number::arg(&args[2])?;
    let from = match is_absolute {
        true => 0,
        false => i64::try_from(write.read().now(key)).unwrap_or(i64::MAX),
    };
    let end = count.checked_mul(unit.ms()).and_then(|ms| ms.checked_add(from));
    let end = end.ok_or_else(|| RedisError::invalid_expire(command))?;
    let Some(meta) = write.read().keys.meta(key) else { return Ok(RedisReply::Integer(0)) };
    let before = meta.end_ms.map(|end| i64::try_from(end).unwrap_or(i64::MAX));
    if !condition.allows(before, end) {
        return Ok(RedisReply::Integer(0));
    }
    match u64::try_from(end) {
        Ok(end) => drop(write.set_end(key, Some(end))),
        // Before 1970.
        Err(_) => drop(write.remove(key)),
    }
    Ok(RedisReply::Integer(1))
}

#[derive(Default)]
struct Condition {
    none_before: bool,
    some_before: bool,
    later: bool,
    earlier: bool,
}

impl Condition {
    fn read(args: &[Bytes]) -> Result<Self, RedisError> {
        let mut condition = Self::default();
        for arg in args {
            match &arg.to_ascii_uppercase()[..] {
                b"NX" => condition.none_before = true,
                b"XX" => condition.some_before = true,
                b"GT" => condition.later = true,
                b"LT" => condition.earlier = true,
                _ => return Err(RedisError::unsupported(arg)),
            }
        }
        let Self { none_before, some_before, later, earlier } = condition;
        if none_before && (some_before || later || earlier) {
            const TEXT: &str =
                "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(RedisError::text(TEXT));
        }
        if later && earlier {
            const TEXT: &str = "ERR GT and LT options at the same time are not compatible";
            return Err(RedisError::text(TEXT));
        }
        Ok(condition)
    }

    /// A key without an end ends later than any other.
    fn allows(&self, before: Option<i64>, end: i64) -> bool {
        !(self.none_before && before.is_some()
            || self.some_before && before.is_none()
            || self.later && before.is_none_or(|before| end <= before)
            || self.earlier && before.is_some_and(|before| end >= before))
    }
}

pub(crate) fn persist(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let meta = write.read().keys.meta(&args[1]);
    let has_end = meta.is_some_and(|meta| meta.end_ms.is_some());
    if has_end {
        write.set_end(&args[1], None);
    }
    Ok(RedisReply::Integer(i64::from(has_end)))
}

pub(crate) fn ttl(read: &Read<'_>, args: &[Bytes]) -> Answer {
    time(read, &args[1], |end, now| to_seconds(end.saturating_sub(now)))
}

pub(crate) fn pttl(read: &Read<'_>, args: &[Bytes]) -> Answer {
    time(read, &args[1], |end, now| end.saturating_sub(now))
}

pub(crate) fn expiretime(read: &Read<'_>, args: &[Bytes]) -> Answer {
    time(read, &args[1], |end, _| to_seconds(end))
}

pub(crate) fn pexpiretime(read: &Read<'_>, args: &[Bytes]) -> Answer {
    time(read, &args[1], |end, _| end)
}

fn to_seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

fn time(read: &Read<'_>, key: &[u8], answer: impl FnOnce(u64, u64) -> u64) -> Answer {
    Ok(RedisReply::Integer(match read.keys.meta(key) {
        None => -2,
        Some(meta) => match meta.end_ms {
            None => -1,
            Some(end) => i64::try_from(answer(end, read.now(key))).unwrap_or(i64::MAX),
        },
    }))
}
