//! `CLIENT`: what connections say of themselves, and are told of each other.

use super::{Connection, World, local};
use crate::encode::{Answer, Protocol};
use crate::limits;
use crate::request::Request;
use althing_kv::redis::RedisReply;
use bytes::Bytes;
use std::net::SocketAddr;

/// What `CLIENT LIST` tells of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// Its number: ascending, never used again.
    pub id: u64,
    /// The client's address.
    pub address: SocketAddr,
    /// The gateway's.
    pub local_address: SocketAddr,
    /// The name that it gave itself; may be empty.
    pub name: Bytes,
    /// The client library's name; may be empty.
    pub library: Bytes,
    /// Its version; may be empty.
    pub library_version: Bytes,
    /// When it connected, in microseconds since 1970.
    pub since_us: u64,
    /// When its last command came, likewise.
    pub last_us: u64,
    /// The last command, in capitals; none when it was none.
    pub command: Option<&'static str>,
    /// How many commands it has sent.
    pub commands: u64,
    /// How many commands wait for `EXEC`; none outside of a transaction.
    pub queued: Option<usize>,
    /// The version of the protocol.
    pub protocol: Protocol,
}

impl ClientRecord {
    /// Of a connection that has just been made.
    pub fn new(id: u64, address: SocketAddr, local_address: SocketAddr, now_us: u64) -> Self {
        Self {
            id,
            address,
            local_address,
            name: Bytes::new(),
            library: Bytes::new(),
            library_version: Bytes::new(),
            since_us: now_us,
            last_us: now_us,
            command: None,
            commands: 0,
            queued: None,
            protocol: Protocol::default(),
        }
    }

    /// The line of `CLIENT LIST`, in Redis' fields; those that mean nothing here are left out.
    fn line(&self, now_us: u64) -> String {
        let seconds = |since: u64| now_us.saturating_sub(since) / 1_000_000;
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let command = self.command.map_or("NULL".to_owned(), |name| name.to_ascii_lowercase());
        format!(
            "id={} addr={} laddr={} name={} age={} idle={} flags={} db=0 sub=0 psub=0 multi={} \
             cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={}",
            self.id,
            self.address,
            self.local_address,
            text(&self.name),
            seconds(self.since_us),
            seconds(self.last_us),
            if self.queued.is_some() { "x" } else { "N" },
            self.queued.map_or(-1, |queued| queued as i64),
            command,
            self.protocol.number(),
            text(&self.library),
            text(&self.library_version),
        )
    }
}

/// What `CLIENT REPLY` asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Silence {
    /// Every command is answered.
    #[default]
    Off,
    /// None is.
    On,
    /// The next one is not.
    Next,
}

pub(super) const BAD_NAME: &str =
    "ERR Client names cannot contain spaces, newlines or special characters.";

/// Whether a connection may be called that.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.len() <= limits::CLIENT_NAME_LEN_MAX && name.iter().all(u8::is_ascii_graphic)
}

type Answered = fn(&mut Connection, &Request, &dyn World) -> Answer;

/// Subcommands: the name, the arity, `CLIENT` and the subcommand included, and what it does.
static SUBCOMMANDS: [(&str, i32, Answered); 11] = [
    ("ID", 2, |connection, _, _| RedisReply::Integer(connection.record().id as i64).into()),
    ("GETNAME", 2, |connection, _, _| match &connection.record().name {
        name if name.is_empty() => RedisReply::Null.into(),
        name => RedisReply::Bulk(name.clone()).into(),
    }),
    ("SETNAME", 3, |connection, request, _| connection.set_name(&request[2])),
    ("SETINFO", 4, |connection, request, _| connection.set_info(&request[2], &request[3])),
    ("INFO", 2, |connection, _, world| {
        Answer::Text(connection.record().line(world.unix_us()) + "\n")
    }),
    ("LIST", -2, list),
    ("REPLY", 3, |connection, request, _| connection.set_silence(&request[2])),
    ("GETREDIR", 2, |_, _, _| RedisReply::Integer(-1).into()),
    ("NO-EVICT", 3, |_, request, _| on_or_off(&request[2])),
    ("NO-TOUCH", 3, |_, request, _| on_or_off(&request[2])),
    ("HELP", 2, |_, _, _| {
        let names = SUBCOMMANDS.iter().map(|(name, ..)| RedisReply::Simple((*name).into()));
        let head = "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:";
        let head = RedisReply::Simple(head.into());
        RedisReply::Array([head].into_iter().chain(names).collect()).into()
    }),
];

impl Connection {
    pub(super) fn client(&mut self, request: &Request, world: &dyn World) -> Answer {
        let asked = &request[1];
        let known =
            SUBCOMMANDS.iter().find(|(name, ..)| asked.eq_ignore_ascii_case(name.as_bytes()));
        match known {
            None => local::unknown_subcommand("CLIENT", asked).into(),
            Some((name, arity, _)) if !local::is_arity(*arity, request.len()) => {
                local::wrong_arity(&format!("client|{}", name.to_ascii_lowercase())).into()
            }
            Some((.., answer)) => answer(self, request, world),
        }
    }

    fn set_name(&mut self, name: &Bytes) -> Answer {
        if !is_name(name) {
            return Answer::error(BAD_NAME);
        }
        self.record().name = Bytes::copy_from_slice(name);
        RedisReply::Ok.into()
    }

    /// Of Redis 7.2, which client libraries send to every server.
    fn set_info(&mut self, attribute: &Bytes, value: &Bytes) -> Answer {
        let is_right = is_name(value);
        let mut record = self.record();
        let (name, place) = match () {
            () if attribute.eq_ignore_ascii_case(b"LIB-NAME") => ("lib-name", &mut record.library),
            () if attribute.eq_ignore_ascii_case(b"LIB-VER") => {
                ("lib-ver", &mut record.library_version)
            }
            () => {
                let attribute = String::from_utf8_lossy(attribute);
                return Answer::error(format!("ERR Unrecognized option '{attribute}'"));
            }
        };
        if !is_right {
            return Answer::error(format!(
                "ERR {name} cannot contain spaces, newlines or special characters."
            ));
        }
        *place = Bytes::copy_from_slice(value);
        RedisReply::Ok.into()
    }

    fn set_silence(&mut self, how: &Bytes) -> Answer {
        self.silence = match () {
            () if how.eq_ignore_ascii_case(b"ON") => Silence::Off,
            () if how.eq_ignore_ascii_case(b"OFF") => Silence::On,
            () if !how.eq_ignore_ascii_case(b"SKIP") => return Answer::error("ERR syntax error"),
            () if self.silence == Silence::On => Silence::On,
            () => Silence::Next,
        };
        RedisReply::Ok.into()
    }
}

/// `CLIENT LIST [TYPE type] [ID id ..]`.
fn list(_: &mut Connection, request: &Request, world: &dyn World) -> Answer {
    let ids: Option<Vec<u64>> = match &request[2..] {
        [] => None,
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
            let is = |name: &str| kind.eq_ignore_ascii_case(name.as_bytes());
            match () {
                () if is("normal") => None,
                // There are no others here.
                () if is("master") || is("replica") || is("slave") || is("pubsub") => Some(vec![]),
                () => {
                    let kind = String::from_utf8_lossy(kind);
                    return Answer::error(format!("ERR Unknown client type '{kind}'"));
                }
            }
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let id = |id: &Bytes| local::integer(id).and_then(|id| u64::try_from(id).ok());
            match ids.iter().map(id).collect() {
                Some(ids) => Some(ids),
                None => return Answer::error("ERR Invalid client ID"),
            }
        }
        _ => return Answer::error("ERR syntax error"),
    };
    let now_us = world.unix_us();
    let is_asked = |record: &ClientRecord| ids.as_ref().is_none_or(|ids| ids.contains(&record.id));
    let lines = world.clients().into_iter().filter(is_asked);
    Answer::Text(lines.map(|record| record.line(now_us) + "\n").collect())
}

/// What there is nothing to do about: nothing is ever evicted.
fn on_or_off(text: &Bytes) -> Answer {
    match text.eq_ignore_ascii_case(b"ON") || text.eq_ignore_ascii_case(b"OFF") {
        true => RedisReply::Ok.into(),
        false => Answer::error("ERR syntax error"),
    }
}
