//! A connection without a socket, for tests: bytes in, bytes out, a store behind it.

use crate::backend::Failed;
use crate::connection::{ClientRecord, Connection, Figures, World};
use crate::request::RequestParser;
use crate::round::Rounds;
use crate::settings::Settings;
use althing_kv::redis::{RedisBatch, RedisCursors, RedisOutcome};
use althing_kv::{KvCommand, KvReply, Store};
use althing_model::StateMachine;
use bytes::BytesMut;
use std::sync::{Arc, Mutex};

/// The time, until a test says otherwise.
const NOW_MS: u64 = 1_700_000_000_000;

/// A connection, and all that is around it.
pub(crate) struct Talk {
    pub(crate) connection: Connection,
    parser: RequestParser,
    rounds: Rounds,
    pub(crate) place: Place,
    pub(crate) store: Store,
    /// What the store was asked, in order.
    pub(crate) batches: Vec<RedisBatch>,
    /// What the next batches meet instead of the store.
    pub(crate) failures: Vec<Failed>,
}

/// What is around a connection.
pub(crate) struct Place {
    settings: Settings,
    record: Arc<Mutex<ClientRecord>>,
    cursors: Mutex<RedisCursors>,
    pub(crate) now_ms: u64,
}

impl World for Place {
    fn unix_us(&self) -> u64 {
        self.now_ms * 1000
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn figures(&self) -> Figures {
        Figures { since_us: NOW_MS * 1000, commands: 17, ..Figures::default() }
    }

    fn cursors(&self) -> &Mutex<RedisCursors> {
        &self.cursors
    }

    fn clients(&self) -> Vec<ClientRecord> {
        vec![self.record.lock().unwrap().clone()]
    }
}

impl Talk {
    /// With everybody.
    pub(crate) fn open() -> Self {
        Self::new(Settings::new("127.0.0.1:7379".parse().unwrap()))
    }

    /// With who knows the password.
    pub(crate) fn closed(password: &str) -> Self {
        let settings = Settings::new("127.0.0.1:7379".parse().unwrap());
        Self::new(Settings { password: Some(password.to_owned()), ..settings })
    }

    fn new(settings: Settings) -> Self {
        let [address, local] = ["127.0.0.1:40000", "127.0.0.1:7379"].map(|it| it.parse().unwrap());
        let record = ClientRecord::new(7, address, local, NOW_MS * 1000);
        let record = Arc::new(Mutex::new(record));
        Self {
            connection: Connection::new(record.clone(), &settings),
            parser: RequestParser::default(),
            rounds: Rounds::default(),
            place: Place { settings, record, cursors: Mutex::default(), now_ms: NOW_MS },
            store: Store::default(),
            batches: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Sends these lines at once; the answers.
    pub(crate) fn say(&mut self, lines: &[&str]) -> String {
        lines.iter().for_each(|line| self.parser.feed(format!("{line}\r\n").as_bytes()));
        let mut out = BytesMut::new();
        while let Some(mut round) =
            self.rounds.next_round(&mut self.connection, &mut self.parser, &self.place)
        {
            while let Some(batch) = round.batch(self.place.now_ms) {
                let outcome = self.execute(batch);
                round.on_outcome(outcome, &mut self.connection, &self.place);
            }
            round.finish(&mut self.connection, &self.place, &mut out);
        }
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// Sends them one after the other; the last answer.
    pub(crate) fn say_each(&mut self, lines: &[&str]) -> String {
        lines.iter().map(|line| self.say(&[line])).last().unwrap()
    }

    /// What somebody else does meanwhile.
    pub(crate) fn meanwhile(&mut self, line: &str) {
        let args = line.split(' ').map(|word| word.to_owned().into()).collect();
        let batch = RedisBatch {
            stamp_ms: self.place.now_ms,
            access: althing_kv::redis::RedisAccess::Write,
            is_transaction: false,
            watched: vec![],
            commands: vec![args],
        };
        self.store.apply(&KvCommand::Redis(batch).encode());
    }

    fn execute(&mut self, batch: RedisBatch) -> Result<RedisOutcome, Failed> {
        self.batches.push(batch.clone());
        if !self.failures.is_empty() {
            return Err(self.failures.remove(0));
        }
        let command = KvCommand::Redis(batch);
        command.check().map_err(|invalid| Failed::Refused(invalid.to_string()))?;
        match KvReply::decode(self.store.apply(&command.encode())) {
            Ok(KvReply::Redis(outcome)) => Ok(outcome),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the gateway hangs up.
    pub(crate) fn has_ended(&self) -> bool {
        self.rounds.is_ended()
    }

    /// How many commands each batch had.
    pub(crate) fn batch_lens(&self) -> Vec<usize> {
        self.batches.iter().map(|batch| batch.commands.len()).collect()
    }
}
