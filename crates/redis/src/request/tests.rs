//! What is read, and what is refused, however the bytes are cut.

use super::{ProtocolError, Request, RequestParser};
use crate::limits;
use proptest::prelude::*;

type Read = (Vec<Request>, Option<ProtocolError>);

/// Everything that a stream holds, arriving in these pieces.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, is_stranger: bool) -> Read {
    let mut parser = RequestParser::default();
    parser.set_stranger(is_stranger);
    let mut requests = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next_request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn refused(stream: &[u8]) -> String {
    let (requests, error) = read([stream], false);
    assert_eq!(requests, Vec::<Request>::new());
    error.expect("it is refused").to_string()
}

fn words(words: &[&'static str]) -> Request {
    words.iter().map(|word| (*word).into()).collect()
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Broken: no client gets through.
#[test]
fn arrays_and_lines_are_requests() {
    let stream = b"*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING\r\n*0\r\n*-1\r\n\r\n\n  set a  b \n";
    let (requests, error) = read([&stream[..]], false);
    assert_eq!(requests, [words(&["GET", ""]), words(&["PING"]), words(&["set", "a", "b"])]);
    assert_eq!(error, None);
}

/// Broken: what somebody types in quotes means something else than to Redis.
#[test]
fn quotes_are_as_those_of_redis() {
    for (line, meant) in [
        (r#"a "b c" 'd e'"#, &["a", "b c", "d e"][..]),
        (r#""\x41\n\t\"\\" '\'\n'"#, &["A\n\t\"\\", "'\\n"]),
        (r#"a"b c" """#, &["ab c", ""]),
        (r#""\xg1""#, &["xg1"]),
        ("a\0b c", &["a"]),
    ] {
        let (requests, _) = read([line.as_bytes(), b"\n"], false);
        assert_eq!(requests, [words(meant)], "{line}");
    }
    for line in [r#""a"#, r#""a"b"#, "'a", "'a'b", r#""a\"#] {
        let line = format!("{line}\r\n");
        assert_eq!(refused(line.as_bytes()), "Protocol error: unbalanced quotes in request");
    }
}

/// Broken: a client of Redis is told of its mistake in words that it does not know, or not at all.
#[test]
fn what_redis_refuses_is_refused_in_its_words() {
    for (stream, words) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*-0\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\n*1\r\n", "expected '$', got '*'"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$1048577\r\n", "invalid bulk length"),
        ("*1\r\n$9223372036854775808\r\n", "invalid bulk length"),
    ] {
        assert_eq!(refused(stream.as_bytes()), format!("Protocol error: {words}"), "{stream:?}");
    }
}

/// Broken: a line without an end takes memory without an end.
#[test]
fn lines_that_do_not_end_are_refused() {
    let long = |head: &str| {
        let mut stream = head.as_bytes().to_vec();
        stream.resize(stream.len() + limits::LINE_LEN_MAX + 1, b'1');
        refused(&stream)
    };
    assert_eq!(long("a"), "Protocol error: too big inline request");
    assert_eq!(long("*"), "Protocol error: too big mbulk count string");
    assert_eq!(long("*1\r\n$"), "Protocol error: too big bulk count string");
}

/// Broken: what the parser did with `*1\r\n` again and again ends the process of others.
#[test]
fn arrays_in_arrays_are_refused_at_the_second() {
    let stream = b"*1\r\n".repeat(200_000);
    assert_eq!(refused(&stream), "Protocol error: expected '$', got '*'");
}

/// Broken: who has not given the password can take memory.
#[test]
fn strangers_send_little() {
    let refused = |stream: &[u8]| read([stream], true).1.unwrap().to_string();
    assert_eq!(refused(b"*11\r\n"), "Protocol error: unauthenticated multibulk length");
    assert_eq!(refused(b"*1\r\n$16385\r\n"), "Protocol error: unauthenticated bulk length");
    let (requests, error) = read([&b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n"[..]], true);
    assert_eq!((requests, error), (vec![words(&["AUTH", "x"])], None));
}

/// Broken: memory is taken for what was announced and never came.
#[test]
fn announcements_take_no_memory() {
    let mut parser = RequestParser::default();
    parser.feed(b"*1048576\r\n$1048576\r\n");
    assert_eq!(parser.next_request(), Ok(None));
    assert!(parser.buffer_mut().capacity() < 4096);
    let State::Array(array) = &parser.state else { panic!("{parser:?}") };
    assert_eq!(array.args.capacity(), 0);
}

/// Broken: many arguments of an allowed length take more than a request may.
#[test]
fn a_request_has_a_length_in_all() {
    let arg = vec![b'x'; limits::BULK_LEN_MAX];
    let stream = encode(&vec![arg; limits::REQUEST_LEN_MAX / limits::BULK_LEN_MAX]);
    assert_eq!(refused(&stream), "Protocol error: request of more than 8388608 bytes");
}

/// Broken: a request that arrives byte by byte is searched from its beginning each time.
#[test]
fn nothing_is_looked_at_twice() {
    let mut parser = RequestParser::default();
    parser.feed(b"*2\r\n$1\r\nx\r\n$");
    assert_eq!(parser.next_request(), Ok(None));
    for fed in 0..1000 {
        let State::Array(Array { bulk: Bulk::Length { scanned }, args, .. }) = &parser.state else {
            panic!("{parser:?}");
        };
        assert_eq!((*scanned, args.len()), (1 + fed, 1));
        parser.feed(b"1");
        assert_eq!(parser.next_request(), Ok(None));
    }
}

use super::{Array, Bulk, State};

fn requests() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let arg = proptest::collection::vec(any::<u8>(), 0..20);
    proptest::collection::vec(proptest::collection::vec(arg, 1..5), 0..6)
}

/// Bytes that are nearly requests.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(&b"*1\r\n"[..]),
        Just(&b"*2\r\n"[..]),
        Just(&b"$1\r\n"[..]),
        Just(&b"$0\r\n\r\n"[..]),
        Just(&b"x\r\n"[..]),
        Just(&b"*0\r\n"[..]),
        Just(&b"*-1\r\n"[..]),
        Just(&b"$-1\r\n"[..]),
        Just(&b"PING a\r\n"[..]),
        Just(&b"\""[..]),
        Just(&b"\r"[..]),
        Just(&b"\n"[..]),
        Just(&b"\0"[..]),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    /// Broken: what a client sends is not what is executed.
    #[test]
    fn requests_come_back_as_they_were_sent(sent in requests()) {
        let stream: Vec<u8> = sent.iter().flat_map(|request| encode(request)).collect();
        let (requests, error) = read([&stream[..]], false);
        prop_assert_eq!(error, None);
        prop_assert_eq!(requests, sent);
    }

    /// Broken: what a request means depends on how the network cuts it.
    #[test]
    fn cuts_change_nothing(
        sent in requests(),
        bad in nearly(),
        is_stranger: bool,
    ) {
        let mut stream: Vec<u8> = sent.iter().flat_map(|request| encode(request)).collect();
        stream.extend_from_slice(&bad);
        let whole = read([&stream[..]], is_stranger);
        for at in 0..=stream.len() {
            let (left, right) = stream.split_at(at);
            prop_assert_eq!(&read([left, right], is_stranger), &whole, "cut at {}", at);
        }
        prop_assert_eq!(&read(stream.chunks(1), is_stranger), &whole);
    }

    /// Broken: bytes that nobody honest wrote end the process.
    #[test]
    fn any_bytes_are_read_or_refused(stream: Vec<u8>) {
        let whole = read([&stream[..]], false);
        prop_assert_eq!(read(stream.chunks(3), false), whole);
    }
}
