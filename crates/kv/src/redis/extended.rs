//! Arithmetic of `INCRBYFLOAT` and `HINCRBYFLOAT`, which Redis does in C's `long double`: the 80-bit
//! floating-point numbers of x87, with a mantissa of 64 bits. `f64` would answer 0.1 + 0.2 otherwise.

use super::RedisError;
use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{One, Signed, Zero};

/// The text of the sum of two texts; `None` counts as 0.
pub(super) fn sum(
    before: Option<&[u8]>,
    before_invalid: RedisError,
    by: &[u8],
) -> Result<String, RedisError> {
    let before = match before {
        None => Extended::Finite(Dyadic::default()),
        Some(text) => Extended::read(text).ok_or(before_invalid)?,
    };
    let by = Extended::read(by).ok_or(RedisError::NotAFloat)?;
    let infinite = RedisError::text("ERR increment would produce NaN or Infinity");
    let (Extended::Finite(before), Extended::Finite(by)) = (before, by) else {
        return Err(infinite);
    };
    before.plus(&by).ok_or(infinite).map(|sum| sum.text())
}

/// Whether a number can be added to a field.
pub(super) fn check_finite(by: &[u8]) -> Result<(), RedisError> {
    match Extended::read(by).ok_or(RedisError::NotAFloat)? {
        Extended::Finite(_) => Ok(()),
        Extended::Infinite => Err(RedisError::text("ERR value is NaN or Infinity")),
    }
}

enum Extended {
    Finite(Dyadic),
    Infinite,
}

/// `mantissa * 2^exponent`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Dyadic {
    mantissa: BigInt,
    exponent: i64,
}

/// Bits of a mantissa.
const PRECISION: u64 = 64;

/// Of the lowest bit: that of a denormal number.
const EXPONENT_MIN: i64 = -16445;

/// Of the highest bit.
const EXPONENT_MAX: i64 = 16383;

/// Bytes of a text that Redis reads as a number.
const TEXT_LEN_MAX: usize = 5 * 1024;

/// A decimal exponent beyond this one, either way, is beyond every number with so few digits.
const DECIMAL_EXPONENT_MAX: i64 = 20_000;

/// Decimals of a text.
const DECIMALS: u32 = 17;

impl Extended {
    /// As C's `strtold`; `None` where the text is no number or out of range.
    fn read(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_LEN_MAX {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let is_negative = text.starts_with('-');
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        if text.eq_ignore_ascii_case("inf") || text.eq_ignore_ascii_case("infinity") {
            return Some(Self::Infinite);
        }
        let magnitude = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(text) => hexadecimal(text)?,
            None => decimal(text)?,
        };
        Some(Self::Finite(if is_negative { magnitude.negative() } else { magnitude }))
    }
}

fn decimal(text: &str) -> Option<Dyadic> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((digits, exponent)) => (digits, decimal_exponent(exponent)?),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = BigUint::parse_bytes(digits.as_bytes(), 10)?;
    if digits.is_zero() {
        return Some(Dyadic::default());
    }
    let exponent = exponent - fraction.len() as i64;
    if exponent.abs() > DECIMAL_EXPONENT_MAX {
        return None;
    }
    let power = BigUint::from(10u32).pow(exponent.unsigned_abs() as u32);
    let magnitude = match exponent {
        0.. => round(digits * power, BigUint::one(), 0),
        _ => round(digits, power, 0),
    }?;
    // Under the range.
    (!magnitude.mantissa.is_zero()).then_some(magnitude)
}

/// What follows `0x`.
fn hexadecimal(text: &str) -> Option<Dyadic> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        None => (text, 0),
        Some((digits, exponent)) => (digits, decimal_exponent(exponent)?),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = BigUint::parse_bytes(digits.as_bytes(), 16)?;
    let magnitude = round(digits.clone(), BigUint::one(), exponent - 4 * fraction.len() as i64)?;
    (magnitude.mantissa.is_zero() == digits.is_zero()).then_some(magnitude)
}

/// As far as it can matter.
fn decimal_exponent(text: &str) -> Option<i64> {
    const MAX: i64 = 10 * DECIMAL_EXPONENT_MAX;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What does not fit into an `i64` is large.
    let size = digits.parse().map_or(MAX, |size: i64| size.min(MAX));
    Some(if text.starts_with('-') { -size } else { size })
}

/// `numerator / denominator * 2^exponent` to the nearest number, to the even one of two as near; `None`
/// where it is over the range.
fn round(numerator: BigUint, denominator: BigUint, exponent: i64) -> Option<Dyadic> {
    if numerator.is_zero() {
        return Some(Dyadic::default());
    }
    // A quotient with a bit or two more than a mantissa has: how far the numerator is shifted.
    let have = numerator.bits() as i64 - denominator.bits() as i64;
    let shift = PRECISION as i64 + 2 - have;
    // But no finer than a half of the finest bit.
    let shift = shift.min(exponent - EXPONENT_MIN + 2);
    let (numerator, denominator) = match shift {
        0.. => (numerator << shift.unsigned_abs(), denominator),
        _ => (numerator, denominator << shift.unsigned_abs()),
    };
    let quotient = &numerator / &denominator;
    let is_exact = (&quotient * &denominator) == numerator;
    let low = exponent - shift;
    let drop = (quotient.bits() as i64 - PRECISION as i64).max(EXPONENT_MIN - low).max(0);
    let mut mantissa = &quotient >> drop.unsigned_abs();
    let rest = &quotient - (&mantissa << drop.unsigned_abs());
    let half = if drop == 0 { BigUint::one() } else { BigUint::one() << (drop - 1).unsigned_abs() };
    let goes_up = drop > 0 && (rest > half || (rest == half && (!is_exact || mantissa.bit(0))));
    if goes_up {
        mantissa += 1u32;
    }
    let exponent = low + drop;
    let is_over = mantissa.bits() as i64 - 1 + exponent > EXPONENT_MAX;
    let mantissa = BigInt::from_biguint(Sign::Plus, mantissa);
    (!is_over).then_some(Dyadic { mantissa, exponent })
}

impl Dyadic {
    fn negative(self) -> Self {
        Self { mantissa: -self.mantissa, ..self }
    }

    /// Rounded; `None` where it is over the range.
    fn plus(&self, other: &Self) -> Option<Self> {
        let low = match (self.mantissa.is_zero(), other.mantissa.is_zero()) {
            (true, _) => other.exponent,
            (_, true) => self.exponent,
            _ => self.exponent.min(other.exponent),
        };
        let shifted = |number: &Self| match number.mantissa.is_zero() {
            true => BigInt::zero(),
            false => &number.mantissa << (number.exponent - low).unsigned_abs(),
        };
        let sum = shifted(self) + shifted(other);
        let magnitude = round(sum.magnitude().clone(), BigUint::one(), low)?;
        Some(if sum.is_negative() { magnitude.negative() } else { magnitude })
    }

    /// As C's `%.17Lf`, without zeros at its end.
    fn text(&self) -> String {
        let scaled = self.mantissa.magnitude() * BigUint::from(10u32).pow(DECIMALS);
        let digits = match self.exponent {
            0.. => scaled << self.exponent.unsigned_abs(),
            _ => {
                let drop = self.exponent.unsigned_abs();
                let mut digits = &scaled >> drop;
                let rest = scaled - (&digits << drop);
                let half = BigUint::one() << (drop - 1);
                if rest > half || (rest == half && digits.bit(0)) {
                    digits += 1u32;
                }
                digits
            }
        };
        let digits = format!("{:0>1$}", digits.to_string(), DECIMALS as usize + 1);
        let (whole, decimals) = digits.split_at(digits.len() - DECIMALS as usize);
        let decimals = decimals.trim_end_matches('0');
        let sign = if self.mantissa.is_negative() { "-" } else { "" };
        match decimals {
            // A number so small that nothing of it is left keeps its sign in C, and Redis drops it.
            "" if whole == "0" => "0".into(),
            "" => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{decimals}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(before: &str, by: &str) -> Result<String, RedisError> {
        sum(Some(before.as_bytes()), RedisError::NotAFloat, by.as_bytes())
    }

    /// Broken: a sum is that of `f64`, or is rounded twice, and clients read other digits than from
    /// Redis.
    #[test]
    fn sums_are_those_of_80_bits() {
        for (before, by, expected) in [
            ("0.1", "0.2", "0.3"),
            ("3.0", "1.1e2", "113"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "-0", "0"),
            ("1", "-1", "0"),
            // One in the last of 64 bits, and one too small for it.
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("0.00000000000000001", "0", "0.00000000000000001"),
            ("0.000000000000000004", "0", "0"),
            ("-0.5", "0.25", "-0.25"),
            ("0x7", "0X.8p1", "8"),
        ] {
            assert_eq!(add(before, by).as_deref(), Ok(expected), "{before} + {by}");
        }
        assert_eq!(add("1e4932", "0").map(|text| text.len()), Ok(4933));
    }

    /// Broken: what is no number, or beyond all, becomes a value.
    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "x", ".", "1e", "1 ", " 1", "nan", "0x", "1e4933", "1e-5000", "--1", "+"] {
            assert_eq!(add("1", text), Err(RedisError::NotAFloat), "{text:?}");
        }
        let infinite = RedisError::text("ERR increment would produce NaN or Infinity");
        assert_eq!(add("1", "inf"), Err(infinite.clone()));
        assert_eq!(add("1.1e4932", "1.1e4932"), Err(infinite));
    }
}
