//! Executes a batch.

use super::spec::Run;
use super::{RedisAccess, RedisBatch, RedisError, RedisOutcome, RedisReply, RedisSpec, check};
use crate::collection::{Blob, Collection, Typed};
use crate::entry::{Entry, Meta};
use crate::keyspace::Keyspace;
use crate::limits::{REDIS_COMMANDS_MAX, REPLY_LEN_MAX};
use bytes::Bytes;
use prost::Message as _;

/// What a command answers.
pub(super) type Answer = Result<RedisReply, RedisError>;

/// Executes a batch. One of [`RedisAccess::Read`] leaves the keys as they are.
pub(crate) fn execute(keys: &mut Keyspace, batch: &RedisBatch) -> RedisOutcome {
    let now_ms = batch.stamp_ms;
    match batch.access {
        RedisAccess::Read => query(keys, batch),
        RedisAccess::Write => {
            let mut write = Write { keys, now_ms };
            write.purge(batch.watched.iter().map(|(key, _)| key));
            if has_changed(write.keys, batch) {
                return RedisOutcome::WatchedChanged;
            }
            let run = |command: &[Bytes], room| write.run(command, room);
            replies(batch, run).unwrap_or(RedisOutcome::Due)
        }
    }
}

/// Executes a batch of reads.
pub(crate) fn query(keys: &Keyspace, batch: &RedisBatch) -> RedisOutcome {
    let read = Read { keys, now_ms: batch.stamp_ms };
    if batch.watched.iter().any(|(key, _)| read.is_due(key)) {
        return RedisOutcome::Due;
    }
    if has_changed(keys, batch) {
        return RedisOutcome::WatchedChanged;
    }
    replies(batch, |command, _| read.run(command)).unwrap_or(RedisOutcome::Due)
}

fn has_changed(keys: &Keyspace, batch: &RedisBatch) -> bool {
    batch.watched.iter().any(|(key, version)| keys.version(key) != version.0)
}

/// Runs the commands one after the other, each with the bytes that its reply may have. `None` where a
/// key is due.
fn replies(
    batch: &RedisBatch,
    mut run: impl FnMut(&[Bytes], usize) -> Option<Answer>,
) -> Option<RedisOutcome> {
    let mut room = REPLY_LEN_MAX - OUTCOME_HEAD_LEN;
    if batch.is_transaction {
        // What must go on must be able to answer every command somehow.
        room -= batch.commands.len() * SMALL_REPLY_LEN_MAX;
    }
    let mut replies = Vec::with_capacity(batch.commands.len());
    for command in &batch.commands {
        let may_stop = !batch.is_transaction && !replies.is_empty();
        if may_stop && room < SMALL_REPLY_LEN_MAX {
            break;
        }
        let answer = match run(command, room)? {
            Ok(reply) if encoded_len(&reply) > room.max(SMALL_REPLY_LEN_MAX) => {
                Err(RedisError::ReplyTooLong)
            }
            answer => answer,
        };
        if may_stop && answer == Err(RedisError::ReplyTooLong) {
            break;
        }
        let reply = answer.unwrap_or_else(RedisError::into_reply);
        let len = encoded_len(&reply);
        if !batch.is_transaction || len > SMALL_REPLY_LEN_MAX {
            room = room.saturating_sub(len);
        }
        replies.push(reply);
    }
    Some(RedisOutcome::Replies(replies))
}

/// Bytes of a reply that always has room: that of a write which takes nothing away, or an error.
const SMALL_REPLY_LEN_MAX: usize = 512;

/// Bytes of an encoded outcome besides those of its replies.
const OUTCOME_HEAD_LEN: usize = 64;

const _: () = assert!(OUTCOME_HEAD_LEN + REDIS_COMMANDS_MAX * SMALL_REPLY_LEN_MAX < REPLY_LEN_MAX);

/// Bytes of a reply in an encoded outcome.
fn encoded_len(reply: &RedisReply) -> usize {
    let len = reply.clone().into_schema().encoded_len();
    1 + prost::length_delimiter_len(len) + len
}

/// The keys for a command that changes nothing. None of the command's keys is due.
pub(super) struct Read<'a> {
    pub(super) keys: &'a Keyspace,
    now_ms: u64,
}

impl<'a> Read<'a> {
    fn run(&self, command: &[Bytes]) -> Option<Answer> {
        let spec = match check(command) {
            Ok(spec) => spec,
            Err(refusal) => return Some(Ok(refusal)),
        };
        let run = match spec.run {
            Run::Inspect(run) => return Some(run(self, command)),
            Run::Read(run) => run,
            Run::Write(_) | Run::Take(_) | Run::Purge(_) => {
                let text = "ERR a command that may write is in a batch of reads";
                return Some(Err(RedisError::text(text)));
            }
        };
        let is_due = match spec.keys.of(command) {
            None => self.keys.due(self.now_ms).next().is_some(),
            Some(mut keys) => keys.any(|key| self.is_due(key)),
        };
        (!is_due).then(|| run(self, command))
    }

    /// The time at which this key is looked at: it never goes back.
    pub(super) fn now(&self, key: &[u8]) -> u64 {
        self.now_ms.max(self.keys.meta(key).map_or(0, |meta| meta.stamp_ms))
    }

    pub(super) fn is_due(&self, key: &[u8]) -> bool {
        let end = self.keys.meta(key).and_then(|meta| meta.end_ms);
        end.is_some_and(|end| end < self.now_ms)
    }

    /// The stamp of the batch.
    pub(super) fn stamp(&self) -> u64 {
        self.now_ms
    }

    /// The key's string, if it holds anything.
    pub(super) fn text(&self, key: &[u8]) -> Result<Option<&'a Entry>, RedisError> {
        match self.keys.text(key) {
            None if self.keys.collection(key).is_some() => Err(RedisError::WrongType),
            entry => Ok(entry),
        }
    }

    /// The key's collection of a type, if it holds anything.
    pub(super) fn typed<T: Typed>(&self, key: &[u8]) -> Result<Option<&'a T>, RedisError> {
        match self.keys.collection(key) {
            Some(collection) => T::of(&collection.body).map(Some).ok_or(RedisError::WrongType),
            None if self.keys.text(key).is_some() => Err(RedisError::WrongType),
            None => Ok(None),
        }
    }
}

/// The keys for a command that may change its own. None of these is due.
pub(super) struct Write<'a> {
    keys: &'a mut Keyspace,
    now_ms: u64,
}

impl Write<'_> {
    fn run(&mut self, command: &[Bytes], room: usize) -> Option<Answer> {
        let spec = match check(command) {
            Ok(spec) => spec,
            Err(refusal) => return Some(Ok(refusal)),
        };
        if !matches!(spec.run, Run::Inspect(_) | Run::Purge(_)) {
            self.purge_for(spec, command);
        }
        Some(match spec.run {
            Run::Read(run) | Run::Inspect(run) => run(&self.read(), command),
            Run::Write(run) | Run::Purge(run) => run(self, command),
            Run::Take(run) => {
                let before = self.keys.clone();
                match run(self, command) {
                    Ok(reply) if encoded_len(&reply) > room => {
                        *self.keys = before;
                        Err(RedisError::ReplyTooLong)
                    }
                    Ok(reply) => Ok(reply),
                    Err(error) => {
                        *self.keys = before;
                        Err(error)
                    }
                }
            }
        })
    }

    fn purge_for(&mut self, spec: &RedisSpec, command: &[Bytes]) {
        match spec.keys.of(command) {
            Some(keys) => {
                self.purge(keys);
            }
            None => {
                let first = |keys: &Keyspace| keys.due(self.now_ms).next().map(Blob::from);
                while let Some(key) = first(self.keys) {
                    self.keys.remove(&key);
                }
            }
        }
    }

    /// Deletes those of the keys that are due, and says how many were.
    pub(super) fn purge<'k>(&mut self, keys: impl Iterator<Item = &'k Bytes>) -> usize {
        keys.filter(|key| self.read().is_due(key) && self.keys.remove(key)).count()
    }

    pub(super) fn read(&self) -> Read<'_> {
        Read { keys: self.keys, now_ms: self.now_ms }
    }

    /// Sets a string, whatever the key held. Where it has an end before now, the key goes.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8], end_ms: Option<u64>) {
        let stamp_ms = self.read().now(key);
        if end_ms.is_some_and(|end| end < stamp_ms) {
            self.keys.remove(key);
            return;
        }
        self.keys.put_text(key, value, Meta { stamp_ms, end_ms });
    }

    /// Sets a string, and leaves its end where it is.
    pub(super) fn replace(&mut self, key: &[u8], value: &[u8]) {
        let end = self.keys.meta(key).and_then(|meta| meta.end_ms);
        self.set(key, value, end);
    }

    /// Sets when a key ends. Where that is now or before, the key goes. Whether there was one.
    pub(super) fn set_end(&mut self, key: &[u8], end_ms: Option<u64>) -> bool {
        let stamp_ms = self.read().now(key);
        if end_ms.is_some_and(|end| end <= stamp_ms) {
            return self.keys.remove(key);
        }
        self.keys.set_meta(key, Meta { stamp_ms, end_ms })
    }

    /// Makes a key hold what another holds, until the same end.
    pub(super) fn copy(&mut self, from: &[u8], to: &[u8]) {
        let end_ms = self.keys.meta(from).and_then(|meta| meta.end_ms);
        let now = self.read().now(from).max(self.read().now(to));
        let meta = Meta { stamp_ms: now, end_ms };
        if end_ms.is_some_and(|end| end < now) {
            self.keys.remove(to);
        } else if let Some(entry) = self.keys.text(from).cloned() {
            self.keys.put_text(to, entry.value(), meta);
        } else if let Some(collection) = self.keys.collection(from).cloned() {
            self.keys.put_collection(to, Collection { meta, body: collection.body });
        }
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.keys.remove(key)
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self) {
        *self.keys = Keyspace::default();
    }

    /// Sets a collection, whatever the key held; an empty one is none.
    pub(super) fn put<T: Typed>(&mut self, key: &[u8], value: T, end_ms: Option<u64>) {
        let meta = Meta { stamp_ms: self.read().now(key), end_ms };
        self.keys.put_collection(key, Collection { meta, body: value.into_body() });
    }

    /// Changes a key's collection, an empty one where there is no key; what is empty afterwards is
    /// removed.
    pub(super) fn change<T: Typed, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, RedisError> {
        if self.read().typed::<T>(key)?.is_none() {
            let mut value = T::default();
            let result = change(&mut value);
            self.put(key, value, None);
            return Ok(result);
        }
        let now_ms = self.now_ms;
        let changed = self.keys.change_collection(key, |collection| {
            let body = &mut collection.body;
            let before = (body.len(), body.digest());
            let result = change(T::of_mut(body).expect("its type was looked at"));
            if before != (body.len(), body.digest()) {
                collection.meta.stamp_ms = collection.meta.stamp_ms.max(now_ms);
            }
            result
        });
        Ok(changed.expect("the key was found"))
    }
}
