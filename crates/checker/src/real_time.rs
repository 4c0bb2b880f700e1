//! RealTimeOrder (I4): the order in which a replica executed explains what clients saw when.
//!
//! A search for an order is needed where none is known. A replica knows one. This takes the commands
//! in the order in which a replica executed them, each with its footprint and its operation in the
//! clients' history, and decides in one pass whether that execution respects real time. No search,
//! no budget; any state machine, any conflict function, any contention.
//!
//! **The question.** Conflicting commands must keep the order of the execution (all replicas have
//! the same one: [`SameOrder`](crate::SameOrder)); commuting ones may be exchanged, which changes no
//! reply. Is there an order that keeps this, and in which every operation stands between its
//! invocation and its return?
//!
//! **The answer.** Go through the execution and give each x the point
//! `p(x) = max(inv(x), max { p(y) : y executed before x, conflicting with it })`, in event numbers of
//! the history, which are all different. Such an order exists if and only if `p(x) < ret(x)` for
//! every x; an unknown outcome returns at infinity.
//!
//! *Necessary.* Take any such order, and for each x a moment `m(x)` between its invocation and its
//! return, ascending in that order. By induction over the execution `p(x) <= m(x)`: `inv(x) < m(x)`,
//! and a conflicting y executed before x stands before x, so `p(y) <= m(y) <= m(x)`. Hence
//! `p(x) <= m(x) < ret(x)`.
//!
//! *Sufficient.* Order by `(p(x), place in the execution)`. A conflicting y executed before x has
//! `p(y) <= p(x)` and the lower place, so it stands before x. If a returned before b was invoked,
//! then `p(a) < ret(a) < inv(b) <= p(b)`, so a stands before b. And p(x) is some operation's
//! invocation, hence a whole number below ret(x): there is room after it for all that share it.
//!
//! The pairs of I4 (x answered before y was submitted, in conflict, and executed after it) break it,
//! and so does a chain: z before y before x in the execution, x and z not in conflict, and x
//! returned before z was invoked.
//!
//! The order found is handed out: with a specification,
//! [`linearizable::explains`](crate::linearizable::explains) goes through it and compares every
//! reply, which decides linearizability itself, whatever the conflict function claims.
//!
//! **Cost.** Per resource and mode the highest point is kept, and one for everything.

use std::fmt::Debug;

use rustc_hash::FxHashMap;

use crate::footprint::{Resources, Touched};
use crate::history::{History, OperationId, Outcome};
use crate::{Commutes, Footprint, Violation};

/// The point of an operation that never returned.
const NEVER: u64 = u64::MAX;

/// The execution of one replica respects the real time of the clients' history.
#[derive(Debug)]
pub struct RealTimeOrder<'h, I, O> {
    commutes: Commutes,
    history: &'h History<I, O>,
    resources: Resources,
    /// By operation of the history: its place in the execution.
    places: Vec<Option<u32>>,
    executed: Vec<Executed>,
    by_resource: FxHashMap<u32, Vec<(u8, Latest)>>,
    /// Of the commands over everything, and of all.
    everything: Option<Latest>,
    all: Option<Latest>,
}

#[derive(Debug, Clone, Copy)]
struct Executed {
    operation: Option<OperationId>,
    point: u64,
    /// The command executed before it on account of which the point is not its own invocation.
    after: Option<u32>,
}

/// The highest point so far, and the command that has it.
#[derive(Debug, Clone, Copy)]
struct Latest {
    point: u64,
    place: u32,
}

impl<'h, I: Debug, O: Debug> RealTimeOrder<'h, I, O> {
    /// Nothing executed yet.
    pub fn new(history: &'h History<I, O>, commutes: Commutes) -> Self {
        Self {
            commutes,
            history,
            resources: Resources::default(),
            places: vec![None; history.operations().len()],
            executed: Vec::new(),
            by_resource: FxHashMap::default(),
            everything: None,
            all: None,
        }
    }

    /// The next command that took effect, and the operation that it is of; `None` for one that is
    /// nobody's in the history, which may have been invoked at any time.
    pub fn executed(
        &mut self,
        operation: Option<OperationId>,
        footprint: Footprint<'_>,
    ) -> Result<(), Violation> {
        let touched = self.resources.touched(footprint);
        self.executed_touching(operation, &touched)
    }

    /// That was all: an order of the operations that explains the execution. Every operation that
    /// returned must be in it.
    pub fn finish(self) -> Result<Vec<OperationId>, Violation> {
        for (number, operation) in self.history.operations().iter().enumerate() {
            if self.places[number].is_none()
                && matches!(operation.outcome, Outcome::Returned { .. })
            {
                return Err(violation(format!(
                    "{operation:?} returned, and this replica never executed it"
                )));
            }
        }
        let mut order: Vec<&Executed> = self.executed.iter().collect();
        // Stable: of equal points the first executed comes first.
        order.sort_by_key(|executed| executed.point);
        Ok(order.into_iter().filter_map(|executed| executed.operation).collect())
    }

    pub(crate) fn executed_touching(
        &mut self,
        operation: Option<OperationId>,
        touched: &Touched,
    ) -> Result<(), Violation> {
        let place = self.executed.len() as u32;
        let (mut invoked, mut returned) = (0, NEVER);
        if let Some(id) = operation {
            let operation = &self.history.operations()[id.number()];
            if self.places[id.number()].replace(place).is_some() {
                return Err(violation(format!("{operation:?} took effect twice")));
            }
            invoked = operation.invoked.event;
            match &operation.outcome {
                Outcome::Returned { at, .. } => returned = at.event,
                Outcome::Unknown => {}
                Outcome::Failed => {
                    return Err(violation(format!(
                        "{operation:?} took effect, and its client was told that it never will"
                    )));
                }
            }
        }
        let before = self.before(touched).filter(|latest| latest.point > invoked);
        let point = before.map_or(invoked, |latest| latest.point);
        let after = before.map(|latest| latest.place);
        self.executed.push(Executed { operation, point, after });
        if point >= returned {
            return Err(self.account(place));
        }
        self.add(touched, Latest { point, place });
        Ok(())
    }

    /// The highest point of the conflicting commands executed so far.
    fn before(&self, touched: &Touched) -> Option<Latest> {
        let Touched::Resources(list) = touched else { return self.all };
        let mut before = self.everything;
        for (resource, mode) in list {
            for (other, latest) in self.by_resource.get(resource).into_iter().flatten() {
                if !self.commutes.commute(*mode, *other)
                    && before.is_none_or(|b| b.point < latest.point)
                {
                    before = Some(*latest);
                }
            }
        }
        before
    }

    fn add(&mut self, touched: &Touched, latest: Latest) {
        raise(&mut self.all, latest);
        let Touched::Resources(list) = touched else {
            raise(&mut self.everything, latest);
            return;
        };
        for (resource, mode) in list {
            let modes = self.by_resource.entry(*resource).or_default();
            match modes.iter_mut().find(|(m, _)| m == mode) {
                Some((_, known)) if known.point >= latest.point => {}
                Some((_, known)) => *known = latest,
                None => modes.push((*mode, latest)),
            }
        }
    }

    /// Follows the chain from the command that came too late to the one that held it up.
    fn account(&self, place: u32) -> Violation {
        let words = |place: u32| match self.executed[place as usize].operation {
            Some(id) => format!("{:?}", self.history.operations()[id.number()]),
            None => "a command of no client".into(),
        };
        let mut between = 0;
        let mut cause = place;
        while let Some(after) = self.executed[cause as usize].after {
            between += 1;
            cause = after;
        }
        let chain = match between {
            0 | 1 => "in conflict with it".to_string(),
            _ => format!("{} commands between them, each in conflict with the next", between - 1),
        };
        violation(format!(
            "executed after {}, {chain}, and returned before that was invoked: {}",
            words(cause),
            words(place)
        ))
    }
}

fn raise(slot: &mut Option<Latest>, latest: Latest) {
    if slot.is_none_or(|known| known.point < latest.point) {
        *slot = Some(latest);
    }
}

fn violation(account: String) -> Violation {
    Violation::new("RealTimeOrder", account)
}

#[cfg(test)]
mod tests;
