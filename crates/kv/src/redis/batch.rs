//! What a gateway asks of the store: Redis commands that are executed together.

use crate::command::{KvInvalid, check_key};
use crate::limits::{KEYS_MAX, REDIS_ARGS_MAX, REDIS_COMMANDS_MAX};
use crate::schema;
use althing_model::Footprint;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Redis commands, executed one after the other as one command of the store: nothing comes between
/// them.
///
/// ```
/// use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome, RedisReply};
/// use althing_kv::{KvCommand, KvReply, Store};
///
/// let batch = RedisBatch {
///     stamp_ms: 1_700_000_000_000,
///     access: RedisAccess::Write,
///     is_transaction: false,
///     watched: vec![],
///     commands: vec![
///         vec!["SET".into(), "city".into(), "Reykjavik".into()],
///         vec!["GET".into(), "city".into()],
///     ],
/// };
/// let reply = Store::default().execute(KvCommand::Redis(batch));
/// let replies = vec![RedisReply::Ok, RedisReply::Bulk("Reykjavik".into())];
/// assert_eq!(reply, KvReply::Redis(RedisOutcome::Replies(replies)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisBatch {
    /// Milliseconds since 1970 by the clock of whoever made the batch: the time at which it is
    /// executed, wherever and whenever that happens. For each key it is at least the stamp of the
    /// last write to that key.
    pub stamp_ms: u64,
    /// What the batch may do.
    pub access: RedisAccess,
    /// Whether it is a `MULTI`: all is executed, and a reply that is too long for the whole becomes
    /// an error. Otherwise execution stops before a command, the first excepted, whose reply would
    /// be: there are fewer replies than commands then, and the rest is to be sent as another batch.
    pub is_transaction: bool,
    /// Keys that must still have these versions; otherwise nothing is done, and the outcome is
    /// [`RedisOutcome::WatchedChanged`](crate::redis::RedisOutcome::WatchedChanged).
    ///
    /// Equal versions mean equal contents. A key that was changed and changed back within one
    /// millisecond, or that was absent, then there, then absent again, has its old version. A
    /// gateway that lets a client read between `WATCH` and `EXEC` therefore sends what is watched
    /// with these reads, too: then all that the client has seen was there together with the watched
    /// versions.
    pub watched: Vec<(Bytes, RedisVersion)>,
    /// The commands, each with its name first. One that [`check`](crate::redis::check) refuses is
    /// answered with that refusal.
    pub commands: Vec<Vec<Bytes>>,
}

/// What a batch may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisAccess {
    /// It changes nothing. A command that may write is answered with an error. When it meets a key
    /// whose time is over, the outcome is [`RedisOutcome::Due`](crate::redis::RedisOutcome::Due).
    Read,
    /// It may change its commands' keys, and deletes those whose time is over before it looks at them.
    Write,
}

/// What a key holds at a time, as a number: 0 where there is no key. It is below 2^63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RedisVersion(pub u64);

impl RedisBatch {
    /// What the batch touches: its commands' keys and those it watches, in one mode: what only reads
    /// in a batch that may write deletes what is due.
    pub fn footprint(&self) -> Footprint {
        let mode = match self.access {
            RedisAccess::Read => crate::KvConflicts::READ,
            RedisAccess::Write => crate::KvConflicts::WRITE,
        };
        match self.keys() {
            None => Footprint::Everything,
            Some(keys) => Footprint::of(keys.into_iter().map(|key| (key.clone(), mode))),
        }
    }

    /// The keys that it may touch; `None` where that is the whole key space.
    fn keys(&self) -> Option<BTreeSet<&Bytes>> {
        let mut keys: BTreeSet<&Bytes> = self.watched.iter().map(|(key, _)| key).collect();
        for command in &self.commands {
            // What is refused touches nothing.
            if let Ok(spec) = super::check(command) {
                keys.extend(spec.keys.of(command)?);
            }
        }
        Some(keys)
    }

    pub(crate) fn check_parts(&self) -> Result<(), KvInvalid> {
        let count = self.commands.len();
        if count > REDIS_COMMANDS_MAX {
            return Err(KvInvalid::TooManyCommands { count });
        }
        let count = self.commands.iter().map(Vec::len).sum();
        if count > REDIS_ARGS_MAX {
            return Err(KvInvalid::TooManyArguments { count });
        }
        if self.commands.iter().any(Vec::is_empty) {
            return Err(KvInvalid::NoName);
        }
        self.watched.iter().try_for_each(|(key, _)| check_key(key))?;
        let count = self.keys().map_or(self.watched.len(), |keys| keys.len());
        if count > KEYS_MAX {
            return Err(KvInvalid::TooManyKeys { count });
        }
        Ok(())
    }

    pub(crate) fn to_schema(&self) -> schema::RedisBatch {
        let Self { stamp_ms, access, is_transaction, watched, commands } = self;
        let watched = watched
            .iter()
            .map(|(key, version)| schema::RedisWatched { key: key.clone(), version: version.0 });
        let commands = commands.iter().map(|args| schema::Keys { keys: args.clone() });
        schema::RedisBatch {
            stamp_ms: *stamp_ms,
            may_write: *access == RedisAccess::Write,
            is_transaction: *is_transaction,
            watched: watched.collect(),
            commands: commands.collect(),
        }
    }

    pub(crate) fn from_schema(batch: schema::RedisBatch) -> Self {
        let watched = batch.watched.into_iter();
        Self {
            stamp_ms: batch.stamp_ms,
            access: match batch.may_write {
                false => RedisAccess::Read,
                true => RedisAccess::Write,
            },
            is_transaction: batch.is_transaction,
            watched: watched.map(|each| (each.key, RedisVersion(each.version))).collect(),
            commands: batch.commands.into_iter().map(|args| args.keys).collect(),
        }
    }
}
