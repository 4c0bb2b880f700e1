//! One role instance with its disk, and what it has sent in all its lives.

use crate::cluster::Cluster;
use crate::{Bounds, Flaw};
use althing_acceptor::Acceptor;
use althing_dependency::DependencyNode;
use althing_model::{NodeId, Role, VertexId};
use althing_proposer::{Config, Limits, Proposer, Timing};
use althing_voter::Voter;
use althing_wire::{
    AcceptorRecord, Address, DependencyRecord, Effect, Effects, Message, Party, ProposerRecord,
    VoterRecord,
};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A role instance.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) node: NodeId,
    pub(crate) role: RoleState,
    /// Restarts that it went through.
    lives: u8,
    /// The assertion that failed in it, if one did.
    pub(crate) broken: Option<Arc<str>>,
}

/// The roles, each with what it has on disk: all of it synced.
#[derive(Debug, Clone)]
pub(crate) enum RoleState {
    Proposer(Box<Proposer>, Vec<ProposerRecord>),
    Voter(Voter, Vec<VoterRecord>),
    Dependency(DependencyNode, Vec<DependencyRecord>),
    Acceptor(Acceptor, Vec<AcceptorRecord>),
}

/// What an actor is asked to do.
#[derive(Debug, Clone)]
pub(crate) enum Stimulus<'a> {
    /// A message arrives.
    Deliver { from: NodeId, message: &'a Message },
    /// The proposer loses patience with a vertex.
    TimeOut(VertexId),
    /// The node's replica asks for a recovery.
    Recover(VertexId),
    /// The node restarts from its disk.
    Restart,
}

/// What came of it.
pub(crate) struct Reaction {
    pub(crate) actor: Actor,
    /// What it sent, to nodes.
    pub(crate) sent: Vec<(NodeId, Message)>,
}

impl Actor {
    /// An actor at its beginning: a proposer has been given its first command.
    pub(crate) fn begin(
        cluster: &Cluster,
        bounds: &Bounds,
        place: usize,
        other: NodeId,
    ) -> Reaction {
        let (node, party) = cluster.actors[place];
        let epoch = cluster.membership.epoch();
        let modes = || cluster.conflicts.modes().clone();
        let role = match party {
            Party::Node(Role::Proposer) => {
                RoleState::Proposer(Box::new(proposer(cluster, bounds, node, &[])), Vec::new())
            }
            Party::Voter => RoleState::Voter(voter(cluster, node, &[]), Vec::new()),
            Party::Node(Role::Dependency) => {
                RoleState::Dependency(DependencyNode::new(epoch, modes()), Vec::new())
            }
            Party::Node(Role::Acceptor) => RoleState::Acceptor(Acceptor::new(epoch), Vec::new()),
            Party::Node(Role::Replica) | Party::Client => unreachable!("not in the model"),
        };
        let mut actor = Self { node, role, lives: 0, broken: None };
        let mut sent = Vec::new();
        actor.start(cluster, bounds, other, &mut sent);
        Reaction { actor, sent }
    }

    /// What comes of a stimulus. With `is_lost` the node crashes before anything that the actor
    /// appended in this step is on disk: what did not wait for it has left, the rest never will.
    pub(crate) fn react(
        &self,
        cluster: &Cluster,
        bounds: &Bounds,
        other: NodeId,
        stimulus: &Stimulus<'_>,
        is_lost: bool,
    ) -> Reaction {
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            let mut actor = self.clone();
            let mut sent = Vec::new();
            actor.handle(cluster, bounds, other, stimulus, is_lost, &mut sent);
            if is_lost {
                actor.handle(cluster, bounds, other, &Stimulus::Restart, false, &mut sent);
            }
            Reaction { actor, sent }
        }));
        attempt.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let broken = Some(Arc::from(text.unwrap_or("a panic without words")));
            Reaction { actor: Self { broken, ..self.clone() }, sent: Vec::new() }
        })
    }

    /// What tells it apart from others at its place: all that decides what it will do, in this
    /// life or after a restart.
    pub(crate) fn digest(&self, cluster: &Cluster, bounds: &Bounds) -> u128 {
        let mut hasher = SipHasher13::new();
        self.broken.hash(&mut hasher);
        // The order of records does not matter beyond what it makes of the role.
        match &self.role {
            RoleState::Proposer(live, disk) => {
                // Which command the next life brings, if any.
                (self.lives + 1).min(bounds.commands).hash(&mut hasher);
                live.hash_behaviour(&mut hasher);
                proposer(cluster, bounds, self.node, disk).hash_behaviour(&mut hasher);
                self.attempts().hash(&mut hasher);
            }
            RoleState::Voter(live, disk) => {
                (live, voter(cluster, self.node, disk)).hash(&mut hasher);
            }
            RoleState::Dependency(live, disk) => {
                (live, dependency(cluster, disk)).hash(&mut hasher);
            }
            RoleState::Acceptor(live, disk) => (live, acceptor(cluster, disk)).hash(&mut hasher),
        }
        hasher.finish128().as_u128()
    }

    /// The vertices that a proposer works on.
    pub(crate) fn in_flight(&self) -> Vec<VertexId> {
        match &self.role {
            RoleState::Proposer(proposer, _) => proposer.vertices_in_flight().collect(),
            _ => Vec::new(),
        }
    }

    /// The ballots that a proposer used, by vertex.
    pub(crate) fn attempts(&self) -> BTreeMap<VertexId, u32> {
        let mut attempts = BTreeMap::new();
        if let RoleState::Proposer(_, disk) = &self.role {
            for record in disk {
                if let ProposerRecord::Attempted { vertex, .. } = record {
                    *attempts.entry(*vertex).or_default() += 1;
                }
            }
        }
        attempts
    }

    /// Whether a message only ends a proposer's work on a vertex, and need not ([`Bounds::outcomes`]).
    pub(crate) fn may_ignore(&self, bounds: &Bounds, from: NodeId, message: &Message) -> bool {
        let RoleState::Proposer(..) = self.role else { return false };
        let Some(vertex) = message.vertex() else { return false };
        let attempts = || self.attempts().get(&vertex).copied().unwrap_or(0);
        let may_go_on = || bounds.may_go_on(self.node, vertex.proposer, attempts());
        match message {
            // The anchor's vote in round 1 opens it.
            Message::Accepted(it) if from == self.node && it.ballot.round == 1 => false,
            Message::Accepted(_) | Message::Chosen(_) | Message::Concluded(_) => may_go_on(),
            // A refused proposer waits to try again, if it may.
            Message::Refused(_) => {
                may_go_on() && attempts() >= bounds.attempts_in(self.node, vertex.proposer)
            }
            _ => false,
        }
    }

    fn handle(
        &mut self,
        cluster: &Cluster,
        bounds: &Bounds,
        other: NodeId,
        stimulus: &Stimulus<'_>,
        is_lost: bool,
        sent: &mut Vec<(NodeId, Message)>,
    ) {
        match (&mut self.role, stimulus) {
            (_, Stimulus::Restart) => self.restart(cluster, bounds, other, sent),
            (RoleState::Proposer(role, disk), stimulus) => {
                let mut effects = Effects::default();
                match stimulus {
                    Stimulus::Deliver { from, message } => {
                        let from = Address::Node(*from);
                        let _ = role.handle(0, from, (*message).clone(), &mut effects);
                    }
                    Stimulus::TimeOut(vertex) => role.on_timer(0, *vertex, &mut effects),
                    Stimulus::Recover(vertex) => {
                        let recover = althing_wire::Recover { vertex: *vertex };
                        let me = Address::Node(self.node);
                        let _ = role.handle(0, me, recover.into(), &mut effects);
                    }
                    Stimulus::Restart => unreachable!("matched above"),
                }
                role.flush(0, &mut effects);
                carry_out(effects, disk, is_lost, sent);
                self.settle(is_lost, sent);
            }
            (role, Stimulus::Deliver { from, message }) => {
                let (from, message) = (Address::Node(*from), (*message).clone());
                // Why a role did nothing does not matter here: nothing is what it did.
                match role {
                    RoleState::Proposer(..) => unreachable!("matched above"),
                    RoleState::Voter(role, disk) => {
                        let mut effects = Effects::default();
                        let _ = role.handle(from, message, &mut effects);
                        carry_out(effects, disk, is_lost, sent);
                    }
                    RoleState::Dependency(role, disk) => {
                        let mut effects = Effects::default();
                        let _ = role.handle(from, message, &mut effects);
                        carry_out(effects, disk, is_lost, sent);
                    }
                    RoleState::Acceptor(role, disk) => {
                        let mut effects = Effects::default();
                        let _ = role.handle(from, message, &mut effects);
                        carry_out(effects, disk, is_lost, sent);
                    }
                }
            }
            _ => unreachable!("timers and recoveries are a proposer's"),
        }
    }

    /// A proposer hears of its reservations at once: they are its own disk's word.
    fn settle(&mut self, is_lost: bool, sent: &mut Vec<(NodeId, Message)>) {
        let RoleState::Proposer(role, disk) = &mut self.role else { return };
        while let Some(at) = sent.iter().position(|(_, it)| matches!(it, Message::Reserved(_))) {
            let (_, reserved) = sent.remove(at);
            let mut effects = Effects::default();
            let _ = role.handle(0, Address::Node(self.node), reserved, &mut effects);
            role.flush(0, &mut effects);
            carry_out(effects, disk, is_lost, sent);
        }
        drop(role.take_commits());
    }

    fn restart(
        &mut self,
        cluster: &Cluster,
        bounds: &Bounds,
        other: NodeId,
        sent: &mut Vec<(NodeId, Message)>,
    ) {
        self.lives = self.lives.saturating_add(1);
        let is_forgetful = bounds.flaw == Some(Flaw::ForgetfulDisk);
        match &mut self.role {
            RoleState::Proposer(role, disk) => **role = proposer(cluster, bounds, self.node, disk),
            RoleState::Voter(role, disk) => {
                if is_forgetful {
                    disk.clear();
                }
                *role = voter(cluster, self.node, disk);
            }
            RoleState::Dependency(role, disk) => {
                if is_forgetful {
                    disk.clear();
                }
                *role = dependency(cluster, disk);
            }
            RoleState::Acceptor(role, disk) => {
                if is_forgetful {
                    disk.clear();
                }
                *role = acceptor(cluster, disk);
            }
        }
        self.start(cluster, bounds, other, sent);
    }

    /// Begins a life: a proposer reserves, recovers what an earlier life left, and gets a command.
    fn start(
        &mut self,
        cluster: &Cluster,
        bounds: &Bounds,
        other: NodeId,
        sent: &mut Vec<(NodeId, Message)>,
    ) {
        let RoleState::Proposer(role, disk) = &mut self.role else { return };
        for (node, link) in cluster.links(self.node, other) {
            role.on_link(0, node, link);
        }
        let mut effects = Effects::default();
        role.start(0, &mut effects);
        if self.lives < bounds.commands && (bounds.rival || self.node.0 == 0) {
            let submit = cluster.submission(self.node, self.lives);
            let client = Address::Client(Cluster::CLIENT);
            let _ = role.handle(0, client, submit.into(), &mut effects);
        }
        carry_out(effects, disk, false, sent);
        self.settle(false, sent);
    }
}

/// Syncs what was appended and sends what may leave; or, if it is lost, only what did not wait.
fn carry_out<R>(
    effects: Effects<R>,
    disk: &mut Vec<R>,
    is_lost: bool,
    sent: &mut Vec<(NodeId, Message)>,
) {
    let mut send = |to, message| {
        if let Address::Node(node) = to {
            sent.push((node, message));
        }
    };
    for effect in effects {
        match effect {
            Effect::Send { to, message } => send(to, message),
            Effect::Append { .. } if is_lost => {}
            Effect::Append { records, then } => {
                disk.extend(records);
                then.into_iter().for_each(|(to, message)| send(to, message));
            }
        }
    }
}

fn proposer(cluster: &Cluster, bounds: &Bounds, me: NodeId, disk: &[ProposerRecord]) -> Proposer {
    let config = Config {
        me,
        membership: cluster.membership.clone(),
        seed: 0,
        timing: Timing::default(),
        limits: Limits { reserve_len: bounds.reserve_len, ..Limits::default() },
    };
    Proposer::new(config, Arc::clone(&cluster.conflicts), disk.to_vec())
}

fn voter(cluster: &Cluster, me: NodeId, disk: &[VoterRecord]) -> Voter {
    let modes = cluster.conflicts.modes().clone();
    let epoch = cluster.membership.epoch();
    // With a replica beside it, it says what it learns.
    let mut voter = Voter::new(althing_voter::Config { me, epoch, modes, has_replica: true });
    disk.iter().for_each(|record| voter.restore(record.clone()));
    voter
}

fn dependency(cluster: &Cluster, disk: &[DependencyRecord]) -> DependencyNode {
    let modes = cluster.conflicts.modes().clone();
    let mut node = DependencyNode::new(cluster.membership.epoch(), modes);
    disk.iter().for_each(|record| node.restore(record.clone()));
    node
}

fn acceptor(cluster: &Cluster, disk: &[AcceptorRecord]) -> Acceptor {
    let mut acceptor = Acceptor::new(cluster.membership.epoch());
    disk.iter().for_each(|record| acceptor.restore(record.clone()));
    acceptor
}
