//! Requests, read incrementally from bytes: arrays of bulk strings, and inline commands.
//!
//! ```
//! use althing_redis::RequestParser;
//!
//! let mut parser = RequestParser::default();
//! parser.feed(b"*2\r\n$3\r\nGET\r\n$4\r\nci");
//! assert_eq!(parser.next_request(), Ok(None));
//! parser.feed(b"ty\r\nPING\r\n");
//! assert_eq!(parser.next_request(), Ok(Some(vec!["GET".into(), "city".into()])));
//! assert_eq!(parser.next_request(), Ok(Some(vec!["PING".into()])));
//! ```
//!
//! It reads what Redis reads and refuses what Redis refuses, in the same words; where Redis looks only
//! at what happened to arrive together, for instance at a line that is too long, the answer here does
//! not depend on how the bytes were cut. There is no nesting, so nothing recurses. What has been read
//! once is not read again: a request that arrives byte by byte costs as much as one in a piece.

mod error;
mod inline;
#[cfg(test)]
mod tests;

pub use error::ProtocolError;

use crate::limits;
use bytes::{Buf, Bytes, BytesMut};

/// A request: the command's name and its arguments. Never empty.
pub type Request = Vec<Bytes>;

/// Reads the requests of one connection.
#[derive(Debug)]
pub struct RequestParser {
    buffer: BytesMut,
    state: State,
    is_stranger: bool,
}

#[derive(Debug)]
enum State {
    /// Before a request; so many bytes hold no end of a line.
    Begin { scanned: usize },
    /// Within an array.
    Array(Array),
    /// Nothing is read any more.
    Broken(ProtocolError),
}

/// An array that is not complete.
#[derive(Debug)]
struct Array {
    args: Request,
    /// Arguments that have not arrived.
    missing: usize,
    /// Bytes of the request so far, and those announced.
    len: usize,
    bulk: Bulk,
}

/// Where in a bulk string.
#[derive(Debug, Clone, Copy)]
enum Bulk {
    /// Before its length; so many bytes hold no end of a line.
    Length { scanned: usize },
    /// Before its content of this length.
    Content { len: usize },
}

/// What follows each content.
const CRLF_LEN: usize = 2;

impl Default for RequestParser {
    /// Of somebody who may say anything.
    fn default() -> Self {
        Self { buffer: BytesMut::new(), state: State::Begin { scanned: 0 }, is_stranger: false }
    }
}

impl RequestParser {
    /// Where to put the bytes that arrive: append them, and leave the others alone.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Appends bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether from now on only what a stranger may say is read: short requests, so that who has not
    /// given the password cannot take memory.
    pub fn set_stranger(&mut self, is_stranger: bool) {
        self.is_stranger = is_stranger;
    }

    /// Bytes that have arrived and are in no request yet.
    pub fn waiting_len(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that are held, about: those that wait, and those of a request that is not complete.
    pub fn held_len(&self) -> usize {
        match &self.state {
            State::Array(array) => self.buffer.len() + array.held_len(),
            State::Begin { .. } | State::Broken(_) => self.buffer.len(),
        }
    }

    /// Whether the bytes so far end amidst a request.
    pub fn is_mid_request(&self) -> bool {
        !self.buffer.is_empty() || matches!(self.state, State::Array(_))
    }

    /// The next request; none while it is not complete.
    ///
    /// # Errors
    /// [`ProtocolError`], and from then on always the same: answer it and close the connection.
    pub fn next_request(&mut self) -> Result<Option<Request>, ProtocolError> {
        loop {
            let step = match &mut self.state {
                State::Begin { scanned } => {
                    let begun = begin(&mut self.buffer, scanned, self.is_stranger);
                    begun.map(|begun| match begun {
                        Begun::NotYet => Step::NotYet,
                        Begun::Nothing => Step::Again,
                        Begun::Inline(args) => Step::Done(args),
                        Begun::Array { count, len } => {
                            self.state = State::Array(Array::new(count, len));
                            Step::Again
                        }
                    })
                }
                State::Array(array) => array.step(&mut self.buffer, self.is_stranger),
                State::Broken(error) => return Err(*error),
            };
            match step {
                Ok(Step::Again) => {}
                Ok(Step::NotYet) => return Ok(None),
                Ok(Step::Done(args)) => {
                    self.state = State::Begin { scanned: 0 };
                    return Ok(Some(args));
                }
                Err(error) => {
                    self.state = State::Broken(error);
                    self.buffer = BytesMut::new();
                }
            }
        }
    }
}

enum Step {
    NotYet,
    Again,
    Done(Request),
}

enum Begun {
    NotYet,
    /// An empty line or array, which Redis passes over.
    Nothing,
    Inline(Request),
    Array {
        count: usize,
        len: usize,
    },
}

/// Reads an inline command, or the head of an array.
fn begin(
    buffer: &mut BytesMut,
    scanned: &mut usize,
    is_stranger: bool,
) -> Result<Begun, ProtocolError> {
    match buffer.first() {
        None => Ok(Begun::NotYet),
        Some(b'*') => {
            let error = ProtocolError::CountTooLong;
            let Some((number, len)) = announced(buffer, scanned, error)? else {
                return Ok(Begun::NotYet);
            };
            let count = match number {
                Some(number) if number <= 0 => return Ok(Begun::Nothing),
                Some(number) => usize::try_from(number).unwrap_or(usize::MAX),
                None => return Err(ProtocolError::Count),
            };
            if count > limits::ARGS_MAX {
                return Err(ProtocolError::Count);
            }
            if is_stranger && count > limits::STRANGER_ARGS_MAX {
                return Err(ProtocolError::StrangerCount);
            }
            Ok(Begun::Array { count, len })
        }
        Some(_) => {
            let Some(end) = find(buffer, b'\n', scanned, ProtocolError::InlineTooLong)? else {
                return Ok(Begun::NotYet);
            };
            let mut line = buffer.split_to(end + 1);
            *scanned = 0;
            line.truncate(end);
            if line.last() == Some(&b'\r') {
                line.truncate(end - 1);
            }
            match inline::split(&line)? {
                args if args.is_empty() => Ok(Begun::Nothing),
                args => Ok(Begun::Inline(args)),
            }
        }
    }
}

impl Array {
    fn new(count: usize, len: usize) -> Self {
        Self { args: Vec::new(), missing: count, len, bulk: Bulk::Length { scanned: 0 } }
    }

    fn held_len(&self) -> usize {
        let arrived: usize = self.args.iter().map(Bytes::len).sum();
        arrived + self.args.capacity() * size_of::<Bytes>()
    }

    /// Reads a length, or a content.
    fn step(&mut self, buffer: &mut BytesMut, is_stranger: bool) -> Result<Step, ProtocolError> {
        match &mut self.bulk {
            Bulk::Length { scanned } => {
                // Said at once, however long the line may be.
                if let Some(found) = buffer.first().filter(|found| **found != b'$') {
                    return Err(ProtocolError::NoBulk { found: *found });
                }
                let error = ProtocolError::LengthTooLong;
                let Some((number, line_len)) = announced(buffer, scanned, error)? else {
                    return Ok(Step::NotYet);
                };
                let len = number.and_then(|number| usize::try_from(number).ok());
                let len = len.filter(|len| *len <= limits::BULK_LEN_MAX);
                let len = len.ok_or(ProtocolError::Length)?;
                if is_stranger && len > limits::STRANGER_BULK_LEN_MAX {
                    return Err(ProtocolError::StrangerLength);
                }
                self.len += line_len + len + CRLF_LEN;
                if self.len > limits::REQUEST_LEN_MAX {
                    return Err(ProtocolError::RequestTooLong);
                }
                self.bulk = Bulk::Content { len };
                Ok(Step::Again)
            }
            Bulk::Content { len } => {
                let len = *len;
                if buffer.len() < len + CRLF_LEN {
                    return Ok(Step::NotYet);
                }
                self.args.push(buffer.split_to(len).freeze());
                // As Redis, which does not look at what stands there.
                buffer.advance(CRLF_LEN);
                self.bulk = Bulk::Length { scanned: 0 };
                self.missing -= 1;
                match self.missing {
                    0 => Ok(Step::Done(std::mem::take(&mut self.args))),
                    _ => Ok(Step::Again),
                }
            }
        }
    }
}

/// Takes a line that announces a number: the number, if it is one, and the line's length.
fn announced(
    buffer: &mut BytesMut,
    scanned: &mut usize,
    too_long: ProtocolError,
) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
    let Some(end) = find(buffer, b'\r', scanned, too_long)? else { return Ok(None) };
    let len = end + CRLF_LEN;
    if buffer.len() < len {
        return Ok(None);
    }
    let number = number(&buffer[1..end]);
    buffer.advance(len);
    *scanned = 0;
    Ok(Some((number, len)))
}

/// Where the byte stands, looking only at what was not looked at.
fn find(
    buffer: &[u8],
    byte: u8,
    scanned: &mut usize,
    too_long: ProtocolError,
) -> Result<Option<usize>, ProtocolError> {
    let end = buffer.len().min(limits::LINE_LEN_MAX + 1);
    if let Some(found) = memchr::memchr(byte, &buffer[*scanned..end]) {
        // What was looked at stays so: for who has to wait for one byte more.
        *scanned += found;
        return Ok(Some(*scanned));
    }
    if buffer.len() > limits::LINE_LEN_MAX {
        return Err(too_long);
    }
    *scanned = end;
    Ok(None)
}

/// A number in the only form that Redis takes: decimal, no plus, no superfluous zeros.
fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_number = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = is_number.then_some(text)?;
    std::str::from_utf8(text).expect("digits are text").parse().ok()
}
