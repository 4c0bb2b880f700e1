//! The virtual world: one queue of events in virtual time, and what each does.

mod clients;
mod faults;
mod nodes;
mod reads;
mod snapshots;
mod watchers;

use crate::app::Application;
use crate::clients::SimClient;
use crate::codec::Codec;
use crate::event::{Event, Queue};
use crate::fault::FaultCounts;
use crate::limits::{AFTER_FAULTS, KEPT_MAX};
use crate::network::Network;
use crate::node::Node;
use crate::observe::{Observer, digest};
use crate::rights::Rights;
use crate::trace::{MessageName, TraceEvent, Traced};
use crate::watchers::{SimWatcher, watchers as all_watchers};
use crate::{Plan, clients::clients as all_clients};
use althing_checker::{Violation, converges::Standing};
use althing_model::{Conflicts, Micros, NodeId, Operation, Role};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_xoshiro::SplitMix64;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A run in progress.
pub(crate) struct World<'a> {
    plan: &'a Plan,
    app: &'a dyn Application,
    conflicts: Arc<dyn Conflicts>,
    pub(crate) now: Micros,
    queue: Queue,
    pub(crate) events: u64,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    network: Network,
    rights: Rights,
    /// What the oracles know of each snapshot, by its number and digest.
    points: FxHashMap<(u64, [u8; 32]), snapshots::Point>,
    codec: Codec,
    clients: Vec<SimClient>,
    watchers: Vec<SimWatcher>,
    pub(crate) operations_ended: usize,
    pub(crate) operations_done: usize,
    /// Operations from this one on began when everything had converged after the last fault.
    after_faults: usize,
    is_settled: bool,
    /// Episodes that have begun.
    episodes_begun: usize,
    /// Barriers that clients have asked for.
    barriers_asked: usize,
    pub(crate) observer: Observer,
    pub(crate) counts: FaultCounts,
    pub(crate) is_healed: bool,
    pub(crate) trace_digest: u64,
    trace: Option<&'a mut dyn FnMut(TraceEvent)>,
    /// How often each message was sent, where messages need names.
    occurrences: Option<FxHashMap<u64, u32>>,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        app: &'a dyn Application,
        trace: Option<&'a mut dyn FnMut(TraceEvent)>,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed.wrapping_add(1));
        let needs_names = trace.is_some() || plan.cut.delivered.is_some();
        Self {
            plan,
            app,
            conflicts: app.conflicts(),
            now: 0,
            queue: Queue::default(),
            events: 0,
            nodes: plan.membership.nodes().map(|id| (id, Node::new(id, plan))).collect(),
            network: Network::new(plan, &mut rng),
            rights: Rights::new(&plan.membership),
            points: FxHashMap::default(),
            codec: Codec::default(),
            clients: all_clients(plan),
            watchers: all_watchers(plan),
            operations_ended: 0,
            operations_done: 0,
            after_faults: usize::MAX,
            is_settled: false,
            episodes_begun: 0,
            barriers_asked: 0,
            observer: Observer::new(&plan.membership, app.commutes(), app.seen()),
            counts: FaultCounts::default(),
            is_healed: false,
            trace_digest: 0,
            trace,
            occurrences: needs_names.then(FxHashMap::default),
        }
    }

    /// Starts every node and lets the clients begin.
    pub(crate) fn start(&mut self) -> Result<(), Violation> {
        for node in self.plan.membership.nodes() {
            self.start_node(node)?;
        }
        for client in 0..self.clients.len() {
            let at = self.draw(("begin", client)).random_range(0..self.plan.network.delay.1);
            self.clients[client].wake_at = at;
            self.queue.push(at, Event::ClientWake { client });
        }
        self.begin_watchers();
        self.begin_episodes();
        Ok(())
    }

    /// Does the next event; false when there is none, or only after `until`.
    pub(crate) fn step(&mut self, until: Micros) -> Result<bool, Violation> {
        let Some((at, event)) = self.queue.pop(until) else { return Ok(false) };
        self.now = at;
        self.events += 1;
        match event {
            Event::Deliver { to, arrived } => self.deliver(to, arrived)?,
            Event::Resume { node, life } => self.resume(node, life)?,
            Event::Answer { client, generation, from, answer, shown } => {
                self.answer((client, generation), from, answer, shown)?;
            }
            Event::Told { watcher, generation, from, message } => {
                self.told(watcher, generation, from, *message)?;
            }
            Event::WatcherWake { watcher } => self.wake_watcher(watcher)?,
            Event::Take { watcher, generation } => self.watcher_takes(watcher, generation)?,
            Event::Synced { node, life } => self.synced(node, life)?,
            Event::Written { node, life } => self.written(node, life)?,
            Event::Copied { node, life, from, offer } => self.copied(node, life, from, offer)?,
            Event::FetchWake { node, life } => self.wake_fetch(node, life)?,
            Event::Fetched { node, life, saved } => self.install(node, life, saved)?,
            Event::Wake { node } => self.wake(node)?,
            Event::ClientWake { client } => self.wake_client(client)?,
            Event::Fault(fault) => self.fault(fault)?,
            Event::Detect { node } => self.detect(node)?,
        }
        Ok(true)
    }

    /// Everything has converged: the clients begin what they kept for now, and somebody asks for a
    /// command over everything. It finds what nobody has asked for: a vertex of a node that is lost
    /// for good, which conflicts with nothing that came later, is committed, and not known to be.
    pub(crate) fn settle(&mut self) -> Result<(), Violation> {
        self.is_settled = true;
        self.submit_over_everything(Operation::CloseSessions(Vec::new()));
        self.after_faults = self.observer.history().operations().len();
        for client in 0..self.clients.len() {
            self.client_output(client, Vec::new())?;
        }
        Ok(())
    }

    /// Whether the clients have done all that they do in this phase.
    pub(crate) fn is_done(&self) -> bool {
        self.clients.iter().all(|client| client.open.is_empty() && !self.may_begin(client))
    }

    /// How the replicas stand, but for those that stay down.
    pub(crate) fn standings(&self) -> impl Iterator<Item = Standing> {
        let nodes = self.nodes.values().filter(|node| !node.stays_down);
        nodes.filter(|node| self.plan.membership.has(node.id, Role::Replica)).map(|node| {
            let replica = node.roles.as_ref().and_then(|roles| roles.replica.as_ref());
            Standing {
                node: node.id.0,
                is_up: replica.is_some(),
                digest: replica.map_or(0, |it| digest(&(it.digest(), it.committed()))),
                pending: replica.map_or(0, |it| it.pending_len()),
            }
        })
    }

    /// What somebody still works on.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let clients = self.clients.iter().filter(|it| !it.open.is_empty() || self.may_begin(it));
        let nodes = self.nodes.values().filter(|node| !node.stays_down);
        let proposers =
            nodes.filter_map(|node| node.roles.as_ref().and_then(|it| it.proposer.as_ref()));
        let clients =
            [("clients at work", clients.count()), ("watchers behind", self.watchers_behind())];
        clients.into_iter().chain(proposers.flat_map(|it| {
            [("vertices in flight", it.in_flight()), ("commands in a queue", it.queue_len())]
        }))
    }

    /// Whether, once nothing is wrong, floors have to rise.
    pub(crate) fn can_prune(&self) -> bool {
        let plan = self.plan;
        let replicas = plan.membership.with(Role::Replica);
        let whole = replicas.filter(|node| !self.nodes[node].stays_down).count();
        let enough = plan.membership.acceptor_quorums().phase2();
        plan.prunes() && plan.is_survivable && whole >= enough
    }

    /// A role that keeps more vertices than it has to, when nothing was wrong for long.
    pub(crate) fn kept_too_much(&self) -> Option<String> {
        let most = KEPT_MAX + self.plan.replica_limits.barrier_len as usize;
        let has_lost = self.nodes.values().any(|node| node.stays_down);
        let log_len_max = self.plan.replica_limits.log_len_max;
        for node in self.nodes.values() {
            let Some(roles) = &node.roles else { continue };
            // Who is gone for good never tells that it has a value: there the limit counts.
            let log_most = if has_lost { most.max(log_len_max) } else { most };
            let kept = [
                ("voter", roles.voter.as_ref().map_or(0, |it| it.len()), most),
                ("acceptor", roles.acceptor.as_ref().map_or(0, |it| it.len()), most),
                ("dependency node", roles.dependency.as_ref().map_or(0, |it| it.len()), most),
                ("replica", roles.replica.as_ref().map_or(0, |it| it.log_size().0), log_most),
            ];
            for (role, len, most) in kept {
                if len > most {
                    return Some(format!(
                        "the {role} of {} keeps {len} vertices of {most}",
                        node.id
                    ));
                }
            }
        }
        None
    }

    /// What keeps the run from converging, in words.
    pub(crate) fn describe_state(&self) -> String {
        let lines = self.nodes.values().map(|node| match &node.roles {
            None if node.stays_down => format!("{}: its disk is lost", node.id),
            None => format!("{}: down", node.id),
            Some(roles) => format!("{}: {:?} {:?}", node.id, roles.proposer, roles.replica),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Random numbers for one purpose: what else happens does not change them.
    fn draw(&self, of: impl Hash) -> SplitMix64 {
        let mut hasher = FxHasher::default();
        (self.plan.seed, of).hash(&mut hasher);
        SplitMix64::seed_from_u64(hasher.finish())
    }

    fn trace(&mut self, what: impl FnOnce() -> Traced) {
        if let Some(trace) = &mut self.trace {
            trace(TraceEvent { at: self.now, what: what() });
        }
    }

    fn mark(&mut self, what: impl Hash) {
        let mut hasher = FxHasher::default();
        (self.trace_digest, self.now, what).hash(&mut hasher);
        self.trace_digest = hasher.finish();
    }

    /// The name of a message that leaves now.
    fn name(&mut self, about: impl Hash) -> MessageName {
        let Some(occurrences) = &mut self.occurrences else { return MessageName::LOCAL };
        let base = MessageName::of(about, 0).0;
        let occurrence = occurrences.entry(base).or_default();
        *occurrence += 1;
        MessageName::of(base, *occurrence)
    }

    /// Operations of a client that it may begin now.
    fn may_begin(&self, client: &SimClient) -> bool {
        // Where only safety is asserted there is no time after the faults.
        let kept = match self.is_settled || !self.plan.is_survivable {
            true => 0,
            false => AFTER_FAULTS,
        };
        client.remaining > kept
    }
}
