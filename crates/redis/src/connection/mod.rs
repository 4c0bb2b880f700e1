//! One connection, without its socket: what each request means here and now.
//!
//! [`Connection::on_request`] says what is to be done about a request: answer it, have the store
//! execute it, end. What is executed together, and how it is answered, is for [`crate::round`].

mod authentication;
mod client;
mod command;
mod config;
mod glob;
mod info;
mod local;
#[cfg(test)]
mod tests;
mod transaction;

pub use client::ClientRecord;
pub use info::Figures;

use crate::encode::{Answer, Protocol};
use crate::limits;
use crate::request::Request;
use crate::settings::Settings;
use althing_kv::redis::{self, RedisCursors, RedisReply};
use bytes::Bytes;
use client::Silence;
use local::Local;
use std::sync::{Arc, Mutex, MutexGuard};
use transaction::Transaction;

/// What a connection can be told of its surroundings.
pub trait World {
    /// The time, in microseconds since 1970.
    fn unix_us(&self) -> u64;
    /// The gateway's settings.
    fn settings(&self) -> &Settings;
    /// What the gateway has counted.
    fn figures(&self) -> Figures;
    /// All connections, this one among them, ascending by id.
    fn clients(&self) -> Vec<ClientRecord>;
    /// The cursors of scans that the gateway's clients have been given.
    fn cursors(&self) -> &Mutex<RedisCursors>;
}

/// How current a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// It sees every write that was answered before it was sent, wherever that was.
    #[default]
    Linearizable,
    /// It sees what this gateway's clients have seen and written.
    Session,
    /// It sees some earlier state.
    Stale,
}

impl From<Consistency> for althing_sdk::Consistency {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Linearizable => Self::Linearizable,
            Consistency::Session => Self::Session,
            Consistency::Stale => Self::Stale,
        }
    }
}

impl Consistency {
    const ALL: [Self; 3] = [Self::Linearizable, Self::Session, Self::Stale];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Session => "session",
            Self::Stale => "stale",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }
}

/// What is to be done about a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing but to answer.
    Answer(Answer),
    /// The store executes it, together with others if so wished.
    Command(Command),
    /// The store is asked for the versions of these keys; then [`Connection::on_watched`].
    Watch(Vec<Bytes>),
    /// The store executes all of it at once, for the watched keys' versions
    /// ([`Connection::take_watch`]).
    Exec(Vec<Queued>),
    /// Answer, then close the connection.
    End(Option<Answer>),
}

/// A command that the store executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name and arguments.
    pub args: Request,
    /// Whether it changes nothing.
    pub is_read_only: bool,
}

/// A command of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Queued {
    /// The store's.
    Command(Command),
    /// The gateway's own, answered once the transaction was executed ([`Connection::answer`]).
    Local(Request),
}

/// What a connection watches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// The keys, each once, with the versions that they had.
    pub keys: Vec<(Bytes, redis::RedisVersion)>,
    /// Whether one of them is known to have changed, or may have: no transaction is executed.
    pub is_broken: bool,
}

/// One connection's state.
#[derive(Debug)]
pub struct Connection {
    record: Arc<Mutex<ClientRecord>>,
    protocol: Protocol,
    /// Whether it has given the password, or need not.
    is_admitted: bool,
    consistency: Consistency,
    transaction: Option<Transaction>,
    watch: Watch,
    silence: Silence,
}

impl Connection {
    /// A connection that has just been made. What it says of itself goes to the record.
    pub fn new(record: Arc<Mutex<ClientRecord>>, settings: &Settings) -> Self {
        Self {
            record,
            protocol: Protocol::default(),
            is_admitted: settings.password.is_none(),
            consistency: settings.consistency,
            transaction: None,
            watch: Watch::default(),
            silence: Silence::default(),
        }
    }

    /// What answers are encoded for from now on.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether it has not given the password.
    pub fn is_stranger(&self) -> bool {
        !self.is_admitted
    }

    /// How current its reads are.
    pub fn consistency(&self) -> Consistency {
        self.consistency
    }

    /// What it watches.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The same, and it watches nothing any more.
    pub fn take_watch(&mut self) -> Watch {
        std::mem::take(&mut self.watch)
    }

    /// A watched key has changed, or may have.
    pub fn break_watch(&mut self) {
        self.watch.is_broken = true;
    }

    /// The store has told the versions of these keys.
    pub fn on_watched(&mut self, keys: Vec<Bytes>, versions: Vec<redis::RedisVersion>) {
        assert_eq!(keys.len(), versions.len(), "each key has a version");
        for (key, version) in keys.into_iter().zip(versions) {
            // What was watched first counts.
            if self.watch.keys.iter().all(|(known, _)| *known != key) {
                // Watched keys live long: not as a part of what arrived with them.
                self.watch.keys.push((Bytes::copy_from_slice(&key), version));
            }
        }
    }

    /// What is to be done about a request; and whether it gets an answer at all.
    pub fn on_request(&mut self, request: Request, world: &dyn World) -> (Step, bool) {
        let local = local::find(&request[0]);
        self.note(&request, local, world);
        if is_cross_protocol(&request[0]) {
            return (Step::End(None), false);
        }
        let is_skipped = self.silence == Silence::Next;
        if is_skipped {
            self.silence = Silence::Off;
        }
        let step = self.step(request, local, world);
        (step, !is_skipped && self.silence == Silence::Off)
    }

    fn step(
        &mut self,
        request: Request,
        local: Option<&'static local::LocalSpec>,
        world: &dyn World,
    ) -> Step {
        let known = match local {
            Some(spec) => spec.check(&request),
            None => redis::check(&request).map(|_| ()).and_then(|()| check_keys(&request)),
        };
        if let Err(refusal) = known {
            self.spoil();
            return Step::Answer(refusal.into());
        }
        if self.is_stranger() && local.is_none_or(|spec| !spec.is_for_strangers) {
            self.spoil();
            return Step::Answer(Answer::error("NOAUTH Authentication required."));
        }
        if let Some(local) = local {
            return self.local(local, request, world);
        }
        let is_read_only = redis::spec(&request[0]).is_some_and(|spec| spec.is_read_only);
        let command = Command { args: request, is_read_only };
        match &mut self.transaction {
            Some(transaction) => Step::Answer(transaction.queue(Queued::Command(command))),
            None => Step::Command(command),
        }
    }

    fn local(
        &mut self,
        spec: &'static local::LocalSpec,
        request: Request,
        world: &dyn World,
    ) -> Step {
        match spec.local {
            Local::Quit => return Step::End(Some(RedisReply::Ok.into())),
            Local::Reset => return Step::Answer(self.reset(world.settings())),
            Local::Multi => return Step::Answer(self.multi()),
            Local::Discard => return Step::Answer(self.discard()),
            Local::Exec => return self.exec(),
            Local::Watch => return self.watch_keys(request),
            _ => {}
        }
        match &mut self.transaction {
            Some(transaction) if spec.is_long && transaction.is_long_enough() => {
                self.spoil();
                Step::Answer(Answer::error(format!(
                    "ERR a transaction has at most {} of CLIENT, COMMAND and INFO",
                    limits::LONG_QUEUED_MAX
                )))
            }
            Some(transaction) => Step::Answer(transaction.queue(Queued::Local(request))),
            None => Step::Answer(self.answer_known(spec.local, &request, world)),
        }
    }

    /// The answer to a command of the gateway's own that is in a transaction.
    pub fn answer(&mut self, request: &Request, world: &dyn World) -> Answer {
        let spec = local::find(&request[0]).expect("only what was found is queued");
        self.answer_known(spec.local, request, world)
    }

    fn answer_known(&mut self, local: Local, request: &Request, world: &dyn World) -> Answer {
        match local {
            Local::Ping => match request.get(1) {
                None => RedisReply::Simple("PONG".into()).into(),
                Some(text) => RedisReply::Bulk(text.clone()).into(),
            },
            Local::Echo => RedisReply::Bulk(request[1].clone()).into(),
            Local::Time => time(world.unix_us()),
            Local::Select => match local::integer(&request[1]) {
                Some(0) => RedisReply::Ok.into(),
                Some(_) => Answer::error("ERR DB index is out of range"),
                None => Answer::error("ERR value is not an integer or out of range"),
            },
            Local::Unwatch => {
                self.take_watch();
                RedisReply::Ok.into()
            }
            Local::Consistency => self.set_consistency(request),
            Local::Auth => self.auth(request, world.settings()),
            Local::Hello => self.hello(request, world),
            Local::Client => self.client(request, world),
            Local::Command => command::answer(request),
            Local::Config => config::answer(request, world),
            Local::Info => info::answer(request, world),
            Local::Quit
            | Local::Reset
            | Local::Multi
            | Local::Discard
            | Local::Exec
            | Local::Watch => unreachable!("these are never queued"),
        }
    }

    /// `RESET`: as it was at first.
    fn reset(&mut self, settings: &Settings) -> Answer {
        self.record().name = Bytes::new();
        *self = Self::new(self.record.clone(), settings);
        RedisReply::Simple("RESET".into()).into()
    }

    fn set_consistency(&mut self, request: &Request) -> Answer {
        let Some(name) = request.get(1) else {
            return RedisReply::Bulk(self.consistency.name().into()).into();
        };
        match Consistency::from_name(name) {
            Some(consistency) => {
                self.consistency = consistency;
                RedisReply::Ok.into()
            }
            None => Answer::error("ERR consistency is linearizable, session or stale"),
        }
    }

    /// Puts down what `CLIENT LIST` tells of others.
    fn note(
        &mut self,
        request: &Request,
        local: Option<&'static local::LocalSpec>,
        world: &dyn World,
    ) {
        let command = match local {
            Some(spec) => Some(spec.name),
            None => redis::spec(&request[0]).map(|spec| spec.name),
        };
        let (protocol, queued) = (self.protocol, self.transaction.as_ref().map(Transaction::len));
        let mut record = self.record();
        record.last_us = world.unix_us();
        record.protocol = protocol;
        record.queued = queued;
        record.command = command;
        record.commands += 1;
    }

    fn record(&self) -> MutexGuard<'_, ClientRecord> {
        self.record.lock().expect("nobody panics with it")
    }
}

/// Keys of one command that the store takes.
fn check_keys(request: &Request) -> Result<(), RedisReply> {
    let spec = redis::spec(&request[0]).expect("it was checked");
    let count = spec.keys.of(request).map_or(0, Iterator::count);
    match count <= althing_kv::limits::KEYS_MAX {
        true => Ok(()),
        false => {
            let max = althing_kv::limits::KEYS_MAX;
            Err(RedisReply::error(format!("ERR {count} keys in one command, of at most {max}")))
        }
    }
}

/// What a browser sends that was made to talk to a Redis: Redis hangs up, too.
fn is_cross_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"HOST:")
}

fn time(unix_us: u64) -> Answer {
    let part = |number: u64| RedisReply::Bulk(number.to_string().into());
    RedisReply::Array(vec![part(unix_us / 1_000_000), part(unix_us % 1_000_000)]).into()
}
