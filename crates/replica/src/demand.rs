//! Who contends for what: how often the clients of each node touch a resource, for the proposer
//! beside this replica, which places its commands accordingly.
//!
//! Every replica executes every command, so all count the same, a little apart in time. A command
//! belongs to the node at which its session was opened. Counting is by two generations, each half a
//! window long: the older one is dropped when the younger one is full, so that memory is bounded by
//! two tables, and what is over is forgotten within a window.

use althing_model::mark::{self, Mark};
use althing_model::{Command, Footprint, Micros, Mode, ModeTable, NodeId};
use althing_wire::Demand as Told;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The counts of one replica: of commands whose vertices depend on other proposers' vertices. Most
/// resources that one node's clients have to themselves stay out that way, and the others make room
/// when there is none left.
#[derive(Debug)]
pub(crate) struct Demand {
    modes: ModeTable,
    /// Half the window.
    generation: Micros,
    /// Resources in a generation; more are not counted. 0: nothing is.
    len_max: usize,
    began: Micros,
    earlier_began: Micros,
    current: BTreeMap<Bytes, Touched>,
    earlier: BTreeMap<Bytes, Touched>,
}

/// How one resource was touched within a generation, by node.
type Touched = BTreeMap<NodeId, Touches>;

#[derive(Debug, Clone, Copy, Default)]
struct Touches {
    commands: u64,
    /// Bit `m`: in mode `m`.
    modes: u64,
}

impl Demand {
    pub(crate) fn new(modes: ModeTable, window: Micros, len_max: usize) -> Self {
        Self {
            modes,
            generation: (window / 2).max(1),
            len_max,
            began: 0,
            earlier_began: 0,
            current: BTreeMap::new(),
            earlier: BTreeMap::new(),
        }
    }

    /// Begins to count anew: what was executed at a restart says nothing of the present.
    pub(crate) fn start(&mut self, now: Micros) {
        (self.began, self.earlier_began) = (now, now);
        self.current.clear();
        self.earlier.clear();
    }

    /// Counts a command of an executed vertex that depends on another proposer's. What the proposer is to be told is appended to `told`: at the
    /// first commands of a generation soon, then each time that they have doubled.
    pub(crate) fn count(&mut self, now: Micros, command: &Command, told: &mut Vec<Told>) {
        let (Some(session), Footprint::Resources(resources)) =
            (command.operation.session(), &command.footprint)
        else {
            return;
        };
        if self.len_max == 0 {
            return;
        }
        self.turn(now, told);
        let home = session.opened.proposer;
        for (resource, mode) in resources {
            let Some(commands) = self.touch(resource, home, *mode) else {
                continue;
            };
            if commands.is_power_of_two() {
                let demand = self.of(now, resource);
                told.extend((!demand.commands.is_empty()).then_some(demand));
            }
        }
    }

    /// How many resources it counts.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.current.len() + self.earlier.len()
    }

    /// One more command; how many of all nodes there were in this generation.
    fn touch(&mut self, resource: &Bytes, home: NodeId, mode: Mode) -> Option<u64> {
        if !self.current.contains_key(resource) {
            if self.current.len() >= self.len_max {
                mark::hit(Mark::DemandFull);
                self.current.retain(|_, touched| touched.len() > 1);
            }
            if self.current.len() >= self.len_max {
                return None;
            }
            // A slice of a received message would keep the whole message in memory.
            self.current.insert(Bytes::copy_from_slice(resource), Touched::new());
        }
        let touched = self.current.get_mut(resource).expect("inserted above if it was missing");
        let touches = touched.entry(home).or_default();
        touches.commands += 1;
        touches.modes |= 1u64.checked_shl(mode.0.into()).unwrap_or(0);
        Some(touched.values().map(|touches| touches.commands).sum())
    }

    /// Lets the younger generation become the older one, when its time is over.
    fn turn(&mut self, now: Micros, told: &mut Vec<Told>) {
        if now < self.began.saturating_add(self.generation) {
            return;
        }
        let known: BTreeSet<Bytes> =
            self.earlier.keys().chain(self.current.keys()).cloned().collect();
        self.earlier = std::mem::take(&mut self.current);
        self.earlier_began = self.began;
        if now >= self.began.saturating_add(self.generation.saturating_mul(2)) {
            // Nothing was touched for long.
            self.earlier.clear();
            self.earlier_began = now;
        }
        self.began = now;
        told.extend(known.iter().map(|resource| self.of(now, resource)));
    }

    /// The demand for a resource; of nobody where no two nodes' commands conflict.
    fn of(&self, now: Micros, resource: &Bytes) -> Told {
        let mut all = self.earlier.get(resource).cloned().unwrap_or_default();
        for (node, touches) in self.current.get(resource).into_iter().flatten() {
            let sum = all.entry(*node).or_default();
            sum.commands += touches.commands;
            sum.modes |= touches.modes;
        }
        let contends = |node: NodeId, touches: &Touches| {
            all.iter().any(|(other, theirs)| *other != node && self.conflict(touches, theirs))
        };
        let commands = all
            .iter()
            .filter(|(node, touches)| contends(**node, touches))
            .map(|(node, touches)| (*node, touches.commands))
            .collect();
        // The first moments say little of a rate.
        let window = now.saturating_sub(self.earlier_began).max(self.generation / 8);
        Told { resource: resource.clone(), window, commands }
    }

    fn conflict(&self, ours: &Touches, theirs: &Touches) -> bool {
        let modes = |bits: u64| (0..64).filter(move |mode| bits >> mode & 1 == 1).map(Mode);
        modes(ours.modes).any(|a| modes(theirs.modes).any(|b| !self.modes.commute(a, b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Epoch, Operation, RequestId, SessionId, VertexId};

    const READ: u8 = 0;
    const WRITE: u8 = 1;
    const WINDOW: Micros = 1_000;

    fn command(home: u32, resource: &'static str, mode: u8) -> Command {
        let opened = VertexId { epoch: Epoch(0), proposer: NodeId(home), seq: 0 };
        let request = RequestId { session: SessionId { opened, slot: 0 }, sequence: 0 };
        let resource = Bytes::from_static(resource.as_bytes());
        Command {
            operation: Operation::Apply { request, acknowledged_below: 0, payload: Bytes::new() },
            footprint: Footprint::of([(resource, Mode(mode))]),
        }
    }

    fn demand(len_max: usize) -> Demand {
        // Tests may share a thread.
        mark::take();
        let mut demand = Demand::new(ModeTable::read_write(), WINDOW, len_max);
        demand.start(0);
        demand
    }

    /// What the proposer is told of after commands at that time.
    fn count(demand: &mut Demand, now: Micros, commands: &[Command]) -> Vec<Vec<(u32, u64)>> {
        let mut told = Vec::new();
        commands.iter().for_each(|command| demand.count(now, command, &mut told));
        let plain = |told: Told| told.commands.iter().map(|(node, n)| (node.0, *n)).collect();
        told.into_iter().map(plain).collect()
    }

    /// Broken: commands that commute would be sent around the world, or those that do not would stay.
    #[test]
    fn only_those_who_conflict_with_another_node_contend() {
        let mut demand = demand(8);
        let read = |home| command(home, "a", READ);
        assert!(count(&mut demand, 1, &[read(1), read(2), read(2), read(1)]).is_empty());
        let write = command(3, "a", WRITE);
        let told = count(&mut demand, 2, &vec![write; 4]);
        assert_eq!(told, [[(1, 2), (2, 2), (3, 4)]], "told at the eighth");
        // One node's own writes conflict with nobody's.
        assert!(count(&mut demand, 3, &vec![command(1, "b", WRITE); 4]).is_empty());
    }

    /// Broken: a proposer would place commands by what was true long ago.
    #[test]
    fn what_is_over_is_forgotten_within_a_window() {
        let mut demand = demand(8);
        let both = [command(1, "a", WRITE), command(2, "a", WRITE)];
        assert_eq!(count(&mut demand, 1, &both), [[(1, 1), (2, 1)]]);
        let elsewhere = [command(1, "b", WRITE)];
        assert_eq!(count(&mut demand, WINDOW / 2, &elsewhere), [[(1, 1), (2, 1)]], "still counts");
        let over = count(&mut demand, WINDOW, &elsewhere);
        assert_eq!(over, [vec![], vec![]], "nobody contends for either any more");
        assert_eq!(count(&mut demand, WINDOW, &both).len(), 1);
        let over = count(&mut demand, 9 * WINDOW, &elsewhere);
        assert!(over.iter().all(Vec::is_empty), "{over:?}");
        assert_eq!(demand.len(), 1);
    }

    /// Broken: a client that touches many resources would fill the memory, or keep out the one that
    /// others contend for.
    #[test]
    fn room_is_bounded_and_goes_to_what_is_contended() {
        let mut demand = demand(2);
        let write = |home, resource| command(home, resource, WRITE);
        count(&mut demand, 1, &[write(1, "a"), write(1, "b"), write(1, "c")]);
        assert!(mark::take().contains(Mark::DemandFull));
        assert_eq!(demand.len(), 1, "what one node has to itself made room");
        count(&mut demand, 2, &[write(2, "c"), write(1, "d"), write(2, "d")]);
        assert_eq!(demand.len(), 2);
        assert!(count(&mut demand, 3, &[write(1, "e"), write(2, "e")]).is_empty(), "no room");
        let told = count(&mut demand, WINDOW / 2, &[write(1, "e"), write(2, "e")]);
        assert_eq!(told.last(), Some(&vec![(1, 1), (2, 1)]));
        assert_eq!(demand.len(), 3);
    }
}
