//! When a key ends, as arguments say it.

use super::{RedisError, number};

/// What an argument counts in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

impl Unit {
    pub(super) fn ms(self) -> i64 {
        match self {
            Self::Seconds => 1000,
            Self::Milliseconds => 1,
        }
    }
}

/// The end that an argument gives a string, counted from a time; it must be after 1970.
pub(super) fn end_ms(
    arg: &[u8],
    unit: Unit,
    from_ms: u64,
    command: &str,
) -> Result<u64, RedisError> {
    let invalid = || RedisError::invalid_expire(command);
    let count = number::arg(arg)?;
    if count <= 0 {
        return Err(invalid());
    }
    let from_ms = i64::try_from(from_ms).unwrap_or(i64::MAX);
    let end = count.checked_mul(unit.ms()).and_then(|ms| ms.checked_add(from_ms));
    end.map(i64::unsigned_abs).ok_or_else(invalid)
}
