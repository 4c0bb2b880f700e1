//! Anomalies in words.

use std::fmt::Write;

use super::cycle::Cycle;
use super::graph::{Edge, Graph, Kind};
use super::{Anomaly, Class, ListHistory, Step};
use crate::{OperationId, Outcome};

/// Elements of a list that are shown, of a longer one the last.
const SHOWN_MAX: usize = 12;

/// A list.
pub(super) fn list_words(list: &[u64]) -> String {
    let shown = &list[list.len().saturating_sub(SHOWN_MAX)..];
    let left_out = match list.len() - shown.len() {
        0 => String::new(),
        count => format!("({count} more) "),
    };
    let shown: Vec<String> = shown.iter().map(u64::to_string).collect();
    format!("[{left_out}{}]", shown.join(" "))
}

/// An operation.
pub(super) fn words(history: &ListHistory, id: OperationId) -> String {
    let operation = &history.operations()[id.number()];
    let appends = || -> Vec<String> {
        operation.input.iter().map(|(key, element)| format!("append {element} to {key}")).collect()
    };
    let (from, what) = (
        operation.invoked.event,
        match &operation.outcome {
            Outcome::Returned { at, output } => {
                let steps = output.iter().map(|step| match step {
                    Step::Append { key, element } => format!("append {element} to {key}"),
                    Step::Read { key, list } => format!("read {} of {key}", list_words(list)),
                });
                let steps: Vec<String> = steps.collect();
                format!("..{}: {}", at.event, steps.join(", "))
            }
            Outcome::Unknown => format!(".., outcome unknown: {}", appends().join(", ")),
            Outcome::Failed => format!(", failed: {}", appends().join(", ")),
        },
    );
    format!("T{} of client {} at {from}{what}", id.number(), operation.client)
}

/// A cycle, told from its first transaction on.
pub(super) fn of_cycle(
    history: &ListHistory,
    graph: &Graph<'_>,
    class: Class,
    cycle: &Cycle<'_>,
) -> Anomaly {
    // The edges between transactions: of a way over instants the first, which says as much.
    let steps: Vec<(OperationId, Edge<'_>)> =
        cycle.iter().filter_map(|(node, edge)| Some((graph.operation(*node)?, *edge))).collect();
    let operations: Vec<OperationId> = steps.iter().map(|(operation, _)| *operation).collect();
    let mut account = format!("{} transactions, each before the next, in a circle:", steps.len());
    for (at, (operation, edge)) in steps.iter().enumerate() {
        let (this, next) = (operation.number(), operations[(at + 1) % steps.len()].number());
        let _ = write!(account, "\n  {}", words(history, *operation));
        let _ = write!(account, "\n    T{this} is before T{next}: ");
        let _ = match (edge.kind, edge.on) {
            (Kind::Ww, Some((key, element))) => {
                write!(account, "T{next} appended {element} to {key} after it (ww)")
            }
            (Kind::Wr, Some((key, element))) => {
                write!(account, "T{next} saw its {element} in {key} (wr)")
            }
            (Kind::Rw, Some((key, element))) => {
                write!(account, "it did not see T{next}'s {element} in {key} (rw)")
            }
            _ => write!(account, "it returned before T{next} was invoked (rt)"),
        };
    }
    Anomaly { class, operations, account }
}
