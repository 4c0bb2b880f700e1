//! What of a connection's requests is executed together, and how it is answered.
//!
//! While the store works on what a connection asked, more requests arrive. All that is there when the
//! answers are, is one *round*: its commands go to the store as one [`RedisBatch`], which is one vertex,
//! and the answers go back together. So a client that pipelines fills its batches by itself, and one
//! that waits for each answer is not kept waiting for others.
//!
//! Answers have the order of the requests. Only one round of a connection is under way: two batches at
//! the same time might be executed in either order. What a command sees is as if each was sent alone,
//! except that nothing of others comes between the commands of a batch. `WATCH` and `EXEC` are rounds
//! of their own: what they ask depends on what was answered before.

#[cfg(test)]
mod tests;

use crate::backend::Failed;
use crate::connection::{Command, Connection, Queued, Step, Watch, World};
use crate::encode::{Answer, Protocol, encode};
use crate::limits;
use crate::request::{ProtocolError, Request, RequestParser};
use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome, RedisReply, RedisVersion};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Makes rounds of one connection's requests.
#[derive(Debug, Default)]
pub struct Rounds {
    /// A request that has been looked at and does not belong to the round before.
    held: Option<Slot>,
    /// Whether the connection ends after the round before.
    is_ended: bool,
}

/// A request that is to be answered.
#[derive(Debug)]
struct Slot {
    asked: Step,
    protocol: Protocol,
    is_heard: bool,
}

/// Requests that are answered together.
#[derive(Debug)]
pub struct Round {
    slots: Vec<Slot>,
    is_exec: bool,
    /// What the store has not answered yet.
    commands: VecDeque<Request>,
    /// What it has, until it is told.
    replies: VecDeque<RedisReply>,
    access: RedisAccess,
    watched: Vec<(Bytes, RedisVersion)>,
    /// Why the store is not asked further.
    end: Option<End>,
}

/// An end before everything is executed.
#[derive(Debug, Clone, PartialEq)]
enum End {
    /// What a transaction watches has changed.
    Changed,
    /// With this error.
    Failed(String),
}

/// What was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Requests.
    pub requests: u64,
    /// Errors among the answers.
    pub errors: u64,
}

/// What fits a batch.
#[derive(Debug, Default)]
struct Room {
    commands: usize,
    args: usize,
    keys: usize,
    len: usize,
}

/// About how many bytes a command takes in a batch, at least as many as it does.
pub(crate) fn encoded_len(request: &[Bytes]) -> usize {
    // Tag and length of each argument, and of all.
    const FRAMING: usize = 8;
    FRAMING + request.iter().map(|arg| arg.len() + FRAMING).sum::<usize>()
}

impl Room {
    /// Takes a command in, if it fits.
    fn take(&mut self, command: &Command) -> bool {
        let (len, args) = (encoded_len(&command.args), command.args.len());
        let keys = keys(&command.args);
        // One alone is the store's to refuse.
        let fits = self.commands == 0
            || (self.commands < limits::BATCH_COMMANDS_MAX
                && self.args + args <= limits::BATCH_ARGS_MAX
                && self.keys + keys + limits::WATCHED_MAX <= limits::BATCH_KEYS_MAX
                && self.len + len <= limits::BATCH_LEN_MAX);
        if fits {
            *self = Self {
                commands: self.commands + 1,
                args: self.args + args,
                keys: self.keys + keys,
                len: self.len + len,
            };
        }
        fits
    }
}

/// Whether it has a cursor, which is a number for clients only.
fn is_scan(args: &Request) -> bool {
    let name = &args[0];
    name.len() >= 4 && name[name.len() - 4..].eq_ignore_ascii_case(b"SCAN")
}

fn keys(args: &Request) -> usize {
    let spec = althing_kv::redis::spec(&args[0]);
    spec.and_then(|spec| spec.keys.of(args)).map_or(0, Iterator::count)
}

impl Rounds {
    /// The next round of what has arrived; none when there is nothing to answer, and none after the
    /// last.
    pub fn next_round(
        &mut self,
        connection: &mut Connection,
        parser: &mut RequestParser,
        world: &dyn World,
    ) -> Option<Round> {
        if self.is_ended {
            return None;
        }
        let mut round = Round::new();
        let mut room = Room::default();
        while round.slots.len() < limits::ROUND_LEN_MAX {
            let Some(slot) = self.next_slot(connection, parser, world) else { break };
            match &slot.asked {
                Step::Answer(answer) if answer.is_long() => {
                    round.slots.push(slot);
                    break;
                }
                Step::Answer(_) => {}
                Step::Command(command) => {
                    // While keys are watched each command finds out for itself whether they have
                    // changed: two in one batch could change a key and change it back.
                    let is_alone = room.commands > 0 && !connection.watch().keys.is_empty();
                    if is_alone || !room.take(command) {
                        self.held = Some(slot);
                        break;
                    }
                    round.add(command, world);
                }
                Step::Watch(_) | Step::Exec(_) if room.commands > 0 => {
                    self.held = Some(slot);
                    break;
                }
                Step::Watch(_) | Step::Exec(_) => {
                    round.begin_alone(&slot.asked, connection, world);
                    round.slots.push(slot);
                    break;
                }
                Step::End(_) => {
                    self.is_ended = true;
                    round.slots.push(slot);
                    break;
                }
            }
            round.slots.push(slot);
        }
        if room.commands > 0 && !connection.watch().is_broken {
            // So that whatever is read before `EXEC` was there together with what is watched.
            round.watched.clone_from(&connection.watch().keys);
        }
        (!round.slots.is_empty()).then_some(round)
    }

    fn next_slot(
        &mut self,
        connection: &mut Connection,
        parser: &mut RequestParser,
        world: &dyn World,
    ) -> Option<Slot> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        parser.set_stranger(connection.is_stranger());
        match parser.next_request() {
            Ok(None) => None,
            Ok(Some(request)) => {
                let (asked, is_heard) = connection.on_request(request, world);
                Some(Slot { asked, protocol: connection.protocol(), is_heard })
            }
            Err(error) => Some(refusal(error, connection.protocol())),
        }
    }

    /// Whether the connection ends once what was said is sent.
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }
}

fn refusal(error: ProtocolError, protocol: Protocol) -> Slot {
    let answer = Answer::error(format!("ERR {error}"));
    Slot { asked: Step::End(Some(answer)), protocol, is_heard: true }
}

impl Round {
    fn new() -> Self {
        Self {
            slots: Vec::new(),
            is_exec: false,
            commands: VecDeque::new(),
            replies: VecDeque::new(),
            access: RedisAccess::Read,
            watched: Vec::new(),
            end: None,
        }
    }

    fn add(&mut self, command: &Command, world: &dyn World) {
        if !command.is_read_only {
            self.access = RedisAccess::Write;
        }
        let mut args = command.args.clone();
        if is_scan(&args) {
            world.cursors().lock().expect("nobody panics with it").to_store(&mut args);
        }
        self.commands.push_back(args);
    }

    fn begin_alone(&mut self, asked: &Step, connection: &mut Connection, world: &dyn World) {
        match asked {
            Step::Watch(keys) => {
                let name = [Bytes::from_static(VERSION)];
                self.commands.push_back(name.into_iter().chain(keys.iter().cloned()).collect());
            }
            Step::Exec(queued) => {
                let Watch { keys, is_broken } = connection.take_watch();
                self.is_exec = true;
                if is_broken {
                    self.end = Some(End::Changed);
                    return;
                }
                for queued in queued {
                    if let Queued::Command(command) = queued {
                        self.add(command, world);
                    }
                }
                self.watched = keys;
            }
            other => unreachable!("this is not alone: {other:?}"),
        }
    }

    /// What the store is to be asked next; none when all is answered.
    pub fn batch(&self, stamp_ms: u64) -> Option<RedisBatch> {
        self.is_due().then(|| RedisBatch {
            stamp_ms,
            access: self.access,
            is_transaction: self.is_exec,
            watched: self.watched.clone(),
            commands: self.commands.iter().cloned().collect(),
        })
    }

    fn is_due(&self) -> bool {
        // Without commands a transaction has still to find out whether what it watches changed.
        let has_to_ask = !self.commands.is_empty() || (self.is_exec && !self.watched.is_empty());
        self.end.is_none() && has_to_ask
    }

    /// How many commands the store is asked to execute.
    pub fn commands_len(&self) -> usize {
        self.commands.len()
    }

    /// Whether the store is asked for nothing that changes anything.
    pub fn is_read(&self) -> bool {
        self.access == RedisAccess::Read
    }

    /// Takes the end of what [`Self::batch`] asked.
    pub fn on_outcome(
        &mut self,
        outcome: Result<RedisOutcome, Failed>,
        connection: &mut Connection,
        world: &dyn World,
    ) {
        let outcome = outcome.map(|outcome| self.with_numbers(outcome, world));
        let is_all = |replies: &Vec<RedisReply>| replies.len() == self.commands.len();
        match outcome {
            Ok(RedisOutcome::Replies(replies)) if is_all(&replies) => {
                self.commands.clear();
                self.watched.clear();
                self.replies.extend(replies);
            }
            // The rest would be too long for one reply, and is asked for again.
            Ok(RedisOutcome::Replies(replies))
                if !self.is_exec && (1..self.commands.len()).contains(&replies.len()) =>
            {
                self.commands.drain(..replies.len());
                self.replies.extend(replies);
            }
            Ok(RedisOutcome::Due) if self.is_read() => self.access = RedisAccess::Write,
            Ok(RedisOutcome::WatchedChanged) if self.is_exec => self.end = Some(End::Changed),
            Ok(RedisOutcome::WatchedChanged) if !self.watched.is_empty() => {
                connection.break_watch();
                self.watched.clear();
            }
            Ok(_) => self.fail(&Failed::NotUnderstood),
            Err(failed) => self.fail(&failed),
        }
    }

    /// Numbers in the place of the store's cursors.
    fn with_numbers(&self, mut outcome: RedisOutcome, world: &dyn World) -> RedisOutcome {
        if let RedisOutcome::Replies(replies) = &mut outcome {
            let scans = self.commands.iter().zip(replies).filter(|(args, _)| is_scan(args));
            for (args, reply) in scans {
                world.cursors().lock().expect("nobody panics with it").to_client(args, reply);
            }
        }
        outcome
    }

    fn fail(&mut self, failed: &Failed) {
        self.end = Some(End::Failed(failed.to_reply(self.is_read())));
    }

    /// Encodes the answers, once there is nothing more to ask.
    pub fn finish(
        mut self,
        connection: &mut Connection,
        world: &dyn World,
        out: &mut BytesMut,
    ) -> Finished {
        assert!(!self.is_due(), "the store has answered");
        let mut finished = Finished::default();
        for slot in std::mem::take(&mut self.slots) {
            let answer = match slot.asked {
                Step::Answer(answer) => Some(answer),
                Step::End(answer) => answer,
                Step::Command(_) => Some(self.next_reply()),
                Step::Watch(keys) => Some(self.watching(keys, connection)),
                Step::Exec(queued) => Some(self.executed(&queued, connection, world)),
            };
            finished.requests += 1;
            if let Some(answer) = answer {
                finished.errors += u64::from(answer.is_error());
                if slot.is_heard {
                    encode(&answer, slot.protocol, out);
                }
            }
        }
        finished
    }

    fn next_reply(&mut self) -> Answer {
        match (self.replies.pop_front(), &self.end) {
            (Some(reply), _) => reply.into(),
            (None, Some(End::Failed(text))) => Answer::error(text.clone()),
            (None, end) => unreachable!("a command without a reply, {end:?}"),
        }
    }

    /// The end of `WATCH`.
    fn watching(&mut self, keys: Vec<Bytes>, connection: &mut Connection) -> Answer {
        let answer = self.next_reply();
        match versions(&answer).filter(|versions| versions.len() == keys.len()) {
            Some(versions) => {
                connection.on_watched(keys, versions);
                RedisReply::Ok.into()
            }
            // Redis never refuses it: who does not look at the answer must not find that the keys
            // were not watched.
            None => {
                connection.break_watch();
                answer
            }
        }
    }

    /// The end of `EXEC`.
    fn executed(
        &mut self,
        queued: &[Queued],
        connection: &mut Connection,
        world: &dyn World,
    ) -> Answer {
        match &self.end {
            Some(End::Changed) => return RedisReply::NullArray.into(),
            Some(End::Failed(text)) => return Answer::error(text.clone()),
            None => {}
        }
        let answer = |queued: &Queued| match queued {
            Queued::Command(_) => self.next_reply(),
            Queued::Local(request) => connection.answer(request, world),
        };
        Answer::Transaction(queued.iter().map(answer).collect())
    }
}

/// The store's command for the versions of keys.
const VERSION: &[u8] = b"ALTHING.VERSION";

/// Its reply.
fn versions(answer: &Answer) -> Option<Vec<RedisVersion>> {
    let Answer::Reply(RedisReply::Array(replies)) = answer else { return None };
    let version = |reply: &RedisReply| match reply {
        RedisReply::Integer(version) => u64::try_from(*version).ok().map(RedisVersion),
        _ => None,
    };
    replies.iter().map(version).collect()
}
