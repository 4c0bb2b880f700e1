//! The roles of a running node, driven together on one thread.

use althing_acceptor::Acceptor;
use althing_dependency::DependencyNode;
use althing_model::{Micros, NodeId, Role, Unrestorable};
use althing_proposer::{Link, Proposer, Relay};
use althing_replica::{Diverged, Replica, Snapshot, Step};
use althing_voter::Voter;
use althing_wire::{Address, Effect, Effects, Ignored, Message, NodeRecord, Party, SnapshotOffer};
use bytes::Bytes;

/// The roles of a node; those that it does not have are absent.
#[derive(Debug)]
pub struct Roles {
    /// The node lost its disk: it has a replica at most, and a relay in the place of its proposer.
    pub is_lost: bool,
    /// What passes its clients' submissions on, if it lost its disk.
    pub relay: Option<Relay>,
    /// Its proposer.
    pub proposer: Option<Proposer>,
    /// Its voter, on the fast path.
    pub voter: Option<Voter>,
    /// Its dependency node, on the classic path.
    pub dependency: Option<DependencyNode>,
    /// Its acceptor, on the classic path.
    pub acceptor: Option<Acceptor>,
    /// Its replica.
    pub replica: Option<Replica>,
}

/// What a call of a role gave, of whatever role it was.
pub type NodeEffect = Effect<NodeRecord>;

impl Roles {
    /// Begins: call it once, before anything else.
    pub fn start(&mut self, now: Micros, effects: &mut Vec<NodeEffect>) {
        if let Some(replica) = &mut self.replica {
            replica.start(now);
        }
        if let Some(proposer) = &mut self.proposer {
            let mut own = Effects::default();
            proposer.start(now, &mut own);
            lift(own, effects);
        }
    }

    /// Handles a message with the role that receives it, and lets the proposer put commands that
    /// arrived into vertices.
    ///
    /// # Errors
    /// Why the role did nothing.
    ///
    /// # Panics
    /// If the node has no such role: messages go to roles that a node has.
    pub fn handle(
        &mut self,
        now: Micros,
        party: Party,
        from: Address,
        message: Message,
        effects: &mut Vec<NodeEffect>,
    ) -> Result<(), Ignored> {
        let party = self.party(party, &message);
        match party {
            _ if self.is_lost && party != Party::Node(Role::Replica) => match &mut self.relay {
                Some(relay) if party == Party::Node(Role::Proposer) => {
                    let mut own = Effects::default();
                    let result = relay.handle(now, from, message, &mut own);
                    lift(own, effects);
                    result
                }
                _ => Err(Ignored::Lost),
            },
            Party::Client => Err(Ignored::Misdirected),
            Party::Voter => {
                let mut own = Effects::default();
                let result = expect(&mut self.voter).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Dependency) => {
                let mut own = Effects::default();
                let result = expect(&mut self.dependency).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Acceptor) => {
                let mut own = Effects::default();
                let result = expect(&mut self.acceptor).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Replica) => {
                let mut own = Effects::default();
                let result = expect(&mut self.replica).handle(now, from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Proposer) => {
                let mut own = Effects::default();
                let proposer = expect(&mut self.proposer);
                let result = proposer.handle(now, from, message, &mut own);
                proposer.flush(now, &mut own);
                lift(own, effects);
                result
            }
        }
    }

    /// Who takes a message: where there is no voter any more, its commits are the replica's.
    fn party(&self, party: Party, message: &Message) -> Party {
        match message {
            Message::Commit(_) if self.is_lost && self.replica.is_some() => {
                Party::Node(Role::Replica)
            }
            _ => party,
        }
    }

    /// The earliest time at which a role has something to do unasked.
    pub fn deadline(&self) -> Option<Micros> {
        let proposer = self.proposer.as_ref().and_then(Proposer::deadline);
        let replica = self.replica.as_ref().and_then(Replica::deadline);
        proposer.into_iter().chain(replica).min()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Micros, effects: &mut Vec<NodeEffect>) {
        if let Some(proposer) = &mut self.proposer
            && proposer.deadline().is_some_and(|at| at <= now)
        {
            let mut own = Effects::default();
            proposer.on_deadline(now, &mut own);
            lift(own, effects);
        }
        if let Some(replica) = &mut self.replica
            && replica.deadline().is_some_and(|at| at <= now)
        {
            let mut own = Effects::default();
            replica.on_deadline(now, &mut own);
            lift(own, effects);
        }
    }

    /// Learns of a link, and whether that node lost its disk: then no fast quorum counts on its voter.
    pub fn on_link(&mut self, now: Micros, other: NodeId, link: Link, is_lost: bool) {
        let replica_is_up = link.is_up;
        let link = Link { is_up: link.is_up && !is_lost, ..link };
        if let Some(proposer) = &mut self.proposer {
            proposer.on_link(now, other, link);
        }
        if let Some(relay) = &mut self.relay {
            relay.on_link(other, link);
        }
        if let Some(replica) = &mut self.replica {
            replica.on_link(now, other, replica_is_up);
        }
    }

    /// The snapshot that the replica has cut: to be written, and then [`Self::on_saved`].
    pub fn take_snapshot(&mut self) -> Option<Snapshot> {
        self.replica.as_mut()?.take_snapshot()
    }

    /// A snapshot is on disk.
    pub fn on_saved(&mut self, now: Micros, saved: SnapshotOffer, effects: &mut Vec<NodeEffect>) {
        let mut own = Effects::default();
        expect(&mut self.replica).on_saved(now, saved, &mut own);
        lift(own, effects);
    }

    /// A snapshot that was offered: to be fetched from that node, and then [`Self::install`].
    pub fn take_offer(&mut self) -> Option<(NodeId, SnapshotOffer)> {
        self.replica.as_mut()?.take_offer()
    }

    /// Installs a snapshot that is on disk; says whether that changed anything.
    ///
    /// # Errors
    /// When the pieces are no snapshot of this version. The roles are not to be used then.
    pub fn install(
        &mut self,
        now: Micros,
        saved: SnapshotOffer,
        pieces: &mut dyn Iterator<Item = (u8, Bytes)>,
        effects: &mut Vec<NodeEffect>,
    ) -> Result<bool, Unrestorable> {
        let mut own = Effects::default();
        let result = expect(&mut self.replica).install(now, saved, pieces, &mut own);
        lift(own, effects);
        result
    }

    /// Why the replica does nothing any more, if so: nothing that was asked for since is to be done.
    pub fn diverged(&self) -> Option<Diverged> {
        self.replica.as_ref().and_then(Replica::diverged)
    }

    /// What the replica executed since the last call.
    pub fn take_steps(&mut self) -> Vec<Step> {
        if let Some(proposer) = &mut self.proposer {
            drop(proposer.take_commits());
        }
        self.replica.as_mut().map(Replica::take_steps).unwrap_or_default()
    }
}

fn expect<T>(role: &mut Option<T>) -> &mut T {
    role.as_mut().expect("messages go to roles that the node has")
}

fn lift<R: Into<NodeRecord>>(own: Effects<R>, effects: &mut Vec<NodeEffect>) {
    effects.extend(own.into_iter().map(|effect| match effect {
        Effect::Send { to, message } => Effect::Send { to, message },
        Effect::Append { records, then } => {
            Effect::Append { records: records.into_iter().map(Into::into).collect(), then }
        }
    }));
}
