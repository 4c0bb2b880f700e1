//! `MULTI`, `EXEC`, `DISCARD` and `WATCH`.

use super::{Command, Connection, Queued, Step, local};
use crate::encode::Answer;
use crate::limits;
use crate::request::Request;
use althing_kv::redis::RedisReply;
use bytes::Bytes;

/// What has been queued since `MULTI`.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    queued: Vec<Queued>,
    len: usize,
    args: usize,
    /// Whether a command was refused, so that none is executed.
    is_spoilt: bool,
}

impl Transaction {
    /// How many commands.
    pub(super) fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether no more of those belong in it that may be answered at length.
    pub(super) fn is_long_enough(&self) -> bool {
        let is_long = |queued: &&Queued| match queued {
            Queued::Local(request) => local::find(&request[0]).is_some_and(|spec| spec.is_long),
            Queued::Command(_) => false,
        };
        self.queued.iter().filter(is_long).count() >= limits::LONG_QUEUED_MAX
    }

    /// Takes one more.
    pub(super) fn queue(&mut self, mut queued: Queued) -> Answer {
        let (Queued::Command(Command { args: request, .. }) | Queued::Local(request)) = &mut queued;
        // It may wait for long: not as a part of the buffer that it arrived in.
        *request = request.iter().map(|arg| Bytes::copy_from_slice(arg)).collect();
        self.len += crate::round::encoded_len(request);
        self.args += request.len();
        let is_full = self.queued.len() >= limits::BATCH_COMMANDS_MAX
            || self.len > limits::BATCH_LEN_MAX
            || self.args > limits::BATCH_ARGS_MAX;
        if is_full {
            self.is_spoilt = true;
            return Answer::error(format!(
                "ERR a transaction has at most {} commands, {} arguments and {} bytes",
                limits::BATCH_COMMANDS_MAX,
                limits::BATCH_ARGS_MAX,
                limits::BATCH_LEN_MAX
            ));
        }
        // Of one that is not executed nothing is kept.
        if !self.is_spoilt {
            self.queued.push(queued);
        }
        RedisReply::Simple("QUEUED".into()).into()
    }
}

impl Connection {
    /// A command was refused.
    pub(super) fn spoil(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_spoilt = true;
            transaction.queued = Vec::new();
        }
    }

    pub(super) fn multi(&mut self) -> Answer {
        if self.transaction.is_some() {
            return Answer::error("ERR MULTI calls can not be nested");
        }
        self.transaction = Some(Transaction::default());
        RedisReply::Ok.into()
    }

    pub(super) fn discard(&mut self) -> Answer {
        if self.transaction.take().is_none() {
            return Answer::error("ERR DISCARD without MULTI");
        }
        self.take_watch();
        RedisReply::Ok.into()
    }

    pub(super) fn exec(&mut self) -> Step {
        let Some(transaction) = self.transaction.take() else {
            return Step::Answer(Answer::error("ERR EXEC without MULTI"));
        };
        if transaction.is_spoilt {
            self.take_watch();
            return Step::Answer(Answer::error(
                "EXECABORT Transaction discarded because of previous errors.",
            ));
        }
        Step::Exec(transaction.queued)
    }

    pub(super) fn watch_keys(&mut self, request: Request) -> Step {
        if self.transaction.is_some() {
            return Step::Answer(Answer::error("ERR WATCH inside MULTI is not allowed"));
        }
        let keys: Vec<Bytes> = request.into_iter().skip(1).collect();
        let (have, more) = (self.watch.keys.len(), keys.len());
        if have + more > limits::WATCHED_MAX {
            let max = limits::WATCHED_MAX;
            let text = format!("ERR {} watched keys, of at most {max}", have + more);
            return Step::Answer(Answer::error(text));
        }
        let len_max = althing_kv::limits::KEY_LEN_MAX;
        if keys.iter().any(|key| key.is_empty() || key.len() > len_max) {
            let text = format!("ERR a key has from 1 to {len_max} bytes here");
            return Step::Answer(Answer::error(text));
        }
        Step::Watch(keys)
    }
}
