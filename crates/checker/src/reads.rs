//! Reads that are no command: what each showed is told where a replica answers it, as the commands
//! which that replica had executed.
//!
//! **Linearizable.** All that such a read can observe is executed in one order everywhere, so that
//! what it showed is one of the prefixes of it. Its place is there in the order of execution of any
//! replica; with that, [`RealTimeOrder`](crate::RealTimeOrder) judges it like a command.
//!
//! **Sessions.** Whoever reads sees all that it has seen: its own commands, what their replies
//! showed, and what its earlier reads showed.
//!
//! **Stale.** A read that says how old it is shows all that was answered longer ago.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::footprint::Touched;
use crate::order::{Tally, World};
use crate::{Footprint, OperationId, RealTimeOrder, SameOrder, Violation};

/// Reads of the same resources, in the same modes, whose place was not found yet.
type Waiting<'r> = Vec<&'r (OperationId, Shown)>;

/// What a read showed.
#[derive(Debug, Clone)]
pub struct Shown {
    touched: Touched,
    before: Tally,
    /// The conflicting commands that were executed.
    commands: BTreeSet<u32>,
}

/// What one client has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(BTreeSet<u32>);

impl Known {
    /// It has seen what a read showed.
    pub fn add(&mut self, shown: &Shown) {
        self.0.extend(&shown.commands);
    }
}

impl SameOrder {
    /// What a read with that footprint shows at a replica now.
    pub fn shown(&mut self, replica: u32, footprint: Footprint<'_>) -> Shown {
        let touched = self.resources.touched(footprint);
        let world = self.replicas.entry(replica).or_default();
        let before = world.before(&touched, &self.commutes);
        let is_conflicting = |number: &&u32| {
            let other = &self.commands[**number as usize].touched;
            touched.conflict(other, &self.commutes).is_some()
        };
        let commands = self.lives.log(replica).iter().filter(is_conflicting).copied().collect();
        Shown { touched, before, commands }
    }

    /// A client knows that a command was executed, and what its reply can show: all conflicting
    /// commands before it.
    pub fn answered(&self, command: u128, known: &mut Known) {
        let Some(number) = self.numbers.get(&command).copied() else { return };
        let touched = &self.commands[number as usize].touched;
        let before = (0..number).filter(|other| {
            let other = &self.commands[*other as usize].touched;
            touched.conflict(other, &self.commutes).is_some()
        });
        known.0.extend(before);
        known.0.insert(number);
    }

    /// A replica answers a read of a client that knew so much when it asked.
    pub fn read_in_session(&self, replica: u32, known: &Known) -> Result<(), Violation> {
        let lacks = |number: &&u32| {
            !self.replicas.get(&replica).is_some_and(|world| world.has_executed(**number))
        };
        let Some(lacked) = known.0.iter().find(lacks) else { return Ok(()) };
        let command = self.commands[*lacked as usize].id;
        Err(Violation::new(
            "SessionReads",
            format!(
                "replica {replica} answered a session's read without command {command:032x}, which \
                 the client had seen"
            ),
        ))
    }

    /// A replica answers a stale read and says that it shows this command.
    pub fn read_with_lag(&self, replica: u32, command: u128) -> Result<(), Violation> {
        let number = self.numbers.get(&command);
        let world = self.replicas.get(&replica);
        if number.is_some_and(|it| world.is_some_and(|world| world.has_executed(*it))) {
            return Ok(());
        }
        Err(Violation::new(
            "StaleReads",
            format!(
                "replica {replica} answered a stale read without command {command:032x}, which was \
                 answered longer ago than the lag"
            ),
        ))
    }

    /// Tells what a replica executed in its present life, as [`Self::tell`] does, and these reads
    /// among it, each where what it showed had been executed.
    pub fn tell_with_reads<I: Debug, O: Debug>(
        &self,
        replica: u32,
        to: &mut RealTimeOrder<'_, I, O>,
        mut operation: impl FnMut(u128) -> Option<OperationId>,
        reads: &[(OperationId, Shown)],
    ) -> Result<(), Violation> {
        let mut world = World::default();
        let mut waiting: BTreeMap<Vec<(u32, u8)>, Waiting<'_>> = BTreeMap::new();
        for read in reads {
            let Touched::Resources(touched) = &read.1.touched else {
                return Err(Violation::new("LinearizableReads", "a read of everything"));
            };
            waiting.entry(touched.clone()).or_default().push(read);
        }
        let mut place = |world: &World, to: &mut RealTimeOrder<'_, I, O>| {
            for reads in waiting.values_mut() {
                let Some((_, shown)) = reads.first() else { continue };
                let now = world.before(&shown.touched, &self.commutes);
                let mut at = 0;
                while at < reads.len() {
                    if reads[at].1.before == now {
                        let (id, shown) = reads.swap_remove(at);
                        to.executed_touching(Some(*id), &shown.touched)?;
                    } else {
                        at += 1;
                    }
                }
            }
            Ok::<_, Violation>(())
        };
        place(&world, to)?;
        for number in self.lives.log(replica) {
            let command = &self.commands[*number as usize];
            to.executed_touching(operation(command.id), &command.touched)?;
            world.add(*number, command.id, &command.touched);
            place(&world, to)?;
        }
        match waiting.into_values().flatten().next() {
            None => Ok(()),
            Some((id, shown)) => Err(Violation::new(
                "LinearizableReads",
                format!(
                    "read {} showed {} conflicting commands that are no prefix of what replica \
                     {replica} executed",
                    id.number(),
                    shown.before.count
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Commutes, History};

    const READ: u8 = 0;
    const WRITE: u8 = 1;
    const ADD: u8 = 2;

    fn order() -> SameOrder {
        SameOrder::new(Commutes::new(|a, b| a == b && a != WRITE))
    }

    fn k(mode: u8) -> [(&'static [u8], u8); 1] {
        [(b"k", mode)]
    }

    fn run(order: &mut SameOrder, replica: u32, id: u128, mode: u8) {
        order.executed(replica, id, Footprint::Resources(&k(mode))).unwrap();
    }

    /// Broken: a read of a state from before what its client had been answered would pass.
    #[test]
    fn a_read_that_misses_what_was_answered_is_found() {
        for is_old in [false, true] {
            let mut order = order();
            let mut history = History::<u8, ()>::new();
            let write = history.invoked(1, 1, 0);
            run(&mut order, 1, 10, WRITE);
            history.returned(write, 2, ());
            let read = history.invoked(2, 3, 1);
            // The other replica has not heard of the write.
            let replica = if is_old { 2 } else { 1 };
            let shown = order.shown(replica, Footprint::Resources(&k(READ)));
            history.returned(read, 4, ());
            let commutes = Commutes::new(|a, b| a == b && a != WRITE);
            let mut oracle = RealTimeOrder::new(&history, commutes);
            let told = order
                .tell_with_reads(1, &mut oracle, |_| Some(write), &[(read, shown)])
                .and_then(|()| oracle.finish().map(drop));
            assert_eq!(told.is_err(), is_old, "{told:?}");
        }
    }

    /// Broken: two reads that see two commuting updates in opposite orders would pass.
    #[test]
    fn a_read_of_no_prefix_is_found() {
        let mut order = order();
        let mut history = History::<u8, ()>::new();
        for (replica, id) in [(1, 10), (2, 11)] {
            run(&mut order, replica, id, ADD);
        }
        let mut reads = Vec::new();
        for replica in [1, 2] {
            let read = history.invoked(replica.into(), 1, 0);
            reads.push((read, order.shown(replica, Footprint::Resources(&k(READ)))));
            history.returned(read, 2, ());
        }
        run(&mut order, 1, 11, ADD);
        let commutes = Commutes::new(|a, b| a == b && a != WRITE);
        let mut oracle = RealTimeOrder::new(&history, commutes);
        let told = order.tell_with_reads(1, &mut oracle, |_| None, &reads);
        assert_eq!(told.unwrap_err().property, "LinearizableReads");
    }

    /// Broken: a client that reads elsewhere would lose what it wrote, or what it read.
    #[test]
    fn a_session_that_goes_back_is_found() {
        let mut order = order();
        run(&mut order, 1, 10, WRITE);
        run(&mut order, 1, 11, WRITE);
        run(&mut order, 2, 10, WRITE);
        let mut known = Known::default();
        let shown = order.shown(2, Footprint::Resources(&k(READ)));
        known.add(&shown);
        order.read_in_session(1, &known).unwrap();
        order.read_in_session(2, &known).unwrap();
        order.answered(11, &mut known);
        order.read_in_session(1, &known).unwrap();
        assert!(order.read_in_session(2, &known).is_err());
        assert!(order.read_in_session(3, &known).is_err());
        assert!(order.read_with_lag(2, 10).is_ok() && order.read_with_lag(2, 11).is_err());
    }
}
