//! What clients did and saw: operations with the moments at which they were invoked and returned.
//!
//! One [`History`] records one run. Its events are numbered as they are recorded, and that order is
//! what "before" means: an operation precedes another when it returned before the other was
//! invoked. Clocks are kept for the reader; only [`History::merged`], for recorders in several
//! processes of one machine, goes by them.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Its place in the order of the history's events.
    pub event: u64,
    /// The recorder's clock, in nanoseconds. For the reader.
    pub ns: u64,
}

/// How an operation came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome<O> {
    /// It returned this output.
    Returned {
        /// When.
        at: Moment,
        /// What the client saw.
        output: O,
    },
    /// The client does not know: it may have taken effect at any moment since it was invoked, may
    /// do so at any later moment, or never.
    Unknown,
    /// It did not take effect and never will, and the client was told so.
    Failed,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation<I, O> {
    /// Who did it.
    pub client: u64,
    /// When it was invoked.
    pub invoked: Moment,
    /// What was asked.
    pub input: I,
    /// How it came out.
    pub outcome: Outcome<O>,
}

/// An operation of one history: what [`History::invoked`] gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(usize);

impl OperationId {
    /// Its place among the operations of the history.
    pub fn number(self) -> usize {
        self.0
    }
}

/// The operations of a run, in the order in which they were invoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<I, O> {
    operations: Vec<Operation<I, O>>,
    events: u64,
}

impl<I, O> History<I, O> {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self { operations: Vec::new(), events: 0 }
    }

    /// A client invokes an operation. Until told otherwise its outcome is unknown.
    pub fn invoked(&mut self, client: u64, ns: u64, input: I) -> OperationId {
        let invoked = self.moment(ns);
        self.operations.push(Operation { client, invoked, input, outcome: Outcome::Unknown });
        OperationId(self.operations.len() - 1)
    }

    /// It returned.
    ///
    /// # Panics
    /// When it has already returned or failed.
    pub fn returned(&mut self, operation: OperationId, ns: u64, output: O) {
        let at = self.moment(ns);
        self.end(operation, Outcome::Returned { at, output });
    }

    /// It failed for sure. An operation of unknown outcome is simply left as it is.
    ///
    /// # Panics
    /// When it has already returned or failed.
    pub fn failed(&mut self, operation: OperationId) {
        self.end(operation, Outcome::Failed);
    }

    /// The operations in the order in which they were invoked.
    pub fn operations(&self) -> &[Operation<I, O>] {
        &self.operations
    }

    /// The names of the operations, in that order.
    pub fn ids(&self) -> impl Iterator<Item = OperationId> + use<I, O> {
        (0..self.operations.len()).map(OperationId)
    }

    /// The same history in other words.
    pub fn map<J, P>(&self, input: impl Fn(&I) -> J, output: impl Fn(&O) -> P) -> History<J, P> {
        self.map_each(input, |_, seen| output(seen))
    }

    /// The same where an output says something only together with its input.
    pub fn map_each<J, P>(
        &self,
        input: impl Fn(&I) -> J,
        output: impl Fn(&I, &O) -> P,
    ) -> History<J, P> {
        let translate = |operation: &Operation<I, O>| Operation {
            client: operation.client,
            invoked: operation.invoked,
            input: input(&operation.input),
            outcome: match &operation.outcome {
                Outcome::Returned { at, output: seen } => {
                    Outcome::Returned { at: *at, output: output(&operation.input, seen) }
                }
                Outcome::Failed => Outcome::Failed,
                Outcome::Unknown => Outcome::Unknown,
            },
        };
        let operations = self.operations.iter().map(translate).collect();
        History { operations, events: self.events }
    }

    /// The histories of several recorders as one, ordered by their clocks, which must be one clock.
    /// At equal times invocations come first: operations that touch are taken for concurrent.
    pub fn merged(histories: impl IntoIterator<Item = Self>) -> Self {
        let mut operations: Vec<Operation<I, O>> =
            histories.into_iter().flat_map(|h| h.operations).collect();
        let mut events: BTreeMap<(u64, u8, usize), &mut Moment> = BTreeMap::new();
        for (number, operation) in operations.iter_mut().enumerate() {
            events.insert((operation.invoked.ns, 0, number), &mut operation.invoked);
            if let Outcome::Returned { at, .. } = &mut operation.outcome {
                events.insert((at.ns, 1, number), at);
            }
        }
        let mut count = 0;
        for moment in events.into_values() {
            moment.event = count;
            count += 1;
        }
        operations.sort_by_key(|operation| operation.invoked.event);
        Self { operations, events: count }
    }

    fn moment(&mut self, ns: u64) -> Moment {
        let event = self.events;
        self.events += 1;
        Moment { event, ns }
    }

    fn end(&mut self, operation: OperationId, outcome: Outcome<O>) {
        let slot = &mut self.operations[operation.0].outcome;
        assert!(matches!(slot, Outcome::Unknown), "an operation ends at most once");
        *slot = outcome;
    }
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        Self::new()
    }
}

/// A history could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file failed.
    #[error("reading or writing a history: {0}")]
    Io(#[from] std::io::Error),
    /// A line is not an operation.
    #[error("line {line} of a history is not an operation: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The operations stand in no possible order.
    #[error(
        "line {line} of a history is out of order: operations stand in the order of their \
         invocation and return after it"
    )]
    Order {
        /// Counted from 1.
        line: usize,
    },
}

impl<I: Serialize + DeserializeOwned, O: Serialize + DeserializeOwned> History<I, O> {
    /// Writes one operation a line, as JSON.
    pub fn write_json_lines(&self, mut to: impl Write) -> Result<(), HistoryError> {
        for (line, operation) in (1..).zip(&self.operations) {
            serde_json::to_writer(&mut to, operation)
                .map_err(|source| HistoryError::Line { line, source })?;
            to.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads what [`write_json_lines`](Self::write_json_lines) wrote.
    pub fn read_json_lines(from: impl BufRead) -> Result<Self, HistoryError> {
        let mut history = Self::new();
        for (line, text) in (1..).zip(from.lines()) {
            let operation: Operation<I, O> = serde_json::from_str(&text?)
                .map_err(|source| HistoryError::Line { line, source })?;
            let invoked = operation.invoked.event;
            let previous = history.operations.last().map(|o| o.invoked.event);
            let mut last = invoked;
            if let Outcome::Returned { at, .. } = &operation.outcome {
                last = at.event;
            }
            if previous.is_some_and(|p| p >= invoked) || last < invoked {
                return Err(HistoryError::Order { line });
            }
            history.events = history.events.max(last.saturating_add(1));
            history.operations.push(operation);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> History<String, u32> {
        let mut history = History::new();
        let a = history.invoked(1, 100, "a".to_string());
        let b = history.invoked(2, 110, "b".to_string());
        history.invoked(3, 115, "c".to_string());
        history.returned(b, 120, 7);
        history.failed(a);
        history
    }

    /// A history kept from a failed run could not be checked again.
    #[test]
    fn json_lines_give_back_the_same_history() {
        let mut bytes = Vec::new();
        sample().write_json_lines(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains(r#"{"returned":{"at":{"event":3,"ns":120},"output":7}}"#));
        let back = History::read_json_lines(text.as_bytes()).unwrap();
        assert_eq!(sample(), back);
        let swapped: String = text.lines().rev().map(|l| format!("{l}\n")).collect();
        let wrong = History::<String, u32>::read_json_lines(swapped.as_bytes());
        assert!(matches!(wrong, Err(HistoryError::Order { line: 2 })));
        let wrong = History::<String, u32>::read_json_lines(&b"{}\n"[..]);
        assert!(matches!(wrong, Err(HistoryError::Line { line: 1, .. })));
    }

    /// Operations that touch in time would be ordered by chance, and a right run condemned.
    #[test]
    fn merging_orders_by_the_clock_and_takes_equal_times_for_concurrent() {
        let mut other = History::new();
        let d = other.invoked(9, 120, "d".to_string());
        other.returned(d, 121, 8);
        let merged = History::merged([other, sample()]);
        let inputs: Vec<&str> = merged.operations().iter().map(|o| o.input.as_str()).collect();
        assert_eq!(inputs, ["a", "b", "c", "d"]);
        let Outcome::Returned { at, .. } = merged.operations()[1].outcome else {
            panic!("b returned");
        };
        assert!(merged.operations()[3].invoked.event < at.event);
    }
}
