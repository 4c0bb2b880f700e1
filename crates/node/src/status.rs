//! What a node says of itself: published by its threads, gathered on request.

use crate::clock::Clock;
use crate::config::Config;
use crate::inbox::Input;
use crate::limits;
use crate::links;
use crate::route::Router;
use althing_model::{NodeId, Path, Role};
use althing_proposer::CommitPath;
use althing_transport::RoundTrips;
use althing_wire::Party;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// A node's state, as `/status` renders it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its number.
    pub node: u32,
    /// Where it is.
    pub region: String,
    /// The cluster's id.
    pub cluster: String,
    /// The number of the cluster's configuration.
    pub epoch: u32,
    /// `fast` or `classic`.
    pub path: String,
    /// How many nodes may fail.
    pub f: usize,
    /// Its roles.
    pub roles: Vec<String>,
    /// How long it has been running.
    pub uptime_ms: u64,
    /// Whether it could commit a command now, as far as it knows.
    pub ready: bool,
    /// Why not, if it could not.
    pub not_ready_because: Option<String>,
    /// Its proposer, if it has one.
    pub proposer: Option<ProposerStatus>,
    /// Its replica, if it has one.
    pub replica: Option<ReplicaStatus>,
    /// The state machine's digest in hexadecimal; none without a replica, or when that was too busy
    /// to say.
    pub digest: Option<String>,
    /// The links to the other nodes.
    pub links: Vec<LinkStatus>,
    /// Its journal.
    pub journal: JournalStatus,
    /// Its snapshots, if it has a replica.
    #[serde(default)]
    pub snapshots: Option<SnapshotStatus>,
    /// Vertices that its voter, dependency node and acceptor hold something of, by role: those above
    /// the floor, and below it what is not forgotten yet.
    #[serde(default)]
    pub vertices: BTreeMap<String, u64>,
    /// Whether it may vote and propose.
    #[serde(default)]
    pub registry: RegistryStatus,
    /// What a node that is behind the others waits for.
    #[serde(default)]
    pub waiting_for: Option<String>,
    /// What it may take on disk: the sum of [`DiskBudget`]; none without barriers.
    #[serde(default)]
    pub disk_budget_bytes: Option<u64>,
    /// Its parts.
    #[serde(default)]
    pub disk_budget: Option<DiskBudget>,
}

/// What this configuration allows a node to take on disk, with snapshots as long as the newest, while
/// they can be written and f + 1 replicas are up. While they are not, nothing may be forgotten, and the
/// journal grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskBudget {
    /// The journal, at most. A barrier is due at once at four times what makes it due; of what is
    /// executed between two, each value is recorded twice, in three groups of a sector or more; the
    /// journal holds two such spans and what is written again; and four segments are slack and room
    /// made ahead.
    pub journal_bytes: u64,
    /// The snapshots that are kept, one being written, and one being fetched.
    pub snapshot_bytes: u64,
}

/// What a node's registry says: whether the node may vote and propose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryStatus {
    /// `asking` while it is not known, `admitted`, or `lost`: it forgot what it promised with an earlier
    /// journal, and neither votes nor proposes.
    pub standing: String,
    /// The number of its journal, in hexadecimal.
    pub incarnation: String,
    /// How many other nodes have answered that they know no earlier one.
    pub answered: usize,
    /// How many it takes.
    pub needed: usize,
    /// Who knew an earlier one.
    pub contradicted_by: Option<u32>,
    /// Other nodes that lost their journals, as far as they have told since the start.
    pub lost: Vec<u32>,
}

impl RegistryStatus {
    /// Whether it is not known yet whether the node may vote.
    pub fn is_asking(&self) -> bool {
        self.standing == "asking"
    }

    /// Whether the node has no vote any more.
    pub fn is_lost(&self) -> bool {
        self.standing == "lost"
    }
}

/// What the snapshots' thread says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotStatus {
    /// Snapshots on disk.
    pub kept: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How many barriers are executed in the newest.
    pub newest: Option<u64>,
    /// Its bytes.
    pub newest_bytes: u64,
    /// When it was written: milliseconds since 1970.
    pub newest_at_unix_ms: Option<u64>,
    /// How long ago that was.
    pub newest_age_ms: Option<u64>,
    /// Written since the start.
    pub saved: u64,
    /// How long the last one took.
    pub saving_took_ms: u64,
    /// Not written, or not fetched, since the start.
    pub failed: u64,
    /// Fetched from others since the start.
    pub fetched: u64,
    /// Bytes sent to others since the start.
    pub served_bytes: u64,
    /// The one that is being written.
    pub writing: Option<u64>,
    /// Bytes of it so far.
    pub written_bytes: u64,
    /// The one that is being fetched.
    pub fetching: Option<FetchStatus>,
}

/// A snapshot on its way here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchStatus {
    /// How many barriers are executed in it.
    pub number: u64,
    /// Which node is asked.
    pub source: u32,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What a proposer says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposerStatus {
    /// Vertices that it works on, others' included.
    pub in_flight: usize,
    /// Own vertices that are not committed yet.
    pub own_in_flight: usize,
    /// Commands that wait for a vertex.
    pub queue: usize,
    /// Commits since it was started, by path.
    pub commits: CommitCounts,
    /// Recovery attempts begun.
    pub recoveries: u64,
    /// Vertices committed as a noop.
    pub noops: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Commands proposed again after a noop.
    pub proposed_again: u64,
    /// Submissions turned away.
    pub overloaded: u64,
    /// Commands forwarded to a better placed proposer.
    #[serde(default)]
    pub forwarded: u64,
    /// Commands that others forwarded here.
    #[serde(default)]
    pub taken: u64,
    /// Forwarded commands that were proposed here in the end.
    #[serde(default)]
    pub taken_back: u64,
}

/// Commits, by path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitCounts {
    /// After one round trip to the fast quorum.
    pub fast: u64,
    /// On the fast path's second round.
    pub slow: u64,
    /// On the classic path.
    pub classic: u64,
    /// In a recovery.
    pub recovered: u64,
    /// Someone else had committed it.
    pub learned: u64,
}

impl CommitCounts {
    pub(crate) fn count(&mut self, path: CommitPath) {
        *match path {
            CommitPath::Fast => &mut self.fast,
            CommitPath::Slow => &mut self.slow,
            CommitPath::Classic => &mut self.classic,
            CommitPath::Recovered => &mut self.recovered,
            CommitPath::Learned => &mut self.learned,
        } += 1;
    }
}

/// What a replica says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Vertices learnt.
    pub committed: u64,
    /// Vertices executed.
    pub executed: u64,
    /// Commands that took effect.
    pub applied: u64,
    /// Committed vertices that wait for others.
    pub pending: usize,
    /// Uncommitted vertices that others wait for.
    pub blocked: usize,
    /// How long the longest of them has been waited for.
    pub blocked_age_ms: u64,
    /// Open sessions.
    pub sessions: usize,
    /// Recoveries asked for.
    pub recoveries_asked: u64,
    /// Vertices sent to replicas that lacked them.
    pub caught_up: u64,
    /// Barriers executed, ever.
    #[serde(default)]
    pub barriers: u64,
    /// Snapshots cut.
    #[serde(default)]
    pub snapshots_cut: u64,
    /// Snapshots of other nodes installed.
    #[serde(default)]
    pub snapshots_installed: u64,
    /// The longest that cutting one, with what was executed in the same call, kept the replica.
    #[serde(default)]
    pub snapshot_pause_us_max: u64,
    /// Vertices below the floor: in snapshots of f + 1 nodes, and forgotten.
    #[serde(default)]
    pub floor: u64,
    /// Vertices that others are known to have committed and this one has not executed.
    #[serde(default)]
    pub lag: u64,
    /// Vertices whose values are kept for other replicas.
    #[serde(default)]
    pub log_vertices: u64,
    /// Their bytes, about.
    #[serde(default)]
    pub log_bytes: u64,
    /// Watches that clients have here.
    #[serde(default)]
    pub watches: u64,
    /// Executed vertices kept for them.
    #[serde(default)]
    pub watch_feed_vertices: u64,
    /// Changes told to watchers.
    #[serde(default)]
    pub watch_changes: u64,
    /// Watches that went on from a token.
    #[serde(default)]
    pub watches_resumed: u64,
    /// Watches refused, or ended, since what they lack is forgotten here.
    #[serde(default)]
    pub watches_compacted: u64,
    /// Watches ended since their clients took too slowly.
    #[serde(default)]
    pub watches_too_slow: u64,
    /// Watches refused since there were too many.
    #[serde(default)]
    pub watches_refused: u64,
    /// The last barrier behind which a majority of the replicas is known to have the state that is here.
    #[serde(default)]
    pub agreed_at: Option<u64>,
    /// Other replicas whose state is not that of the majority.
    #[serde(default)]
    pub outvoted: usize,
    /// Reads that wait.
    #[serde(default)]
    pub reads_waiting: usize,
    /// Reads answered without a command.
    #[serde(default)]
    pub reads_done: u64,
    /// Those that had to wait, or asked others first.
    #[serde(default)]
    pub reads_held: u64,
    /// Reads that became commands.
    #[serde(default)]
    pub reads_as_commands: u64,
    /// Reads refused: no read of the state machine, or a token of another cluster.
    #[serde(default)]
    pub reads_refused: u64,
    /// Reads sent elsewhere: too many, no quorum, or behind.
    #[serde(default)]
    pub reads_sent_elsewhere: u64,
    /// How old the state is at most, if that is known: what was answered to anyone before is in it.
    #[serde(default)]
    pub age_ms: Option<u64>,
}

/// What a journal says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// The last durable record.
    pub lsn: u64,
    /// Records written since the start.
    pub records: u64,
    /// Bytes written since the start, framing included.
    pub bytes: u64,
    /// Syncs since the start.
    pub syncs: u64,
    /// Records read at the start.
    pub recovered_records: u64,
    /// Their bytes.
    pub recovered_bytes: u64,
    /// Segment files at the start.
    pub segments_at_start: u64,
    /// The first record that is kept.
    #[serde(default)]
    pub first_lsn: u64,
    /// Segment files.
    #[serde(default)]
    pub segments: u64,
    /// Bytes that they take.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Segments removed since the start.
    #[serde(default)]
    pub segments_trimmed: u64,
    /// What is free on the disk, if that can be told.
    #[serde(default)]
    pub disk_free_bytes: Option<u64>,
    /// Below this no client's command is taken.
    #[serde(default)]
    pub disk_reserve_bytes: u64,
    /// Whether that is so.
    #[serde(default)]
    pub disk_low: bool,
}

/// The link to another node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The node.
    pub node: u32,
    /// Where it is.
    pub region: String,
    /// Whether it is believed up.
    pub up: bool,
    /// The round trip, once measured, smoothed.
    pub round_trip_ms: Option<f64>,
    /// All round trips since the connection began.
    #[serde(default)]
    pub round_trips: Option<RoundTripStatus>,
    /// Messages that wait to be sent to it.
    pub queued: usize,
    /// Why there is no connection, if this side knows.
    pub problem: Option<String>,
}

/// The round trips of heartbeats to another node, as `ping` would tell them, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RoundTripStatus {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min_ms: f64,
    /// Their mean.
    pub avg_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Their standard deviation.
    pub mdev_ms: f64,
}

impl From<RoundTrips> for RoundTripStatus {
    fn from(measured: RoundTrips) -> Self {
        let RoundTrips { count, min, avg, max, mdev } = measured;
        let [min_ms, avg_ms, max_ms, mdev_ms] = [min, avg, max, mdev].map(ms);
        Self { count, min_ms, avg_ms, max_ms, mdev_ms }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What the threads published last.
#[derive(Debug, Default)]
pub(crate) struct Published {
    state: Mutex<State>,
    registry: Mutex<RegistryStatus>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    proposer: Option<ProposerStatus>,
    replica: Option<ReplicaStatus>,
    journal: JournalStatus,
    snapshots: Option<SnapshotStatus>,
    vertices: [(&'static str, u64); 3],
}

impl Published {
    pub(crate) fn set_proposer(&self, status: ProposerStatus) {
        self.with(|state| state.proposer = Some(status));
    }

    pub(crate) fn set_replica(&self, status: ReplicaStatus) {
        self.with(|state| state.replica = Some(status));
    }

    pub(crate) fn set_journal(&self, status: JournalStatus) {
        self.with(|state| state.journal = status);
    }

    pub(crate) fn set_snapshots(&self, status: SnapshotStatus) {
        self.with(|state| state.snapshots = Some(status));
    }

    pub(crate) fn set_registry(&self, status: RegistryStatus) {
        *self.registry.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// What the registry said last.
    pub(crate) fn registry(&self) -> RegistryStatus {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is not known yet whether this node may vote.
    pub(crate) fn is_asking(&self) -> bool {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).is_asking()
    }

    /// Other nodes that lost their disks.
    pub(crate) fn lost(&self) -> Vec<u32> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).lost.clone()
    }

    /// How many vertices a role holds something of.
    pub(crate) fn set_vertices(&self, role: &'static str, vertices: u64) {
        self.with(|state| {
            let place = state.vertices.iter_mut().find(|(of, _)| of.is_empty() || *of == role);
            *place.expect("three roles hold vertices") = (role, vertices);
        });
    }

    /// Whether the disk has too little room for clients' commands.
    pub(crate) fn is_disk_low(&self) -> bool {
        self.with(|state| state.journal.disk_low)
    }

    /// The length of the newest snapshot.
    pub(crate) fn snapshot_bytes(&self) -> u64 {
        self.with(|state| state.snapshots.map_or(0, |snapshots| snapshots.newest_bytes))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DiskBudget {
    /// With snapshots of that length; none without barriers.
    fn of(config: &Config, newest_bytes: u64) -> Option<Self> {
        const PRESSING: u64 = 4;
        const GROUPS_BYTES: u64 = 3 * 512;
        const SPANS: u64 = 3;
        const SEGMENTS: u64 = 4;
        let replica = &config.replica_limits;
        let span = PRESSING * (2 * replica.barrier_bytes + replica.barrier_len * GROUPS_BYTES);
        let journal_bytes = SPANS * span + SEGMENTS * config.journal.segment_bytes;
        let snapshot_bytes = (config.snapshots_keep as u64 + 2) * newest_bytes;
        (replica.barrier_len > 0).then_some(Self { journal_bytes, snapshot_bytes })
    }
}

/// What a node that is behind the others waits for.
fn waiting_for(
    replica: Option<&ReplicaStatus>,
    snapshots: Option<&SnapshotStatus>,
) -> Option<String> {
    if let Some(fetch) = snapshots.and_then(|snapshots| snapshots.fetching) {
        let FetchStatus { source, received, total, .. } = fetch;
        let of = mib(total);
        return Some(format!("a snapshot from node {source}: {} of {of}", mib(received)));
    }
    let lag = replica.map_or(0, |replica| replica.lag);
    (lag >= limits::LAG_TOLD).then(|| format!("{lag} vertices that others have"))
}

/// In MiB, with a decimal where that says more.
fn mib(bytes: u64) -> String {
    match bytes >> 20 {
        0..10 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        whole => format!("{whole} MiB"),
    }
}

/// Gathers a node's status for whoever asks.
pub(crate) struct Observer {
    pub(crate) config: Arc<Config>,
    pub(crate) router: Arc<Router>,
    pub(crate) published: Arc<Published>,
    pub(crate) clock: Clock,
}

impl Observer {
    /// The status now. Needs a tokio runtime.
    pub(crate) async fn status(&self) -> Status {
        let config = &self.config;
        let membership = &config.membership;
        let links = self.links();
        let not_ready_because = self.not_ready(&links);
        let digest = self.digest().await;
        let State { proposer, replica, journal, mut snapshots, vertices } =
            self.published.with(|state| *state);
        if let Some(snapshots) = &mut snapshots {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let age = |at| (now.as_millis() as u64).saturating_sub(at);
            snapshots.newest_age_ms = snapshots.newest_at_unix_ms.map(age);
        }
        let waiting_for = waiting_for(replica.as_ref(), snapshots.as_ref());
        let vertices = vertices.into_iter().filter(|(role, _)| !role.is_empty());
        let budget = DiskBudget::of(config, snapshots.map_or(0, |it| it.newest_bytes));
        let names = |roles: &[Role]| roles.iter().map(|role| role.name().to_owned()).collect();
        Status {
            node: config.me.0,
            region: config.own().region.clone(),
            cluster: config.cluster.to_string(),
            epoch: membership.epoch().0,
            path: membership.path().name().to_owned(),
            f: membership.acceptor_quorums().f(),
            roles: names(membership.roles(config.me)),
            uptime_ms: self.clock.elapsed().as_millis() as u64,
            ready: not_ready_because.is_none(),
            not_ready_because,
            proposer,
            replica,
            digest: digest.map(|digest| format!("{digest:016x}")),
            links,
            journal,
            registry: self.published.registry(),
            waiting_for,
            vertices: vertices.map(|(role, count)| (role.to_owned(), count)).collect(),
            disk_budget_bytes: budget.map(|it| it.journal_bytes + it.snapshot_bytes),
            disk_budget: budget,
            snapshots,
        }
    }

    /// Why no command could be committed from here now; none when one could.
    pub(crate) fn readiness(&self) -> Option<String> {
        self.not_ready(&self.links())
    }

    fn links(&self) -> Vec<LinkStatus> {
        let links = self.router.links().into_iter();
        links
            .map(|link| LinkStatus {
                node: link.node.0,
                region: self
                    .config
                    .nodes
                    .get(&link.node)
                    .map(|member| member.region.clone())
                    .unwrap_or_default(),
                up: links::is_up(&link, self.config.down_after),
                round_trip_ms: link.round_trip.map(ms),
                round_trips: link.round_trips.map(RoundTripStatus::from),
                queued: link.queued,
                problem: link.problem,
            })
            .collect()
    }

    fn not_ready(&self, links: &[LinkStatus]) -> Option<String> {
        let State { journal, snapshots, replica, .. } = self.published.with(|state| *state);
        let registry = self.published.registry();
        if registry.is_asking() {
            return Some(format!(
                "admission: {} of {} other nodes have answered",
                registry.answered, registry.needed
            ));
        }
        if journal.disk_low {
            return Some(format!(
                "the disk has {} left, under the reserve of {}: make room",
                mib(journal.disk_free_bytes.unwrap_or_default()),
                mib(journal.disk_reserve_bytes)
            ));
        }
        if snapshots.is_some_and(|snapshots| snapshots.fetching.is_some()) {
            return waiting_for(replica.as_ref(), snapshots.as_ref())
                .map(|what| format!("it waits for {what}"));
        }
        let membership = &self.config.membership;
        let has_voice = |node: NodeId| match node == self.config.me {
            true => !registry.is_lost(),
            false => !registry.lost.contains(&node.0),
        };
        let is_up = |node: NodeId| {
            node == self.config.me || links.iter().any(|link| link.node == node.0 && link.up)
        };
        let up =
            |role| membership.with(role).filter(|node| has_voice(*node) && is_up(*node)).count();
        let acceptors = membership.acceptor_quorums().phase2();
        let dependency = membership.dependency_quorums().dependency();
        let needs = match membership.path() {
            // Dependencies and votes come from the same nodes.
            Path::Fast => vec![(Role::Acceptor, acceptors.max(dependency), "voters")],
            Path::Classic => vec![
                (Role::Dependency, dependency, "dependency nodes"),
                (Role::Acceptor, acceptors, "acceptors"),
            ],
        };
        needs
            .into_iter()
            .map(|(role, need, name)| (up(role), need, name))
            .find(|(up, need, _)| up < need)
            .map(|(up, need, name)| format!("{up} {name} are up, of {need} that it takes"))
    }

    async fn digest(&self) -> Option<u64> {
        // Its replica does not run yet.
        if self.published.is_asking() {
            return None;
        }
        let replica = self.router.inbox(Party::Node(Role::Replica))?;
        let (sender, receiver) = oneshot::channel();
        replica.put(Input::Digest(sender));
        tokio::time::timeout(limits::STATUS_TIMEOUT, receiver).await.ok()?.ok()
    }
}
