//! An order replayed: the definition of strict serializability, as simple as it is.

use rustc_hash::FxHashMap;

use super::account::{list_words, words};
use super::{ListHistory, Step};
use crate::register_map::Blob;
use crate::{OperationId, Outcome};

/// Whether this order explains the history: every operation that returned is in it once, none that
/// failed; each read sees what the appends before it made; and none returned before one that stands
/// before it was invoked.
///
/// # Errors
/// The first thing that it does not explain.
pub(super) fn replay(history: &ListHistory, order: &[OperationId]) -> Result<(), String> {
    let mut lists: FxHashMap<&Blob, Vec<u64>> = FxHashMap::default();
    let mut is_placed = vec![false; history.operations().len()];
    let mut invoked_last = 0;
    for id in order {
        let operation = &history.operations()[id.number()];
        let wrong = |what: String| Err(format!("{}: {what}", words(history, *id)));
        if std::mem::replace(&mut is_placed[id.number()], true) {
            return wrong("it comes twice".into());
        }
        invoked_last = invoked_last.max(operation.invoked.event);
        match &operation.outcome {
            Outcome::Failed => return wrong("it failed".into()),
            Outcome::Unknown => {
                for (key, element) in &operation.input {
                    lists.entry(key).or_default().push(*element);
                }
            }
            Outcome::Returned { at, output } => {
                if at.event < invoked_last {
                    return wrong("it returned before one before it was invoked".into());
                }
                for step in output {
                    match step {
                        Step::Append { key, element } => {
                            lists.entry(key).or_default().push(*element);
                        }
                        Step::Read { key, list } => {
                            let found = lists.entry(key).or_default();
                            if found != list {
                                let found = list_words(found);
                                return wrong(format!("{key} is {found} there"));
                            }
                        }
                    }
                }
            }
        }
    }
    for (id, operation) in history.ids().zip(history.operations()) {
        if matches!(operation.outcome, Outcome::Returned { .. }) && !is_placed[id.number()] {
            return Err(format!("{}: it is not in the order", words(history, id)));
        }
    }
    Ok(())
}
