//! Starting a node: recover, open the endpoint, then let the roles run.

use crate::admin;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::gate::{Admission, Delivery};
use crate::handle::{Addresses, Io, NodeHandle, Running, Spawner, Threads};
use crate::inbox::Inbox;
use crate::journal_loop::{Append, JournalLoop, JournalSender, die};
use crate::limits;
use crate::links;
use crate::metrics;
use crate::recovery::{self, Found, Restored};
use crate::registry_file::{RegistryError, RegistryFile};
use crate::registry_loop::{Lost, OnVerdict, RegistryLoop};
use crate::role_loop::{Driven, RoleLoop};
use crate::roles::{
    DrivenAcceptor, DrivenDependency, DrivenProposer, DrivenRelay, DrivenReplica, DrivenVoter,
};
use crate::route::{Outbox, Router};
use crate::snapshots::SnapshotLoop;
use crate::status::{Observer, Published};
use althing_journal::FileDisk;
use althing_model::{Conflicts, ConflictsId, NodeId, Role, StateMachine, Unrestorable};
use althing_roles::{RoleMissing, Roles};
use althing_snapshot::{Digest, Store};
use althing_transport::{Endpoint, Peer};
use althing_wire::{Party, Standing};
use crossbeam::channel::{self, Sender};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// One process of a cluster. See [`Node::start`].
#[derive(Debug, Clone, Copy)]
pub struct Node;

/// A node was not started. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A builder was not given everything.
    #[error(
        "a node needs a configuration, a state machine and a conflict function: call `.{0}(..)` too"
    )]
    Incomplete(&'static str),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal cannot be opened: another node's, damaged, in use, ..
    #[error("journal: {0}")]
    Journal(#[from] althing_journal::OpenError),
    /// The journal has records of a role that the node does not have.
    #[error("journal: {0}")]
    Role(#[from] RoleMissing),
    /// Whether the node may vote cannot be told: its registry is damaged, another node's, ..
    #[error("registry: {0}")]
    Registry(#[from] RegistryError),
    /// The snapshots cannot be opened: another cluster's, in use, a failing disk, ..
    #[error("snapshots: {0}")]
    Snapshots(#[from] althing_snapshot::SnapshotError),
    /// A snapshot that is in order does not fit the state machine.
    #[error("snapshot {number} is whole, but {source}; start the program that wrote it")]
    Unrestorable {
        /// Of which barrier.
        number: u64,
        /// What the replica or the state machine said.
        source: Unrestorable,
    },
    /// The snapshot that the cluster began from is not there, and no later one.
    #[error(
        "{directory} has no readable snapshot, and this cluster began from one: without it the state \
         would be another than the others'; before the first start, give it to this node (`althing \
         snapshot restore`), later replace the node under a new identity"
    )]
    NoSeed {
        /// Where it was looked for.
        directory: String,
    },
    /// Another snapshot than the one that the cluster began from.
    #[error(
        "{directory} has the seed {found}, but snapshots.seed is {expected}: give this node the file \
         that the others have"
    )]
    OtherSeed {
        /// Where it was found.
        directory: String,
        /// What was found.
        found: Digest,
        /// What the configuration asks for.
        expected: Digest,
    },
    /// The endpoint cannot be opened: certificates, or an address in use.
    #[error(transparent)]
    Transport(#[from] althing_transport::Error),
    /// The pages for operators cannot be served where they should be.
    #[error(
        "admin.listen: TCP {address} cannot be listened on: {source}; stop what has it (`ss -ltnp` \
         shows it) or choose another port, 0 for any"
    )]
    Admin {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The system gives no thread.
    #[error("a thread cannot be started: {0}; the process or the machine is at its limit")]
    Thread(std::io::Error),
}

impl Node {
    /// Starts a node: reads its journal back, opens its endpoint, and runs its roles, each on a
    /// thread of its own. `machine` is in its first state; what it went through is applied to it
    /// before this returns.
    ///
    /// A node with a new journal asks the others first who they know it as. It runs, and has no role,
    /// until a majority of them has answered; if one of them knows it from an earlier journal it has no
    /// vote any more ([`crate::RegistryStatus`]).
    ///
    /// The node has an asynchronous runtime of its own; this may be called from anywhere, and takes
    /// as long as the journal takes to read.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(
        config: Config,
        machine: Box<dyn StateMachine>,
        conflicts: Arc<dyn Conflicts>,
    ) -> Result<NodeHandle, StartError> {
        let exporter = metrics::install();
        let clock = Clock::start();
        let disk = FileDisk::new(&config.data_dir);
        let file = RegistryFile::new(disk, config.cluster, config.me);
        let found = recovery::find(&config, &file)?;
        let conflicts_id = conflicts.id();
        let registry = found.registry.clone();
        // A new node has nothing to read back, and makes its roles when it knows which it has.
        let (restored, asking) = match registry.standing() {
            Standing::Asking => (None, Some((found, machine, conflicts))),
            standing => {
                let is_lost = standing == Standing::Lost;
                (Some(recovery::restore(&config, found, is_lost, machine, conflicts)?), None)
            }
        };
        let has_replica = config.membership.has(config.me, Role::Replica);
        let config = Arc::new(config);
        let runtime = Io::start()?;
        let router = Arc::new(Router::new(
            config.me,
            &config.membership,
            inboxes(&config),
            has_replica.then(|| Arc::new(snapshot_inbox())),
        ));
        if registry.standing() == Standing::Lost {
            router.lose();
        }
        let published = Arc::new(Published::default());
        let is_closing = Arc::new(AtomicBool::new(false));
        let observer = Arc::new(Observer {
            config: config.clone(),
            router: router.clone(),
            published: published.clone(),
            clock,
        });

        let entered = runtime.runtime().enter();
        // Both listeners before any thread: an address in use leaves nothing behind.
        let admin = config.admin.map(admin::bind).transpose()?;
        let delivery = Delivery::new(router.clone(), is_closing.clone(), published.clone());
        let admission = Admission::new(config.me, &config.membership);
        let endpoint = endpoint_config(&config, conflicts_id);
        let endpoint = Endpoint::bind(endpoint, Arc::new(admission), Arc::new(delivery))?;
        let addresses = Addresses {
            listen: endpoint.local_address(),
            admin: admin.as_ref().map(|admin| admin.address),
        };
        router.open(endpoint);
        if let Some(admin) = admin {
            runtime.runtime().spawn(admin::serve(admin, observer.clone(), exporter));
        }
        runtime.runtime().spawn(links::watch(router.clone(), published.clone(), config.down_after));
        drop(entered);

        let threads = Threads::new();
        let spawn = Spawn {
            config: config.clone(),
            router: router.clone(),
            clock,
            spawner: threads.spawner.clone(),
            published: published.clone(),
        };
        let on_verdict = match restored {
            Some(restored) => {
                spawn.node(restored)?;
                None
            }
            None => asking.map(|(found, machine, conflicts)| -> OnVerdict {
                Box::new(move |lost| spawn.asked(lost, found, machine, conflicts))
            }),
        };
        match registry.standing() {
            Standing::Lost => tell_lost(&config, None),
            Standing::Asking => tracing::info!(
                "this node is new: it asks the others whether they know it, and waits for a majority"
            ),
            Standing::Admitted => {}
        }
        let registry_loop = RegistryLoop::new(
            (registry, file),
            router.registry().clone(),
            Outbox::new(router.clone()),
            clock,
            on_verdict,
            published,
        );
        threads.spawner.spawn("registry", move || registry_loop.run())?;
        tracing::info!(
            "node {} of cluster {} listens on {}",
            config.me.0,
            config.cluster,
            addresses.listen
        );
        NodeHandle::new(Running { threads, router, is_closing, runtime, observer, addresses })
    }
}

/// The inbox of the snapshots' thread.
fn snapshot_inbox() -> Inbox {
    Inbox::new(limits::SNAPSHOT_INBOX_LEN, limits::SNAPSHOT_INBOX_BYTES)
}

/// An inbox for each role that this node has.
fn inboxes(config: &Config) -> BTreeMap<Party, Arc<Inbox>> {
    Role::ALL
        .map(Party::Node)
        .into_iter()
        .chain([Party::Voter])
        .filter(|party| party.is_at(&config.membership, config.me))
        .map(|party| {
            let inbox = Inbox::new(config.inbox_len_max, config.inbox_bytes_max);
            (party, Arc::new(inbox))
        })
        .collect()
}

fn endpoint_config(config: &Config, conflicts: ConflictsId) -> althing_transport::Config {
    let peers = config
        .nodes
        .iter()
        .map(|(node, member)| Peer { node: *node, address: member.dial.clone() });
    althing_transport::Config {
        listen: config.listen,
        tls: config.tls.clone(),
        cluster: config.cluster,
        conflicts,
        me: config.me,
        peers: peers.collect(),
        settings: config.transport.clone(),
    }
}

/// Says what happened to a node that lost its journal, and what that means.
fn tell_lost(config: &Config, known_to: Option<NodeId>) {
    let why = match known_to {
        Some(NodeId(node)) => format!("node {node} knows it from an earlier journal"),
        None => "its registry says so".to_owned(),
    };
    tracing::error!(
        "node {} lost its journal, and with it what it promised: {why}. It comes back without a vote, \
         as a replica that catches up and passes its clients' commands on, and stays so: it counts among \
         the f = {} nodes that may fail. If its journal still exists (a disk that is not mounted), stop \
         it and put {} back as it was",
        config.me.0,
        config.membership.acceptor_quorums().f(),
        config.data_dir.display()
    );
}

/// What every role's thread is made of.
struct Spawn {
    config: Arc<Config>,
    router: Arc<Router>,
    clock: Clock,
    spawner: Spawner,
    published: Arc<Published>,
}

impl Spawn {
    /// On the registry's thread: the others have said what this node is.
    fn asked(
        self,
        lost: Option<Lost>,
        found: Found,
        machine: Box<dyn StateMachine>,
        conflicts: Arc<dyn Conflicts>,
    ) {
        let is_lost = lost.is_some();
        if let Some(Lost { known_to }) = lost {
            self.router.lose();
            tell_lost(&self.config, known_to);
        } else {
            tracing::info!("this node is admitted: no other knows it from an earlier journal");
        }
        let restored = recovery::restore(&self.config, found, is_lost, machine, conflicts);
        if let Err(error) = restored.and_then(|restored| self.node(restored)) {
            die(&error);
        }
    }

    /// Starts the journal's thread, and a thread for each role.
    fn node(&self, restored: Restored) -> Result<(), StartError> {
        let Restored { roles, journal, recovered, trim, store } = restored;
        let (sender, queue) = channel::bounded(limits::JOURNAL_QUEUE_LEN);
        let journal_loop = JournalLoop::new(
            (journal, recovered, trim),
            queue,
            Outbox::new(self.router.clone()),
            self.config.sync_delay,
            self.config.disk_reserve,
            self.published.clone(),
        );
        self.spawner.spawn("journal", move || journal_loop.run())?;
        // Only the roles hold the journal's queue then: it ends when they have.
        self.roles(roles, store, &sender)
    }

    fn roles(
        &self,
        roles: Roles,
        store: Option<(Store<FileDisk>, Option<SystemTime>)>,
        sender: &Sender<Append>,
    ) -> Result<(), StartError> {
        let Roles { is_lost: _, relay, proposer, voter, dependency, acceptor, replica } = roles;
        let published = || self.published.clone();
        if let (Some(replica), Some(store)) = (replica, store) {
            let tasks = self.router.snapshots().expect("a node with a replica has it").clone();
            let done = self.router.inbox(Party::Node(Role::Replica));
            let snapshots = SnapshotLoop::new(
                store.clone(),
                tasks.clone(),
                done.expect("each role has an inbox").clone(),
                Outbox::new(self.router.clone()),
                self.clock,
                published(),
            );
            self.spawner.spawn("snapshots", move || snapshots.run())?;
            let replica = DrivenReplica::new(replica, store.0, tasks, published());
            self.role(Party::Node(Role::Replica), Some(replica), sender)?;
        }
        self.role(Party::Voter, voter.map(|voter| DrivenVoter::new(voter, published())), sender)?;
        self.role(
            Party::Node(Role::Dependency),
            dependency.map(|dependency| DrivenDependency::new(dependency, published())),
            sender,
        )?;
        self.role(
            Party::Node(Role::Acceptor),
            acceptor.map(|acceptor| DrivenAcceptor::new(acceptor, published())),
            sender,
        )?;
        self.role(Party::Node(Role::Proposer), relay.map(DrivenRelay::new), sender)?;
        // The last, since it begins by asking the others.
        self.role(
            Party::Node(Role::Proposer),
            proposer.map(|proposer| DrivenProposer::new(proposer, published())),
            sender,
        )
    }

    fn role<R: Driven>(
        &self,
        party: Party,
        role: Option<R>,
        sender: &Sender<Append>,
    ) -> Result<(), StartError> {
        let Some(mut role) = role else {
            return Ok(());
        };
        // Whoever asks before the thread has run is told what was recovered.
        role.publish(self.clock.now());
        let inbox = self.router.inbox(party);
        let role_loop = RoleLoop {
            role,
            inbox: inbox.expect("each role has an inbox").clone(),
            outbox: Outbox::new(self.router.clone()),
            journal: JournalSender::new(sender.clone()),
            clock: self.clock,
        };
        self.spawner.spawn(R::NAME, move || role_loop.run())
    }
}
