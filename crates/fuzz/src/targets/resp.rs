//! What Redis clients send, in pieces of any size: requests, transactions, and what is neither.

use crate::allocation::bounded;
use crate::{Outcomes, Target};
use althing_kv::redis::{RedisBatch, RedisCursors, RedisOutcome};
use althing_kv::{KvCommand, KvReply, Store};
use althing_model::StateMachine;
use althing_redis::connection::{ClientRecord, Connection, Figures, World};
use althing_redis::round::Rounds;
use althing_redis::{Failed, ProtocolError, Request, RequestParser, Settings};
use arbitrary::{Result, Unstructured};
use bytes::BytesMut;
use std::sync::{Arc, Mutex};

pub(crate) const TARGET: Target = Target {
    name: "resp",
    run,
    len_max: 4096,
    generate,
    words: &[
        "*1\r\n",
        "*-1\r\n",
        "$-1\r\n",
        "$1\r\n",
        "\r\n",
        "MULTI\r\n",
        "EXEC\r\n",
        "WATCH a\r\n",
    ],
};

const PASSWORD: &str = "p";

/// The first byte says how large the pieces are, the second whether there is a password.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let [piece_len, password, stream @ ..] = data else { return };
    let piece_len = usize::from(*piece_len) + 1;
    let is_stranger = password.is_multiple_of(4);
    let whole = read(stream, usize::MAX, is_stranger);
    assert_eq!(whole, read(stream, piece_len, is_stranger), "requests depend on the pieces");
    let (requests, error) = whole;
    outcomes.note((requests.len().min(8), error.map(|error| std::mem::discriminant(&error))));

    let whole = talk(stream, usize::MAX, is_stranger, outcomes);
    let pieces = talk(stream, piece_len, is_stranger, &mut Outcomes::default());
    assert_eq!(whole, pieces, "answers depend on the pieces");
}

/// The requests of a stream, and how it ended.
fn read(
    stream: &[u8],
    piece_len: usize,
    is_stranger: bool,
) -> (Vec<Request>, Option<ProtocolError>) {
    let mut parser = RequestParser::default();
    parser.set_stranger(is_stranger);
    let mut requests = Vec::new();
    for piece in stream.chunks(piece_len) {
        parser.feed(piece);
        // What was announced and is not here takes no memory.
        let max = 32 * stream.len() + 4096;
        loop {
            match bounded(max, || parser.next_request()) {
                Ok(Some(request)) => {
                    assert!(!request.is_empty());
                    requests.push(request);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next_request(), Err(error), "it stays so");
                    return (requests, Some(error));
                }
            }
        }
        assert!(parser.held_len() <= max);
    }
    (requests, None)
}

/// A place where the time stands still and nobody else is.
struct Place {
    settings: Settings,
    record: Arc<Mutex<ClientRecord>>,
    cursors: Mutex<RedisCursors>,
}

const NOW_MS: u64 = 1_700_000_000_000;

impl World for Place {
    fn unix_us(&self) -> u64 {
        NOW_MS * 1000
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }

    fn cursors(&self) -> &Mutex<RedisCursors> {
        &self.cursors
    }

    fn clients(&self) -> Vec<ClientRecord> {
        vec![self.record.lock().expect("nobody panics with it").clone()]
    }
}

/// What a stream is answered, and whether the connection ends.
fn talk(
    stream: &[u8],
    piece_len: usize,
    is_closed: bool,
    outcomes: &mut Outcomes,
) -> (Vec<u8>, bool) {
    let address = ([127, 0, 0, 1], 7379).into();
    let mut settings = Settings::new(address);
    settings.password = is_closed.then(|| PASSWORD.to_owned());
    let record = Arc::new(Mutex::new(ClientRecord::new(1, address, address, 0)));
    let mut connection = Connection::new(record.clone(), &settings);
    let place = Place { settings, record, cursors: Mutex::default() };
    let (mut parser, mut rounds) = (RequestParser::default(), Rounds::default());
    let (mut store, mut out) = (Store::default(), BytesMut::new());
    for piece in stream.chunks(piece_len) {
        parser.feed(piece);
        while let Some(mut round) = rounds.next_round(&mut connection, &mut parser, &place) {
            while let Some(batch) = round.batch(NOW_MS) {
                let outcome = execute(&mut store, batch);
                outcomes.note(("executed", outcome.as_ref().map(std::mem::discriminant).ok()));
                round.on_outcome(outcome, &mut connection, &place);
            }
            let before = out.len();
            let finished = round.finish(&mut connection, &place, &mut out);
            outcomes.note((finished.requests.min(4), finished.errors.min(2), rounds.is_ended()));
            // The first answer's kind, and how it goes on.
            outcomes.note(("answered", out[before..].iter().take(6).copied().collect::<Vec<u8>>()));
        }
    }
    (out.to_vec(), rounds.is_ended())
}

fn execute(store: &mut Store, batch: RedisBatch) -> std::result::Result<RedisOutcome, Failed> {
    let command = KvCommand::Redis(batch);
    command.check().map_err(|invalid| Failed::Refused(invalid.to_string()))?;
    match KvReply::decode(store.apply(&command.encode())) {
        Ok(KvReply::Redis(outcome)) => Ok(outcome),
        _ => Err(Failed::NotUnderstood),
    }
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    const LINES: &[&str] = &[
        "PING",
        "ECHO a",
        "QUIT",
        "RESET",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH a b",
        "UNWATCH",
        "HELLO 3",
        "HELLO 2 AUTH default p SETNAME me",
        "HELLO 4",
        "AUTH p",
        "AUTH x",
        "SELECT 0",
        "SELECT 1",
        "CLIENT ID",
        "CLIENT SETNAME me",
        "CLIENT LIST",
        "CLIENT REPLY OFF",
        "CLIENT REPLY SKIP",
        "CLIENT REPLY ON",
        "COMMAND COUNT",
        "COMMAND INFO get",
        "COMMAND GETKEYS MSET a b",
        "CONFIG GET *",
        "CONFIG SET a b",
        "INFO",
        "TIME",
        "ALTHING.CONSISTENCY stale",
        "GET a",
        "SET a 1",
        "SET a x PX 1",
        "INCR a",
        "DEL a b",
        "MGET a b",
        "HSET h f v",
        "HGETALL h",
        "RPUSH l a b",
        "LRANGE l 0 -1",
        "SADD s m",
        "SMEMBERS s",
        "ZADD z 0.1 m",
        "ZRANGE z 0 -1 WITHSCORES",
        "EXPIRE a 10",
        "TTL a",
        "KEYS *",
        "FLUSHALL",
        "SCAN 0",
        "SCAN 1 COUNT 1",
        "GET",
        "NOPE \"a b\" 'c'",
        "POST /",
        "\"",
        "*1\r\n*1",
    ];
    let mut stream = vec![bytes.arbitrary()?, bytes.arbitrary()?];
    while !bytes.is_empty() {
        let line = bytes.choose(LINES)?;
        if bytes.ratio(1, 3)? {
            stream.extend_from_slice(line.as_bytes());
            stream.extend_from_slice(b"\r\n");
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        stream.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            stream.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
    }
    Ok(stream)
}
