//! Transactions of the reference store that append to lists and read them, held to strict
//! serializability by a checker that knows neither the store nor the order of execution.
//!
//! A list is a value of numbers, each with a comma after it; every number is appended once.

use super::{Application, Judgement, replay};
use crate::Workload;
use crate::plan::pick;
use althing_checker::list_append::{self, Appends, ListHistory, Step};
use althing_checker::{Commutes, History, OperationId, Outcome};
use althing_kv::{
    Branch, Condition, KvCommand, KvConflicts, KvOperation, KvReply, OperationResult, Store,
    Transaction, TransactionEnd,
};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;
use rand::{Rng, RngExt};
use std::sync::Arc;

/// The reference store, asked for transactions on lists.
///
/// Its clients and its judge serve real clusters as well: what a client asks is
/// [`Self::operation`](Application::operation), and [`Self::judge`](Application::judge) takes the
/// payloads and replies of any run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transactions;

/// Numbers that one operation may append.
const APPENDS_MAX: u64 = 8;

impl Application for Transactions {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(KvConflicts::default())
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(Store::default())
    }

    fn operation(
        &self,
        workload: &Workload,
        client: usize,
        number: u64,
        mut rng: &mut dyn Rng,
    ) -> Bytes {
        let key = |rng: &mut dyn Rng| match rng.random_range(0..100) < workload.hot_percent {
            true => format!("hot{}", rng.random_range(0..workload.hot_keys)),
            false => format!("own{client}-{}", rng.random_range(0..3)),
        };
        let (one, mut other) = (key(rng), key(rng));
        if !workload.has_multi_key {
            other.clone_from(&one);
        }
        let element = |place: u64| format!("{},", number * APPENDS_MAX + place);
        let transaction = match pick(&mut rng, &[0, 0, 0, 0, 0, 1, 1, 2, 3, 4]) {
            0 => (0..rng.random_range(1..=4)).fold(Transaction::new(), |all, place| {
                let key = pick(&mut rng, &[&one, &other]).to_string();
                all.then(match rng.random_bool(0.5) {
                    true => KvOperation::append(key, element(place)),
                    false => KvOperation::get(key),
                })
            }),
            1 => {
                // Whatever the branch, it begins by telling what was compared.
                let condition = match rng.random_range(0..3) {
                    0 => Condition::Absent,
                    1 => Condition::Exists,
                    _ => Condition::Less(rng.random_range(1..1000).to_string().into()),
                };
                Transaction::new()
                    .when(one.clone(), condition)
                    .then(KvOperation::get(one.clone()))
                    .then(KvOperation::append(other.clone(), element(0)))
                    .otherwise(KvOperation::get(one))
                    .otherwise(KvOperation::get(other))
            }
            // A list is no number: of this nothing may be seen.
            2 => Transaction::new()
                .then(KvOperation::append(one, element(0)))
                .then(KvOperation::append(other.clone(), element(1)))
                .then(KvOperation::increment(other, 1)),
            3 => return KvCommand::Get { key: one.into() }.encode(),
            _ => return KvCommand::MultiGet { keys: vec![one.into(), other.into()] }.encode(),
        };
        KvCommand::Transaction(transaction).encode()
    }

    fn commutes(&self) -> Commutes {
        // Reads with reads; nothing here adds blindly.
        Commutes::new(|a, b| matches!((a, b), (0, 0) | (2, 2)))
    }

    /// By what clients saw alone; then, along the order of execution if there is one, by replaying.
    fn judge(
        &self,
        history: &History<Bytes, Bytes>,
        order: Option<&[OperationId]>,
    ) -> Result<Judgement, String> {
        list_append::check(&lists(history)?)
            .map_err(|anomaly| format!("not strictly serializable: {anomaly}"))?;
        replay(self, history, order.unwrap_or_default())?;
        Ok(Judgement { decided: history.operations().len() as u64, undecided: 0 })
    }
}

/// The history in the checker's words.
fn lists(history: &History<Bytes, Bytes>) -> Result<ListHistory, String> {
    for operation in history.operations() {
        if let Outcome::Returned { output, .. } = &operation.outcome {
            steps(&operation.input, output)
                .map_err(|why| format!("{operation:?} was answered wrongly: {why}"))?;
        }
    }
    let steps = |payload: &Bytes, reply: &Bytes| steps(payload, reply).expect("it was just now");
    Ok(history.map_each(appends, steps))
}

fn command(payload: &Bytes) -> KvCommand {
    KvCommand::decode(payload.clone()).expect("clients ask the store's own commands")
}

/// What a command would append, if it is done.
fn appends(payload: &Bytes) -> Appends {
    let KvCommand::Transaction(transaction) = command(payload) else { return Vec::new() };
    let operations = transaction.then.iter().chain(&transaction.otherwise);
    let appends = operations.filter_map(|operation| match operation {
        KvOperation::Append { key, value } => Some((key[..].into(), list(value).ok()?[0])),
        _ => None,
    });
    appends.collect()
}

/// What a command did, by its reply.
fn steps(payload: &Bytes, reply: &Bytes) -> Result<Vec<Step>, String> {
    let reply = KvReply::decode(reply.clone()).map_err(|invalid| invalid.to_string())?;
    let read = |key: &Bytes, value: &Option<Bytes>| {
        let elements = list(value.as_deref().unwrap_or_default())?;
        Ok(Step::read(&key[..], elements))
    };
    match (command(payload), reply) {
        (KvCommand::Get { key }, KvReply::Value(value)) => Ok(vec![read(&key, &value)?]),
        (KvCommand::MultiGet { keys }, KvReply::Values(values)) if keys.len() == values.len() => {
            keys.iter().zip(&values).map(|(key, value)| read(key, value)).collect()
        }
        (
            KvCommand::Transaction(transaction),
            KvReply::Transaction(TransactionEnd::Done { branch, results }),
        ) => {
            let operations = transaction.branch(branch);
            if operations.len() != results.len() {
                return Err("not one result for each operation".into());
            }
            for (key, condition) in &transaction.compare {
                let OperationResult::Value(value) = &results[0] else {
                    return Err("the first operation reads".into());
                };
                if condition.holds(value.as_deref()) != (branch == Branch::Then) {
                    return Err(format!("{key:?} was {value:?}, and the branch {branch:?}"));
                }
            }
            let steps = operations.iter().zip(&results).map(|pair| match pair {
                (KvOperation::Get { key }, OperationResult::Value(value)) => read(key, value),
                (KvOperation::Append { key, value }, OperationResult::Length(_)) => {
                    Ok(Step::append(&key[..], list(value)?[0]))
                }
                other => Err(format!("{other:?}")),
            });
            steps.collect()
        }
        // It changed nothing.
        (KvCommand::Transaction(_), KvReply::Transaction(TransactionEnd::Failed { .. })) => {
            Ok(Vec::new())
        }
        (_, reply) => Err(format!("{reply:?}")),
    }
}

fn list(value: &[u8]) -> Result<Vec<u64>, String> {
    let is_none = || format!("{:?} is no list of numbers", value.escape_ascii().to_string());
    let text = std::str::from_utf8(value).map_err(|_| is_none())?;
    text.split_terminator(',').map(|word| word.parse().map_err(|_| is_none())).collect()
}
