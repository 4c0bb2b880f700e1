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

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: scores are told otherwise than C's `%.17g` tells them.
    #[test]
    fn scores_have_17_digits_without_zeros_at_their_end() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (-2.5, "-2.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double_text(number), text);
        }
    }

    /// Broken: a score is taken that Redis refuses, or becomes 0 or infinite unseen.
    #[test]
    fn scores_are_decimal_and_in_range() {
        for text in ["", "nan", "1e400", "1e-400", " 1", "1 ", "0x10", "1_0", "-"] {
            assert_eq!(double(text.as_bytes()), None, "{text:?}");
        }
        for (text, number) in
            [("+2", 2.0), (".5", 0.5), ("5.", 5.0), ("0e999", 0.0), ("5e-324", 5e-324)]
        {
            assert_eq!(double(text.as_bytes()), Some(number), "{text:?}");
        }
        assert_eq!(double(b"-Infinity"), Some(f64::NEG_INFINITY));
    }
}
