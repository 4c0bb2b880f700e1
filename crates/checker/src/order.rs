//! SameOrder (I3): all replicas execute conflicting commands in one order.
//!
//! Commuting commands may be executed in any order, so sequences cannot be compared one by one.
//! What must agree is, for each command, *which conflicting commands came before it*. Two rules
//! say all of it:
//!
//! - the first replica to execute a command has executed every conflicting command that any
//!   replica executed so far (else the two orders disagree at once, whatever comes later);
//! - every other replica has the same conflicting commands before it as the first had.
//!
//! Sets are compared by size and by a 128-bit sum of scrambled ids, kept per (resource, mode): a
//! command costs its resources times the modes in use. Accounts are made by a slow scan.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::footprint::{Resources, Touched};
use crate::lives::Lives;
use crate::{Checkpoint, Commutes, Footprint, OperationId, RealTimeOrder, Violation};

/// The order of conflicting commands is the same on all replicas, prefix-comparable at any time.
#[derive(Debug)]
pub struct SameOrder {
    pub(crate) commutes: Commutes,
    pub(crate) resources: Resources,
    pub(crate) numbers: FxHashMap<u128, u32>,
    pub(crate) commands: Vec<Command>,
    /// As if one replica had executed every command when it was first executed anywhere.
    union: World,
    pub(crate) replicas: BTreeMap<u32, World>,
    pub(crate) lives: Lives<u32>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) id: u128,
    pub(crate) touched: Touched,
    before: Tally,
    replica_first: u32,
}

impl SameOrder {
    /// Modes on one resource commute as the function says.
    pub fn new(commutes: Commutes) -> Self {
        Self {
            commutes,
            resources: Resources::default(),
            numbers: FxHashMap::default(),
            commands: Vec::new(),
            union: World::default(),
            replicas: BTreeMap::new(),
            lives: Lives::default(),
        }
    }

    /// The replica applied the command (not: met it and skipped it as a duplicate or a noop).
    pub fn executed(
        &mut self,
        replica: u32,
        command: u128,
        footprint: Footprint<'_>,
    ) -> Result<(), Violation> {
        let touched = self.resources.touched(footprint);
        let world = self.replicas.entry(replica).or_default();
        let before = world.before(&touched, &self.commutes);
        let known = self.numbers.get(&command).copied();
        let expected = match known {
            Some(number) => self.commands[number as usize].before,
            None => self.union.before(&touched, &self.commutes),
        };
        if let Some(number) = known {
            let first = &self.commands[number as usize];
            if first.touched != touched {
                let (here, there) = (&touched, &first.touched);
                return Err(violation(format!(
                    "command {command:032x} touches {here:?} on replica {replica} and {there:?} on \
                     replica {}: replicas take different resources for the same command",
                    first.replica_first
                )));
            }
            if world.has_executed(number) {
                return Err(violation(format!(
                    "replica {replica} executed command {command:032x} twice in one life"
                )));
            }
        }
        if before != expected {
            return Err(self.account(replica, command, known, &touched));
        }
        let number = known.unwrap_or_else(|| {
            let number = self.commands.len() as u32;
            self.numbers.insert(command, number);
            self.union.add(number, command, &touched);
            self.commands.push(Command {
                id: command,
                touched: touched.clone(),
                before,
                replica_first: replica,
            });
            number
        });
        let world = self.replicas.get_mut(&replica).expect("entered above");
        world.add(number, command, &touched);
        self.lives.push(replica, number);
        Ok(())
    }

    /// Where the replica's execution stands, to be kept beside a snapshot of it.
    pub fn checkpoint(&self, replica: u32) -> Checkpoint {
        self.lives.checkpoint(replica)
    }

    /// The replica starts again: from a checkpoint (its own or of the replica whose snapshot it
    /// installed), or, with `None`, from the empty state. Also for a snapshot installed while it
    /// runs.
    pub fn restarted(&mut self, replica: u32, at: Option<Checkpoint>) -> Result<(), Violation> {
        let log = self.lives.restarted(replica, at)?;
        let mut world = World::default();
        for number in log {
            let command = &self.commands[*number as usize];
            world.add(*number, command.id, &command.touched);
        }
        self.replicas.insert(replica, world);
        Ok(())
    }

    /// Tells what the replica executed in its present life, in that order.
    /// `operation` names the operation of the history that a command is of.
    pub fn tell<I: std::fmt::Debug, O: std::fmt::Debug>(
        &self,
        replica: u32,
        to: &mut RealTimeOrder<'_, I, O>,
        mut operation: impl FnMut(u128) -> Option<OperationId>,
    ) -> Result<(), Violation> {
        for number in self.lives.log(replica) {
            let command = &self.commands[*number as usize];
            to.executed_touching(operation(command.id), &command.touched)?;
        }
        Ok(())
    }

    /// What the replica executed in its present life, in that order.
    pub fn log(&self, replica: u32) -> impl Iterator<Item = u128> {
        self.lives.log(replica).iter().map(|number| self.commands[*number as usize].id)
    }

    /// How many commands were executed by at least one replica.
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// Finds a conflicting command that stands on different sides of this one. By the first rule,
    /// what came before a command is exactly the conflicting ones that were heard of earlier.
    fn account(
        &self,
        replica: u32,
        command: u128,
        known: Option<u32>,
        touched: &Touched,
    ) -> Violation {
        let world = &self.replicas[&replica];
        let until = known.unwrap_or(self.commands.len() as u32);
        for (number, other) in (0u32..).zip(&self.commands) {
            let Some(resource) = touched.conflict(&other.touched, &self.commutes) else {
                continue;
            };
            let (here, there) = (world.has_executed(number), number < until);
            if here == there || known == Some(number) {
                continue;
            }
            let witness = match known {
                Some(number) if here => self.commands[number as usize].replica_first,
                _ => other.replica_first,
            };
            let (first, second) = if here { (other.id, command) } else { (command, other.id) };
            return violation(format!(
                "on {}, replica {replica} executes {first:032x} before {second:032x}, replica \
                 {witness} the other way round",
                self.resources.name(resource)
            ));
        }
        violation(format!(
            "replica {replica} executes {command:032x} after other commands than the others did"
        ))
    }
}

fn violation(account: String) -> Violation {
    Violation::new("SameOrder", account)
}

/// What one replica has executed in its present life.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// By resource: the tally of each mode in use.
    by_resource: FxHashMap<u32, Vec<(u8, Tally)>>,
    everything: Tally,
    all: Tally,
    executed: Vec<u64>,
}

impl World {
    /// The conflicting commands executed so far.
    pub(crate) fn before(&self, touched: &Touched, commutes: &Commutes) -> Tally {
        let Touched::Resources(resources) = touched else {
            return self.all;
        };
        let mut before = self.everything;
        for (position, (resource, mode)) in (1u128..).zip(resources) {
            for (other, tally) in self.by_resource.get(resource).into_iter().flatten() {
                if !commutes.commute(*mode, *other) {
                    // Weighted by position: what is missing on one resource must not be made up
                    // for by the same command in excess on another.
                    before.count += tally.count;
                    before.sum = before.sum.wrapping_add(tally.sum.wrapping_mul(2 * position + 1));
                }
            }
        }
        before
    }

    pub(crate) fn add(&mut self, number: u32, id: u128, touched: &Touched) {
        let id = scrambled(id);
        self.all.add(id);
        match touched {
            Touched::Everything => self.everything.add(id),
            Touched::Resources(resources) => {
                for (resource, mode) in resources {
                    let tallies = self.by_resource.entry(*resource).or_default();
                    match tallies.iter_mut().find(|(m, _)| m == mode) {
                        Some((_, tally)) => tally.add(id),
                        None => tallies.push((*mode, Tally { count: 1, sum: id })),
                    }
                }
            }
        }
        let word = number as usize / 64;
        if self.executed.len() <= word {
            self.executed.resize(word + 1, 0);
        }
        self.executed[word] |= 1 << (number % 64);
    }

    pub(crate) fn has_executed(&self, number: u32) -> bool {
        let word = self.executed.get(number as usize / 64);
        word.is_some_and(|w| w & (1 << (number % 64)) != 0)
    }
}

/// A set of commands by size and sum.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    sum: u128,
}

impl Tally {
    fn add(&mut self, scrambled: u128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(scrambled);
    }
}

/// Spreads ids that are small or consecutive over 128 bits, so that sums of different sets differ.
fn scrambled(id: u128) -> u128 {
    let (high, low) = ((id >> 64) as u64, id as u64);
    let one = splitmix(low ^ splitmix(high));
    let two = splitmix(one ^ low.rotate_left(32) ^ 0x5851_f42d_4c95_7f2d);
    u128::from(one) << 64 | u128::from(two)
}

fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: u8 = 0;
    const WRITE: u8 = 1;
    const ADD: u8 = 2;

    fn commutes(a: u8, b: u8) -> bool {
        a == b && a != WRITE
    }

    /// Executes one command on key `k`.
    fn run(oracle: &mut SameOrder, replica: u32, id: u128, mode: u8) -> Result<(), Violation> {
        oracle.executed(replica, id, Footprint::Resources(&[(b"k", mode)]))
    }

    /// Two replicas with two orders of writes, diverged for ever, would pass.
    #[test]
    fn two_orders_of_writes_are_told_at_the_first_step_that_differs() {
        let mut oracle = SameOrder::new(Commutes::new(commutes));
        run(&mut oracle, 1, 10, WRITE).unwrap();
        run(&mut oracle, 1, 11, WRITE).unwrap();
        let told = run(&mut oracle, 2, 11, WRITE).unwrap_err().to_string();
        assert!(told.contains("resource \"k\""), "{told}");
        assert!(told.contains("replica 2 executes"), "{told}");
        assert!(told.contains("replica 1 the other way round"), "{told}");
    }

    /// A divergence would show only if both replicas live long enough to execute both.
    #[test]
    fn different_first_commands_are_told_at_once() {
        let mut oracle = SameOrder::new(Commutes::new(commutes));
        run(&mut oracle, 1, 10, READ).unwrap();
        assert!(run(&mut oracle, 2, 11, WRITE).is_err());
    }

    /// Parallel reads and increments, which replicas may reorder, would raise false alarms.
    #[test]
    fn commuting_commands_may_differ() {
        let mut oracle = SameOrder::new(Commutes::new(commutes));
        for (replica, order) in [(1, [10, 11, 12]), (2, [12, 10, 11])] {
            for id in order {
                run(&mut oracle, replica, id, ADD).unwrap();
            }
            run(&mut oracle, replica, 20, READ).unwrap();
            run(&mut oracle, replica, 30, WRITE).unwrap();
        }
        // A replica that reads one increment too early has seen another state.
        for id in [10, 11] {
            run(&mut oracle, 3, id, ADD).unwrap();
        }
        assert!(run(&mut oracle, 3, 20, READ).is_err());
    }

    /// Commands on different keys, unordered by design, would raise false alarms.
    #[test]
    fn resources_are_apart_and_everything_is_a_barrier() {
        let mut oracle = SameOrder::new(Commutes::new(commutes));
        let on = |key: &'static [u8]| [(key, WRITE)];
        oracle.executed(1, 1, Footprint::Resources(&on(b"a"))).unwrap();
        oracle.executed(1, 2, Footprint::Resources(&on(b"b"))).unwrap();
        oracle.executed(1, 3, Footprint::Everything).unwrap();
        oracle.executed(2, 2, Footprint::Resources(&on(b"b"))).unwrap();
        let early = oracle.executed(2, 3, Footprint::Everything);
        assert!(early.unwrap_err().to_string().contains("on everything"));
        oracle.executed(2, 1, Footprint::Resources(&on(b"a"))).unwrap();
        oracle.executed(2, 3, Footprint::Everything).unwrap();
    }

    /// A replica that replays after a crash would be taken for one that executes twice, or a
    /// replay in another order would pass.
    #[test]
    fn a_restart_replays_from_its_checkpoint() {
        let mut oracle = SameOrder::new(Commutes::new(commutes));
        run(&mut oracle, 1, 10, WRITE).unwrap();
        let at = oracle.checkpoint(1);
        run(&mut oracle, 1, 11, WRITE).unwrap();
        assert!(run(&mut oracle, 1, 11, WRITE).is_err());
        oracle.restarted(1, Some(at)).unwrap();
        assert!(run(&mut oracle, 1, 12, WRITE).is_err());
        run(&mut oracle, 1, 11, WRITE).unwrap();
        oracle.restarted(1, None).unwrap();
        assert!(run(&mut oracle, 1, 11, WRITE).is_err());
        run(&mut oracle, 1, 10, WRITE).unwrap();
        // Another replica installs the first one's snapshot.
        oracle.restarted(2, Some(at)).unwrap();
        run(&mut oracle, 2, 11, WRITE).unwrap();
        assert_eq!(oracle.commands(), 2);
    }
}
