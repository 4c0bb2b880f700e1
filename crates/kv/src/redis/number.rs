//! Numbers in arguments and replies, read and written as Redis does.

use super::RedisError;
use bytes::Bytes;

/// A whole number in its one shortest form.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    crate::number::read(text)
}

/// The whole number that an argument must be.
pub(super) fn arg(text: &[u8]) -> Result<i64, RedisError> {
    integer(text).ok_or(RedisError::NotAnInteger)
}

/// The whole number that an argument must be; the least of all has no negative.
pub(super) fn arg_but_min(text: &[u8]) -> Result<i64, RedisError> {
    match arg(text)? {
        i64::MIN => {
            const TEXT: &str = "ERR value is out of range, value must between \
                -9223372036854775807 and 9223372036854775807";
            Err(RedisError::text(TEXT))
        }
        number => Ok(number),
    }
}

/// The count that an argument must be; otherwise the error has this text.
pub(super) fn count_or(text: &[u8], error: &'static str) -> Result<usize, RedisError> {
    let number = integer(text).and_then(|number| usize::try_from(number).ok());
    number.ok_or(RedisError::text(error))
}

/// The count that an argument must be.
pub(super) fn count(text: &[u8]) -> Result<usize, RedisError> {
    count_or(text, "ERR value is out of range, must be positive")
}

/// A number as C's `%.17g` writes it.
pub(super) fn double_text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let text = format!("{number:.16e}");
    let (digits, exponent) = text.split_once('e').expect("the form has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    let short = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..17).contains(&exponent) {
        return short(&format!("{number:.*}", (16 - exponent) as usize));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", short(digits), exponent.abs())
}

/// A floating-point number as an argument: no spaces, not NaN, within the range of `f64`.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: f64 = text.parse().ok()?;
    let has_digit =
        |digits: std::ops::RangeInclusive<char>| text.chars().any(|c| digits.contains(&c));
    // Over the range it would be infinite, under it 0.
    let is_infinity = !has_digit('0'..='9');
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = !mantissa.chars().any(|c| ('1'..='9').contains(&c));
    let is_in_range = (number.is_finite() || is_infinity) && (number != 0.0 || is_zero);
    (is_in_range && !number.is_nan()).then_some(number)
}

/// The text of a whole number.
pub(super) fn text(number: i64) -> Bytes {
    crate::number::write(number)
}
