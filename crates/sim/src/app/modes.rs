//! A state machine for any conflict function: which modes commute is drawn, and the state is exactly
//! as sensitive to order as the table says, no more and no less.
//!
//! For each resource and each pair of modes (a, b) that do not commute the state has a chain: a hash
//! of the commands in these two modes in their order, in which neighbours that commute with each
//! other are added up. Commands that commute leave equal states in either order; any others do not.
//! A command over everything chains the whole state. A reply is a digest of what the command must
//! not be reordered with. A read tells the same and leaves no trace.

use super::Application;
use crate::Workload;
use althing_model::{
    CommandInvalid, Conflicts, Footprint, Mode, ModeTable, Pieces, StateMachine, Unrestorable,
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of the modes: their number is drawn.
const NAMES: [&str; 4] = ["m0", "m1", "m2", "m3"];

/// An application whose conflict function is drawn from a seed.
#[derive(Debug, Clone)]
pub struct Modes {
    table: ModeTable,
}

impl Modes {
    /// That many modes (at most four), and which pairs commute: bit `4 * a + b` for a <= b.
    pub fn new(modes: usize, commuting: u16) -> Self {
        let mut table = ModeTable::new(&NAMES[..modes]);
        for a in 0..modes {
            for b in a..modes {
                if commuting >> (4 * a + b) & 1 == 1 {
                    table = table.commuting(Mode(a as u8), Mode(b as u8));
                }
            }
        }
        Self { table }
    }
}

impl Application for Modes {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(self.clone())
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(Machine { table: self.table.clone(), resources: BTreeMap::new(), everything: 0 })
    }

    fn operation(
        &self,
        workload: &Workload,
        client: usize,
        number: u64,
        rng: &mut dyn Rng,
    ) -> Bytes {
        let mut payload = BytesMut::new();
        payload.put_u64(number);
        if rng.random_range(0..1000) < workload.everything_permille {
            payload.put_u8(EVERYTHING);
            return payload.freeze();
        }
        // Some touch nothing, some several resources; each resource once.
        let count = if workload.has_multi_key { rng.random_range(0..4) } else { 1 };
        let mut touched = BTreeMap::new();
        for _ in 0..count {
            let is_hot = rng.random_range(0..100) < workload.hot_percent;
            let resource = match is_hot {
                true => rng.random_range(0..workload.hot_keys) as u16,
                false => 1000 + 10 * client as u16 + rng.random_range(0..3),
            };
            touched.insert(resource, rng.random_range(0..self.table.names().len()) as u8);
        }
        payload.put_u8(touched.len() as u8);
        for (resource, mode) in touched {
            payload.put_u16(resource);
            payload.put_u8(mode);
        }
        payload.freeze()
    }
}

impl Conflicts for Modes {
    fn modes(&self) -> &ModeTable {
        &self.table
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let touched = parse(payload).ok_or_else(|| CommandInvalid("it is cut short".into()))?.1;
        Ok(match touched {
            None => Footprint::Everything,
            Some(touched) => Footprint::of(touched.into_iter().map(|(resource, mode)| {
                (Bytes::copy_from_slice(&resource.to_be_bytes()), Mode(mode))
            })),
        })
    }
}

/// A command's number and what it touches; `None` for everything.
type Parsed = (u64, Option<Vec<(u16, u8)>>);

/// In the place of the number of resources, one that means everything.
const EVERYTHING: u8 = u8::MAX;
/// Added to the number of resources of a read.
const READ: u8 = 0x40;

/// Whether a payload is a read.
fn is_read(payload: &[u8]) -> bool {
    payload.get(8).is_some_and(|count| *count != EVERYTHING && count & READ != 0)
}

fn parse(mut payload: &[u8]) -> Option<Parsed> {
    let number = payload.try_get_u64().ok()?;
    let count = payload.try_get_u8().ok()?;
    if count == EVERYTHING {
        return Some((number, None));
    }
    let count = count & !READ;
    let mut touched = Vec::with_capacity(count.into());
    for _ in 0..count {
        touched.push((payload.try_get_u16().ok()?, payload.try_get_u8().ok()?));
    }
    Some((number, Some(touched)))
}

/// The state.
struct Machine {
    table: ModeTable,
    resources: BTreeMap<u16, BTreeMap<(u8, u8), Chain>>,
    everything: u64,
}

/// The commands of two modes on one resource: runs of commuting neighbours, in order.
#[derive(Clone, Default)]
struct Chain {
    /// All runs but the last.
    before: u64,
    /// The mode of the last run.
    mode: u8,
    /// Its commands, added up, so that their order does not show.
    sum: u64,
}

impl Chain {
    /// What a command in this mode may know of the others: nothing of its own run.
    fn seen_by(&self, mode: u8, commutes_with_itself: bool) -> u64 {
        match mode == self.mode && commutes_with_itself {
            true => self.before,
            false => self.digest(),
        }
    }

    fn push(&mut self, mode: u8, commutes_with_itself: bool, number: u64) {
        if mode != self.mode || !commutes_with_itself {
            *self = Self { before: self.digest(), mode, sum: 0 };
        }
        self.sum = self.sum.wrapping_add(mix(number, 1));
    }

    fn digest(&self) -> u64 {
        match self.sum {
            0 => self.before,
            sum => mix(mix(self.before, u64::from(self.mode) + 2), sum),
        }
    }
}

impl StateMachine for Machine {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        if let Some(reply) = self.query(payload) {
            return reply;
        }
        let (number, touched) = parse(payload).expect("the conflict function parsed it");
        let mut reply = self.everything;
        match touched {
            None => {
                reply = mix(self.digest(), number);
                self.everything = reply;
                self.resources.clear();
            }
            Some(touched) => {
                for (resource, mode) in touched {
                    let chains = self.resources.entry(resource).or_default();
                    for other in 0..self.table.names().len() as u8 {
                        if self.table.commute(Mode(mode), Mode(other)) {
                            continue;
                        }
                        let alike = self.table.commute(Mode(mode), Mode(mode));
                        let chain = chains.entry((mode.min(other), mode.max(other))).or_default();
                        reply = mix(reply, chain.seen_by(mode, alike));
                        chain.push(mode, alike, number);
                    }
                }
            }
        }
        Bytes::copy_from_slice(&mix(reply, number).to_be_bytes())
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let (number, touched) = parse(payload).filter(|_| is_read(payload))?;
        let mut reply = self.everything;
        for (resource, mode) in touched? {
            for other in 0..self.table.names().len() as u8 {
                if self.table.commute(Mode(mode), Mode(other)) {
                    continue;
                }
                let alike = self.table.commute(Mode(mode), Mode(mode));
                let chains = self.resources.get(&resource);
                let chain = chains.and_then(|it| it.get(&(mode.min(other), mode.max(other))));
                let seen = chain.map_or(0, |it| it.seen_by(mode, alike));
                reply = mix(reply, seen);
            }
        }
        Some(Bytes::copy_from_slice(&mix(reply, number).to_be_bytes()))
    }

    fn digest(&self) -> u64 {
        let mut digest = self.everything;
        for (resource, chains) in &self.resources {
            for ((a, b), chain) in chains {
                digest =
                    mix(digest, u64::from(*resource) << 16 | u64::from(*a) << 8 | u64::from(*b));
                digest = mix(digest, chain.digest());
            }
        }
        digest
    }

    /// A piece with what belongs to no resource, and one for each resource, so that even a small
    /// state has several. The state of a simulated run is small enough to be copied.
    fn snapshot(&self) -> Pieces {
        let head = [self.everything, self.resources.len() as u64].map(u64::to_be_bytes).concat();
        let resources = self.resources.clone().into_iter().map(|(resource, chains)| {
            let mut piece = BytesMut::new();
            piece.put_u16(resource);
            for ((a, b), Chain { before, mode, sum }) in chains {
                piece.put_slice(&[a, b, mode]);
                piece.put_u64(before);
                piece.put_u64(sum);
            }
            piece.freeze()
        });
        Box::new(std::iter::once(head.into()).chain(resources))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let (everything, resources) = restored(pieces)
            .ok_or_else(|| Unrestorable("a piece is missing, cut short or there twice".into()))?;
        *self = Self { table: self.table.clone(), everything, resources };
        Ok(())
    }
}

/// What does not commute with everything, and the chains of each resource.
type Restored = (u64, BTreeMap<u16, BTreeMap<(u8, u8), Chain>>);

fn restored(pieces: &mut dyn Iterator<Item = Bytes>) -> Option<Restored> {
    let mut head = pieces.next()?;
    let (everything, count) = (head.try_get_u64().ok()?, head.try_get_u64().ok()?);
    let mut resources = BTreeMap::new();
    for mut piece in pieces {
        let resource = piece.try_get_u16().ok()?;
        let mut chains = BTreeMap::new();
        while !piece.is_empty() {
            let mut modes = [0; 3];
            piece.try_copy_to_slice(&mut modes).ok()?;
            let [a, b, mode] = modes;
            let (before, sum) = (piece.try_get_u64().ok()?, piece.try_get_u64().ok()?);
            chains.insert((a, b), Chain { before, mode, sum });
        }
        if resources.insert(resource, chains).is_some() {
            return None;
        }
    }
    (head.is_empty() && resources.len() as u64 == count).then_some((everything, resources))
}

/// Two numbers into one, as good as random (the finaliser of SplitMix64).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = (a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Broken: the machine itself would break what its table promises, or would not notice an order
    /// that the table forbids, and the oracles would look for the fault in the protocol.
    #[test]
    fn order_shows_exactly_where_the_table_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let workload =
            Workload { has_multi_key: true, everything_permille: 30, ..Workload::small() };
        for table in 0..200u16 {
            let app = Modes::new(1 + table as usize % 4, table.wrapping_mul(2_971));
            let run = |payloads: &[&Bytes]| {
                let mut machine = app.machine();
                let mut replies: Vec<_> = payloads
                    .iter()
                    .map(|payload| (payload.to_vec(), machine.apply(payload)))
                    .collect();
                replies.sort();
                (machine.digest(), replies)
            };
            for number in (0..60).step_by(3) {
                let [first, a, b] =
                    [1, 2, 3].map(|at| app.operation(&workload, 0, number + at, &mut rng));
                let footprint = |payload| app.footprint(payload).unwrap();
                let conflict = footprint(&a).conflicts_with(&footprint(&b), app.modes());
                let orders = (run(&[&first, &a, &b]), run(&[&first, &b, &a]));
                assert_eq!(orders.0 != orders.1, conflict, "{a:?} {b:?} {table}");
            }
        }
    }

    /// Broken: a read would change the state, or tell another truth than the command that it is.
    #[test]
    fn a_read_tells_what_its_command_would_and_leaves_no_trace() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let workload = Workload { hot_percent: 100, ..Workload::small() };
        let mut told = std::collections::BTreeSet::new();
        for table in 0..200u16 {
            let app = Modes::new(1 + table as usize % 4, table.wrapping_mul(2_971));
            let mut machine = app.machine();
            for number in 0..20 {
                machine.apply(&app.operation(&workload, 0, number, &mut rng));
                let mut read = app.operation(&workload, 0, 0, &mut rng).to_vec();
                read[8] |= READ;
                let digest = machine.digest();
                let reply = machine.query(&read);
                assert!(reply.is_some());
                assert_eq!(reply, Some(machine.apply(&read)));
                assert_eq!(machine.digest(), digest);
                told.insert(reply);
            }
        }
        assert!(told.len() > 1_000);
    }

    /// Broken: a replica that began with another's state would differ from it later, and the oracles
    /// would look for the fault in the protocol; or a damaged snapshot is taken for a state.
    #[test]
    fn a_restored_machine_is_the_one_that_was_left() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let workload =
            Workload { has_multi_key: true, everything_permille: 30, ..Workload::small() };
        for table in 0..200u16 {
            let app = Modes::new(1 + table as usize % 4, table.wrapping_mul(2_971));
            let mut machine = app.machine();
            let mut number = 0;
            let mut payload = || {
                number += 1;
                app.operation(&workload, 0, number, &mut rng)
            };
            for _ in 0..table {
                machine.apply(&payload());
            }
            let (digest, pieces) = (machine.digest(), machine.snapshot());
            // Of this nothing may show.
            let mut went_on = vec![payload(), payload()];
            let mut replies: Vec<_> = went_on.iter().map(|p| machine.apply(p)).collect();
            let pieces: Vec<Bytes> = pieces.collect();
            let restore = |pieces: &[Bytes]| {
                let mut other = app.machine();
                // Something that has to go.
                other.apply(&went_on[0]);
                other.restore(&mut pieces.iter().cloned()).map(|()| other)
            };
            let mut restored = restore(&pieces).expect("it is a snapshot");
            for damaged in
                [&pieces[1..], &pieces[..pieces.len() - 1], &[&pieces[..], &pieces].concat()]
            {
                assert!(restore(damaged).is_err());
            }
            assert_eq!(restored.digest(), digest);
            went_on.extend((0..20).map(|_| payload()));
            replies.extend(went_on[2..].iter().map(|p| machine.apply(p)));
            for (payload, reply) in went_on.iter().zip(&replies) {
                assert_eq!(restored.apply(payload), *reply);
            }
            assert_eq!(restored.digest(), machine.digest());
        }
    }
}
