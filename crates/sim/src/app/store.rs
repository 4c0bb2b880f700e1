//! The reference key-value store, held to a specification that shares nothing with it.

use super::{Application, Judgement};
use crate::Workload;
use crate::limits::SEARCH_STEPS_MAX;
use crate::plan::pick;
use althing_checker::register_map::{Input, Output};
use althing_checker::{Commutes, History, OperationId, RegisterMap, Verdict, linearizable};
use althing_kv::{KvCommand, KvConflicts, KvReply};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;
use rand::{Rng, RngExt};
use std::sync::Arc;

/// The reference store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Store;

impl Application for Store {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(KvConflicts::default())
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(althing_kv::Store::default())
    }

    fn operation(
        &self,
        workload: &Workload,
        client: usize,
        number: u64,
        mut rng: &mut dyn Rng,
    ) -> Bytes {
        let mut key = || -> Bytes {
            if rng.random_range(0..100) < workload.hot_percent {
                format!("hot{}", rng.random_range(0..workload.hot_keys)).into()
            } else {
                format!("own{client}-{}", rng.random_range(0..3)).into()
            }
        };
        let (key, other) = (key(), key());
        let value = Bytes::from(number.to_string());
        let kinds: &[u8] = match workload.has_multi_key {
            true => &[0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 6],
            false => &[0, 0, 0, 1, 1, 1, 2, 3, 3, 4],
        };
        let command = match pick(&mut rng, kinds) {
            0 => KvCommand::Put { key, value },
            1 => KvCommand::Get { key },
            2 => KvCommand::Delete { key },
            3 => KvCommand::Increment { key, by: 3 },
            4 => KvCommand::CompareAndSwap { key, expected: None, new: Some(value) },
            5 => KvCommand::MultiPut { pairs: vec![(key, value.clone()), (other, value)] },
            _ => KvCommand::MultiGet { keys: vec![key, other] },
        };
        command.encode()
    }

    fn commutes(&self) -> Commutes {
        // Reads with reads, blind additions with blind additions.
        Commutes::new(|a, b| matches!((a, b), (0, 0) | (2, 2)))
    }

    /// Along the order of execution, and by a search that knows nothing of it.
    fn judge(
        &self,
        history: &History<Bytes, Bytes>,
        order: Option<&[OperationId]>,
    ) -> Result<Judgement, String> {
        let history = history.map(input, output);
        if let Some(order) = order {
            linearizable::explains(&RegisterMap, &history, order)
                .map_err(|violation| violation.to_string())?;
        }
        let all = history.operations().len() as u64;
        match linearizable::check(&RegisterMap, &history, SEARCH_STEPS_MAX) {
            Verdict::NotLinearizable(account) => Err(account.to_string()),
            Verdict::Undecided { operations, .. } => {
                let undecided = operations as u64;
                Ok(Judgement { decided: all - undecided, undecided })
            }
            Verdict::Linearizable { .. } => Ok(Judgement { decided: all, undecided: 0 }),
        }
    }
}

fn input(payload: &Bytes) -> Input {
    let blob = |bytes: Bytes| bytes.as_ref().into();
    match KvCommand::decode(payload.clone()).expect("clients ask the store's own commands") {
        KvCommand::Put { key, value } => Input::Put { key: blob(key), value: blob(value) },
        KvCommand::Get { key } => Input::Get { key: blob(key) },
        KvCommand::Delete { key } => Input::Delete { key: blob(key) },
        KvCommand::Increment { key, by } => Input::Increment { key: blob(key), by },
        KvCommand::CompareAndSwap { key, expected, new } => Input::CompareAndSwap {
            key: blob(key),
            expected: expected.map(blob),
            new: new.map(blob),
        },
        KvCommand::MultiPut { pairs } => Input::MultiPut {
            entries: pairs.into_iter().map(|(key, value)| (blob(key), blob(value))).collect(),
        },
        KvCommand::MultiGet { keys } => {
            Input::MultiGet { keys: keys.into_iter().map(blob).collect() }
        }
        command @ (KvCommand::Add { .. } | KvCommand::Redis(_) | KvCommand::Transaction(_)) => {
            unreachable!("no client asks for it: {command:?}")
        }
    }
}

fn output(reply: &Bytes) -> Output {
    let blob = |value: Option<Bytes>| value.map(|bytes| bytes.as_ref().into());
    match KvReply::decode(reply.clone()).expect("replies are the store's own") {
        KvReply::Value(value) => Output::Value(blob(value)),
        KvReply::Values(values) => Output::Values(values.into_iter().map(blob).collect()),
        KvReply::Done | KvReply::Swapped { swapped: true, .. } => Output::Done,
        KvReply::Deleted(existed) => Output::Existed(existed),
        KvReply::Swapped { swapped: false, actual } => Output::DiffersHolding(blob(actual)),
        KvReply::Number(number) => Output::Integer(number),
        KvReply::NotANumber | KvReply::Overflow => Output::NotAnInteger,
        reply @ (KvReply::TooLong { .. }
        | KvReply::WrongType
        | KvReply::Redis(_)
        | KvReply::Transaction(_)
        | KvReply::NotACommand) => {
            unreachable!("no client asks for it: {reply:?}")
        }
    }
}
