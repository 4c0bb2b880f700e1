//! Inline commands: words with quotes, as somebody types them.

use super::{ProtocolError, Request};
use bytes::Bytes;

/// The words of a line: separated by spaces, or in double quotes with escapes (`\n`, `\x41`, ..), or in
/// single quotes, where only `\'` is one. A NUL ends the line, as it does for Redis.
pub(super) fn split(line: &[u8]) -> Result<Request, ProtocolError> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut words = Vec::new();
    loop {
        let spaces = rest.iter().take_while(|byte| is_space(**byte)).count();
        rest = &rest[spaces..];
        if rest.is_empty() {
            return Ok(words);
        }
        let (word, after) = word(rest)?;
        words.push(Bytes::from(word));
        rest = after;
    }
}

/// The first word, and what comes after it.
fn word(line: &[u8]) -> Result<(Vec<u8>, &[u8]), ProtocolError> {
    let mut word = Vec::new();
    let mut rest = line;
    loop {
        match rest {
            [] | [b' ' | b'\t' | b'\r' | b'\n', ..] => return Ok((word, rest)),
            // A quote may begin within a word: a"b c" is one.
            [b'"', after @ ..] => return quoted(word, after, b'"'),
            [b'\'', after @ ..] => return quoted(word, after, b'\''),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Up to the closing quote, which has to end the word.
fn quoted(mut word: Vec<u8>, line: &[u8], quote: u8) -> Result<(Vec<u8>, &[u8]), ProtocolError> {
    let mut rest = line;
    loop {
        rest = match rest {
            [] => return Err(ProtocolError::Quotes),
            [byte, after @ ..] if *byte == quote => {
                return match after.first() {
                    Some(byte) if !is_space(*byte) => Err(ProtocolError::Quotes),
                    _ => Ok((word, after)),
                };
            }
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex(*high) << 4 | hex(*low));
                after
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [b'\\', b'\'', after @ ..] if quote == b'\'' => {
                word.push(b'\'');
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        }
    }
}

/// As C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
