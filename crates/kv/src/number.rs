//! Numbers as values: the decimal text of an `i64`, in its one shortest form.

use bytes::Bytes;

/// The number that a value is, if it is one.
pub(crate) fn read(value: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    // "007", "+7" and "-0" are texts that parse: were they numbers, adding 0 would change them.
    (number.to_string().as_bytes() == value).then_some(number)
}

/// The value that a number is.
pub(crate) fn write(number: i64) -> Bytes {
    number.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: two texts are one number, and a counter depends on the order of its adds.
    #[test]
    fn a_number_has_one_text() {
        for number in [0, 7, -7, i64::MIN, i64::MAX] {
            assert_eq!(read(&write(number)), Some(number));
        }
        for text in ["", "-", "007", "+7", "-0", " 7", "7.0", "9223372036854775808"] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
    }
}
