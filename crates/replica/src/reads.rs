//! The reads that a replica holds: what each waits for, and when to do something about it.

use althing_model::{DepSet, Micros, NodeId, VertexId};
use althing_wire::{ClientId, ReadScope};
use bytes::Bytes;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Reads that could not be answered at once.
#[derive(Debug)]
pub(crate) struct Reads {
    /// Begins anywhere: an answer to an earlier life is none to this one.
    next: u64,
    held: BTreeMap<u64, Held>,
    /// What they take, about: payloads, and what is waited for.
    bytes: usize,
    /// When each is due next.
    due: BTreeSet<(Micros, u64)>,
    /// By the vertex that they wait for, those to look at again when it is executed.
    waiting: BTreeMap<VertexId, Vec<u64>>,
    /// Those whose vertex was executed.
    woken: Vec<u64>,
}

/// A read that waits.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) whose: Whose,
    /// It is answered when all of this is executed. Of a linearizable read or a probe it is complete
    /// when nothing is gathered any more.
    pub(crate) needs: DepSet,
    pub(crate) gathering: Option<Gathering>,
    /// Of a session's read: whether a majority has heard of everything in its token.
    pub(crate) is_confirmed: bool,
    /// Of a session's read: whether a majority has not, and nobody else as far as is known here.
    pub(crate) is_unheard: bool,
    /// Which of its needs it waits for.
    waits_for: Option<VertexId>,
    pub(crate) since: Micros,
    pub(crate) give_up_at: Micros,
    due: Micros,
}

/// Who wants to know.
#[derive(Debug, Clone)]
pub(crate) enum Whose {
    /// A client, for its ticket: what a dependency quorum knows of.
    Linearizable { client: ClientId, ticket: u64, payload: Bytes },
    /// A client, for its ticket: what it has seen.
    Session { client: ClientId, ticket: u64, payload: Bytes },
    /// This replica: how far it is behind.
    Probe,
}

/// Dependencies that are being asked for.
#[derive(Debug, Clone)]
pub(crate) struct Gathering {
    pub(crate) scope: ReadScope,
    /// Who answered.
    pub(crate) answered: BTreeSet<NodeId>,
    /// The union of their answers.
    pub(crate) deps: DepSet,
}

impl Gathering {
    pub(crate) fn of(scope: ReadScope) -> Self {
        Self { scope, answered: BTreeSet::new(), deps: DepSet::default() }
    }
}

impl Whose {
    /// The client and its ticket, unless it is nobody's.
    pub(crate) fn client(&self) -> Option<(ClientId, u64)> {
        match self {
            Self::Linearizable { client, ticket, .. } | Self::Session { client, ticket, .. } => {
                Some((*client, *ticket))
            }
            Self::Probe => None,
        }
    }

    fn payload_len(&self) -> usize {
        match self {
            Self::Linearizable { payload, .. } | Self::Session { payload, .. } => payload.len(),
            Self::Probe => 0,
        }
    }
}

impl Held {
    fn bytes(&self) -> usize {
        self.whose.payload_len() + self.needs.width() * size_of::<u64>()
    }
}

impl Reads {
    /// None; `seed` differs from that of earlier lives.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            next: seed,
            held: BTreeMap::new(),
            bytes: 0,
            due: BTreeSet::new(),
            waiting: BTreeMap::new(),
            woken: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// What those that wait take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number under which the next one will wait.
    pub(crate) fn hold(
        &mut self,
        now: Micros,
        whose: Whose,
        needs: DepSet,
        gathering: Option<Gathering>,
        (due, give_up_at): (Micros, Micros),
    ) -> u64 {
        let read = self.next;
        self.next = read.wrapping_add(1);
        self.due.insert((due, read));
        let held = Held {
            whose,
            needs,
            gathering,
            is_confirmed: false,
            is_unheard: false,
            waits_for: None,
            since: now,
            give_up_at,
            due,
        };
        self.bytes += held.bytes();
        self.held.insert(read, held);
        read
    }

    pub(crate) fn get(&self, read: u64) -> Option<&Held> {
        self.held.get(&read)
    }

    pub(crate) fn get_mut(&mut self, read: u64) -> Option<&mut Held> {
        self.held.get_mut(&read)
    }

    /// Ends a read.
    pub(crate) fn take(&mut self, read: u64) -> Option<Held> {
        let held = self.held.remove(&read)?;
        self.due.remove(&(held.due, read));
        self.bytes -= held.bytes();
        self.stop_waiting(read, held.waits_for);
        Some(held)
    }

    /// What it needs is known now.
    pub(crate) fn set_needs(&mut self, read: u64, needs: DepSet) {
        if let Some(held) = self.held.get_mut(&read) {
            self.bytes -= held.bytes();
            held.needs = needs;
            held.is_confirmed = true;
            self.bytes += held.bytes();
        }
    }

    /// Something is to be done about it then.
    pub(crate) fn set_due(&mut self, read: u64, at: Micros) {
        if let Some(held) = self.held.get_mut(&read) {
            self.due.remove(&(held.due, read));
            held.due = at;
            self.due.insert((at, read));
        }
    }

    /// The earliest of them.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first that is due.
    pub(crate) fn due(&self, now: Micros) -> Option<u64> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, read)| *read)
    }

    /// It is looked at again when that vertex is executed.
    pub(crate) fn wait_for(&mut self, read: u64, vertex: VertexId) {
        let Some(held) = self.held.get_mut(&read) else { return };
        let before = held.waits_for.replace(vertex);
        self.stop_waiting(read, before);
        self.waiting.entry(vertex).or_default().push(read);
    }

    /// A vertex that a client made up is never executed: nothing may be left behind under it.
    fn stop_waiting(&mut self, read: u64, waits_for: Option<VertexId>) {
        let Some(vertex) = waits_for else { return };
        if let Entry::Occupied(mut waiting) = self.waiting.entry(vertex) {
            waiting.get_mut().retain(|other| *other != read);
            if waiting.get().is_empty() {
                waiting.remove();
            }
        }
    }

    /// A vertex was executed: those that waited for it are awake.
    pub(crate) fn wake(&mut self, vertex: VertexId) {
        if !self.waiting.is_empty()
            && let Some(reads) = self.waiting.remove(&vertex)
        {
            self.woken.extend(reads);
        }
    }

    /// Many vertices were executed at once: all are awake.
    pub(crate) fn wake_all(&mut self) {
        self.woken.extend(std::mem::take(&mut self.waiting).into_values().flatten());
    }

    /// Takes those that are awake.
    pub(crate) fn take_woken(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.woken)
    }

    /// All reads, ascending.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.held.iter().map(|(read, held)| (*read, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::Epoch;

    /// Broken: whoever asks for vertices that nobody proposed fills the memory of a replica, one entry for
    /// each read that has long ended; or what reads take is never given back, so that none is let in.
    #[test]
    fn a_read_that_ended_leaves_nothing_behind() {
        let vertex = |seq| VertexId { epoch: Epoch(0), proposer: NodeId(1), seq };
        let mut reads = Reads::new(u64::MAX);
        let whose = Whose::Session { client: ClientId(7), ticket: 1, payload: Bytes::from("abc") };
        let needs: DepSet = [vertex(5), vertex(9)].into_iter().collect();
        let held: Vec<u64> =
            (0..3).map(|_| reads.hold(0, whose.clone(), needs.clone(), None, (10, 20))).collect();
        assert!(reads.bytes() > 3 * "abc".len(), "what is waited for is weighed");
        for read in &held {
            reads.wait_for(*read, vertex(9));
            reads.wait_for(*read, vertex(5));
        }
        reads.set_needs(held[0], DepSet::default());
        held.into_iter().for_each(|read| drop(reads.take(read)));
        assert_eq!((reads.len(), reads.bytes(), reads.deadline()), (0, 0, None));
        assert!(reads.waiting.is_empty(), "{:?}", reads.waiting);
    }
}
