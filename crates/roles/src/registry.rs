//! Whether a node may vote and propose: not where it lost its disk, and with it what it promised.
//!
//! A journal is made with a random number, its incarnation. A node with a new journal tells it to all
//! others, and each answers with the first number that it ever heard of that node, which it keeps
//! durably. The node takes part when enough of the others have answered with its own number. Had it
//! taken part with an earlier journal, as many of the others would know that one's number, and any two
//! such sets share f nodes: of these at most f - 1 have lost their disks as well, so one remembers.

use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Membership, Micros, NodeId};
use althing_wire::{Ignored, Message, Register, Registered, RegistryState, Standing};
use std::collections::BTreeSet;

/// A node that knows what it is tells its number this much less often than a new one asks.
const TELL_SELDOM: u64 = 8;

/// What the registry wants done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryEffect {
    /// Put this into the node's registry file, durably, before anything that follows.
    Save(RegistryState),
    /// Send it.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
}

/// What a node found of its journal when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFound {
    /// None: it has just been made.
    None,
    /// One without a record: nothing was promised yet.
    Empty,
    /// One with records.
    WithRecords,
}

/// The registry of a node.
#[derive(Debug, Clone)]
pub struct Registry {
    others: BTreeSet<NodeId>,
    state: RegistryState,
    /// Those who answered with this node's number.
    agreed: BTreeSet<NodeId>,
    /// Others that came with another number than their first: they do not vote any more.
    lost: BTreeSet<NodeId>,
    /// Who knows this node under another number.
    contradicted_by: Option<NodeId>,
    ask_at: Micros,
    ask_every: Micros,
    f: usize,
}

impl Registry {
    /// From the file of the node's registry, if it has one, and what was found of its journal; `drawn`
    /// is a random number for the case that the node is new.
    ///
    /// A journal with records and no registry is that of a node that took part; a registry that says
    /// so, and no journal, is what is left of a node that lost it.
    pub fn new(
        me: NodeId,
        membership: &Membership,
        state: Option<RegistryState>,
        journal: JournalFound,
        drawn: u64,
        ask_every: Micros,
    ) -> Self {
        let others = membership.nodes().filter(|node| *node != me).collect();
        let mut state = state.unwrap_or_else(|| RegistryState {
            incarnation: drawn,
            standing: match journal {
                JournalFound::WithRecords => Standing::Admitted,
                JournalFound::None | JournalFound::Empty => Standing::Asking,
            },
            known: Default::default(),
        });
        if state.standing == Standing::Admitted && journal == JournalFound::None {
            // Under another number, so that the others notice too.
            state.standing = Standing::Lost;
            state.incarnation = drawn;
        }
        Self {
            others,
            state,
            agreed: BTreeSet::new(),
            lost: BTreeSet::new(),
            contradicted_by: None,
            ask_at: Micros::MAX,
            ask_every: ask_every.max(1),
            f: membership.acceptor_quorums().f(),
        }
    }

    /// Begins: call it once.
    pub fn start(&mut self, now: Micros, effects: &mut Vec<RegistryEffect>) {
        self.ask_at = now;
        effects.push(RegistryEffect::Save(self.state.clone()));
        self.decide(effects);
        self.on_deadline(now, effects);
    }

    /// What its file should hold: also before anything else is made, where it is news. A node that finds
    /// that it lost its journal must not make another before it has put that down.
    pub fn state(&self) -> &RegistryState {
        &self.state
    }

    /// Whether the node may take part.
    pub fn standing(&self) -> Standing {
        match self.state.standing {
            Standing::Lost if is_planted(Mutant::LostDiskVotes) => Standing::Admitted,
            standing => standing,
        }
    }

    /// The number that this node's journal was made with.
    pub fn incarnation(&self) -> u64 {
        self.state.incarnation
    }

    /// Who knows this node from an earlier journal; none where its own disk says so.
    pub fn contradicted_by(&self) -> Option<NodeId> {
        self.contradicted_by
    }

    /// How many others have answered with this node's number, and how many are needed.
    pub fn answers(&self) -> (usize, usize) {
        (self.agreed.len(), self.needed())
    }

    /// Others that lost their disks, as they tell: no fast quorum should count on them.
    pub fn lost(&self) -> &BTreeSet<NodeId> {
        &self.lost
    }

    /// When to ask, or tell, again.
    pub fn deadline(&self) -> Option<Micros> {
        let is_known = self.state.standing == Standing::Admitted && self.agreed == self.others;
        (!is_known).then_some(self.ask_at)
    }

    /// Asks those who have not answered; a node that takes part goes on until all know its number, and
    /// one that lost its disk for ever.
    pub fn on_deadline(&mut self, now: Micros, effects: &mut Vec<RegistryEffect>) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        let is_asking = self.state.standing == Standing::Asking;
        self.ask_at = now + if is_asking { 1 } else { TELL_SELDOM } * self.ask_every;
        let is_lost = self.state.standing == Standing::Lost;
        let register = Register { incarnation: self.state.incarnation, is_lost };
        for to in self.others.difference(&self.agreed) {
            effects.push(RegistryEffect::Send { to: *to, message: register.into() });
        }
    }

    /// Handles a message of another node.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        from: NodeId,
        message: Message,
        effects: &mut Vec<RegistryEffect>,
    ) -> Result<(), Ignored> {
        if !self.others.contains(&from) {
            return Err(Ignored::Misdirected);
        }
        match message {
            Message::Register(register) => {
                self.on_register(from, register, effects);
                Ok(())
            }
            Message::Registered(registered) => self.on_registered(from, registered, effects),
            _ => Err(Ignored::Misdirected),
        }
    }

    fn on_register(&mut self, from: NodeId, register: Register, effects: &mut Vec<RegistryEffect>) {
        let known = self.state.known.get(&from).copied();
        let incarnation = known.unwrap_or(register.incarnation);
        if known.is_none() {
            self.state.known.insert(from, incarnation);
            effects.push(RegistryEffect::Save(self.state.clone()));
        }
        // One may have heard of its second number first; then it says so itself.
        if incarnation == register.incarnation && !register.is_lost {
            self.lost.remove(&from);
        } else {
            self.lost.insert(from);
        }
        let message = Registered { incarnation }.into();
        effects.push(RegistryEffect::Send { to: from, message });
    }

    fn on_registered(
        &mut self,
        from: NodeId,
        registered: Registered,
        effects: &mut Vec<RegistryEffect>,
    ) -> Result<(), Ignored> {
        if self.state.standing == Standing::Admitted {
            self.agreed.insert(from);
            return Ok(());
        }
        if self.state.standing != Standing::Asking {
            return Err(Ignored::Late);
        }
        if registered.incarnation == self.state.incarnation {
            self.agreed.insert(from);
            self.decide(effects);
        } else {
            mark::hit(Mark::LostNoticed);
            self.contradicted_by = Some(from);
            self.state.standing = Standing::Lost;
            effects.push(RegistryEffect::Save(self.state.clone()));
        }
        Ok(())
    }

    fn decide(&mut self, effects: &mut Vec<RegistryEffect>) {
        if self.state.standing == Standing::Asking && self.agreed.len() >= self.needed() {
            mark::hit(Mark::Admitted);
            self.state.standing = Standing::Admitted;
            effects.push(RegistryEffect::Save(self.state.clone()));
        }
    }

    /// As many of the others that any two such sets share f nodes, so that one of these remembers
    /// although the others of them lost their disks too; a majority at least, none where there are none.
    fn needed(&self) -> usize {
        let others = self.others.len();
        (others + self.f.max(1)).div_ceil(2).min(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::Path;
    use std::collections::BTreeMap;

    const NODES: u32 = 5;

    fn registry(me: u32, disk: Option<RegistryState>, journal: JournalFound) -> Registry {
        let membership = Membership::colocated(NODES, 2, Path::Fast).unwrap();
        let drawn = 1000 + u64::from(me);
        Registry::new(NodeId(me), &membership, disk, journal, drawn, 10)
    }

    /// Nodes that talk to each other until nobody has anything to say, and their disks.
    #[derive(Clone)]
    struct Cluster {
        nodes: BTreeMap<u32, Registry>,
        disks: BTreeMap<u32, RegistryState>,
    }

    impl Cluster {
        fn begin(&mut self, me: u32, new: Registry) {
            self.nodes.insert(me, new);
            let mut effects = Vec::new();
            self.nodes.get_mut(&me).unwrap().start(0, &mut effects);
            self.carry_out(me, effects);
        }

        fn carry_out(&mut self, me: u32, effects: Vec<RegistryEffect>) {
            for effect in effects {
                match effect {
                    RegistryEffect::Save(state) => {
                        self.disks.insert(me, state);
                    }
                    RegistryEffect::Send { to, message } => {
                        let mut answers = Vec::new();
                        if let Some(other) = self.nodes.get_mut(&to.0) {
                            let _ = other.handle(NodeId(me), message, &mut answers);
                        }
                        self.carry_out(to.0, answers);
                    }
                }
            }
        }

        /// A cluster in which the first so many nodes have started.
        fn of(nodes: u32) -> Self {
            mark::take();
            let mut new = Self { nodes: BTreeMap::new(), disks: BTreeMap::new() };
            for me in 0..nodes {
                new.begin(me, registry(me, None, JournalFound::None));
            }
            new.ask_again();
            new
        }

        fn ask_again(&mut self) {
            for me in 0..NODES {
                let mut effects = Vec::new();
                if let Some(node) = self.nodes.get_mut(&me) {
                    node.on_deadline(100, &mut effects);
                }
                self.carry_out(me, effects);
            }
        }

        fn standing(&self, me: u32) -> Standing {
            self.nodes[&me].standing()
        }
    }

    /// Broken: a cluster would never start, or start before a disk that is lost could be noticed.
    #[test]
    fn a_new_node_is_admitted_when_enough_know_no_other() {
        let few = Cluster::of(3);
        assert!((0..3).all(|me| few.standing(me) == Standing::Asking));
        assert_eq!(few.nodes[&0].answers(), (2, 3));
        let cluster = Cluster::of(4);
        assert!(mark::take().contains(Mark::Admitted));
        assert!((0..4).all(|me| cluster.standing(me) == Standing::Admitted));
        assert!(cluster.disks.values().all(|disk| disk.standing == Standing::Admitted));
        // They go on until the fifth has heard of them, too.
        assert!(cluster.nodes[&0].deadline().is_some());
        let all = Cluster::of(5);
        assert_eq!(all.nodes[&0].deadline(), None);
    }

    /// Broken: a node whose disk was replaced would vote again where it has promised otherwise.
    #[test]
    fn who_is_known_from_an_earlier_journal_is_lost() {
        let mut cluster = Cluster::of(5);
        // Any majority of the others is enough to notice.
        cluster.nodes.remove(&1);
        let membership = Membership::colocated(NODES, 2, Path::Fast).unwrap();
        let wiped = Registry::new(NodeId(0), &membership, None, JournalFound::None, 77, 10);
        cluster.begin(0, wiped);
        assert!(mark::take().contains(Mark::LostNoticed));
        assert_eq!(cluster.standing(0), Standing::Lost);
        assert!(cluster.nodes[&0].contradicted_by().is_some());
        let told = |cluster: &Cluster| cluster.nodes[&4].lost().contains(&NodeId(0));
        assert!(told(&cluster));
        // And it stays so.
        let disk = cluster.disks[&0].clone();
        cluster.begin(0, registry(0, Some(disk), JournalFound::WithRecords));
        assert_eq!(cluster.standing(0), Standing::Lost);
        // Who restarts is told again.
        let disk = cluster.disks[&4].clone();
        cluster.begin(4, registry(4, Some(disk), JournalFound::WithRecords));
        assert!(!told(&cluster));
        cluster.ask_again();
        assert!(told(&cluster));
    }

    /// Broken: a node that only restarts would be shut out, or one that lost its journal alone let in.
    #[test]
    fn its_own_disk_says_what_it_was() {
        let mut cluster = Cluster::of(5);
        let disk = || cluster.disks[&0].clone();
        for journal in [JournalFound::Empty, JournalFound::WithRecords] {
            assert_eq!(registry(0, Some(disk()), journal).standing(), Standing::Admitted);
        }
        let mut others = cluster.clone();
        let drawn = RegistryState { incarnation: 1, ..disk() };
        others.nodes.get_mut(&4).unwrap().state.known.insert(NodeId(0), 1);
        others.begin(0, registry(0, Some(drawn), JournalFound::None));
        assert_eq!(others.standing(0), Standing::Lost);
        assert!(others.nodes[&4].lost().contains(&NodeId(0)), "it is told to nobody");
        assert_eq!(registry(0, None, JournalFound::WithRecords).standing(), Standing::Admitted);
        // A node that crashed before it was admitted goes on asking under its number.
        let asking = RegistryState { standing: Standing::Asking, ..disk() };
        cluster.begin(0, registry(0, Some(asking), JournalFound::None));
        assert_eq!(cluster.standing(0), Standing::Admitted);
    }

    /// Broken: a node alone would wait for others that there are not.
    #[test]
    fn a_node_alone_is_admitted_at_once() {
        let mut alone = registry(0, None, JournalFound::None);
        alone.others.clear();
        alone.start(0, &mut Vec::new());
        assert_eq!(alone.standing(), Standing::Admitted);
    }
}
