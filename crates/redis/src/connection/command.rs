//! `COMMAND`: which commands there are, and where their keys stand.

use super::glob;
use super::local::{self, LocalSpec};
use crate::encode::Answer;
use crate::request::Request;
use althing_kv::redis::{self, KeysAt, RedisReply};
use bytes::Bytes;

/// What is told of a command.
struct Entry {
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    /// The first key, the last, and the step from one to the next.
    keys: (i64, i64, i64),
}

pub(super) fn answer(request: &Request) -> Answer {
    let Some(asked) = request.get(1) else {
        return RedisReply::Array(entries().map(|entry| entry.reply()).collect()).into();
    };
    let is = |name: &str| asked.eq_ignore_ascii_case(name.as_bytes());
    let named = &request[2..];
    match () {
        () if is("COUNT") && named.is_empty() => {
            RedisReply::Integer(entries().count() as i64).into()
        }
        () if is("COUNT") => local::wrong_arity("command|count").into(),
        () if is("INFO") && named.is_empty() => {
            RedisReply::Array(entries().map(|entry| entry.reply()).collect()).into()
        }
        () if is("INFO") => {
            let info = |name| find(name).map_or(RedisReply::NullArray, |entry| entry.reply());
            RedisReply::Array(named.iter().map(info).collect()).into()
        }
        // There is nothing to tell; clients show their hints without it.
        () if is("DOCS") => RedisReply::Map(vec![]).into(),
        () if is("LIST") => list(named),
        () if is("GETKEYS") && named.is_empty() => local::wrong_arity("command|getkeys").into(),
        () if is("GETKEYS") => keys(named),
        () => local::unknown_subcommand("COMMAND", asked).into(),
    }
}

fn entries() -> impl Iterator<Item = Entry> {
    let own = local::SPECS.iter().map(Entry::of_local);
    own.chain(redis::specs().iter().map(Entry::of_store))
}

fn find(name: &Bytes) -> Option<Entry> {
    entries().find(|entry| name.eq_ignore_ascii_case(entry.name.as_bytes()))
}

impl Entry {
    fn of_local(spec: &LocalSpec) -> Self {
        let flags: &[&str] = match spec.is_for_strangers {
            true => &["noscript", "fast", "no_auth"],
            false => &["noscript", "fast"],
        };
        let keys = if spec.name == "WATCH" { (1, -1, 1) } else { (0, 0, 0) };
        Self { name: spec.name, arity: spec.arity, flags, keys }
    }

    fn of_store(spec: &redis::RedisSpec) -> Self {
        let (keys, is_counted) = match spec.keys {
            KeysAt::Everything => ((0, 0, 0), false),
            KeysAt::Range { first, last, step } => {
                ((first as i64, last as i64, step as i64), false)
            }
            KeysAt::Counted { .. } => ((0, 0, 0), true),
        };
        let flags: &[&str] = match (spec.is_read_only, is_counted) {
            (true, false) => &["readonly"],
            (true, true) => &["readonly", "movablekeys"],
            (false, false) => &["write"],
            (false, true) => &["write", "movablekeys"],
        };
        Self { name: spec.name, arity: spec.arity, flags, keys }
    }

    fn reply(&self) -> RedisReply {
        let (first, last, step) = self.keys;
        let none = || RedisReply::Array(vec![]);
        let flags = self.flags.iter().map(|flag| RedisReply::Simple((*flag).into()));
        RedisReply::Array(vec![
            RedisReply::Bulk(self.name.to_ascii_lowercase().into()),
            RedisReply::Integer(self.arity.into()),
            RedisReply::Set(flags.collect()),
            RedisReply::Integer(first),
            RedisReply::Integer(last),
            RedisReply::Integer(step),
            // Categories, tips, specifications of keys, subcommands: not told.
            RedisReply::Set(vec![]),
            none(),
            none(),
            none(),
        ])
    }
}

/// `COMMAND LIST [FILTERBY MODULE|ACLCAT|PATTERN what]`.
fn list(filter: &[Bytes]) -> Answer {
    let pattern = match filter {
        [] => None,
        [by, kind, what] if by.eq_ignore_ascii_case(b"FILTERBY") => {
            match kind.eq_ignore_ascii_case(b"PATTERN") {
                true => Some(what.to_ascii_lowercase()),
                // Modules and categories: there are none.
                false => return RedisReply::Array(vec![]).into(),
            }
        }
        _ => return Answer::error("ERR syntax error"),
    };
    let names = entries().map(|entry| entry.name.to_ascii_lowercase()).filter(|name| {
        pattern.as_ref().is_none_or(|pattern| glob::is_match(pattern, name.as_bytes()))
    });
    RedisReply::Array(names.map(|name| RedisReply::Bulk(name.into())).collect()).into()
}

/// `COMMAND GETKEYS command ..`: the keys of that command.
fn keys(args: &[Bytes]) -> Answer {
    const WRONG: &str = "ERR Invalid number of arguments specified for command";
    const NONE: &str = "ERR The command has no key arguments";
    let args = args.to_vec();
    let keys: Vec<Bytes> = match local::find(&args[0]) {
        Some(spec) if spec.check(&args).is_err() => return Answer::error(WRONG),
        Some(spec) if spec.name == "WATCH" => args[1..].to_vec(),
        Some(_) => return Answer::error(NONE),
        None => match redis::spec(&args[0]) {
            None => return Answer::error("ERR Invalid command specified"),
            Some(_) => match redis::check(&args) {
                Err(_) => return Answer::error(WRONG),
                Ok(spec) => spec.keys.of(&args).into_iter().flatten().cloned().collect(),
            },
        },
    };
    match keys.is_empty() {
        true => Answer::error(NONE),
        false => RedisReply::Array(keys.into_iter().map(RedisReply::Bulk).collect()).into(),
    }
}
