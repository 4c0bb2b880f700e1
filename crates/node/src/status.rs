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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
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
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    proposer: Option<ProposerStatus>,
    replica: Option<ReplicaStatus>,
    journal: JournalStatus,
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

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
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
        let State { proposer, replica, journal } = self.published.with(|state| *state);
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
        let membership = &self.config.membership;
        let is_up = |node: NodeId| {
            node == self.config.me || links.iter().any(|link| link.node == node.0 && link.up)
        };
        let up = |role| membership.with(role).filter(|node| is_up(*node)).count();
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
        let replica = self.router.inbox(Party::Node(Role::Replica))?;
        let (sender, receiver) = oneshot::channel();
        replica.put(Input::Digest(sender));
        tokio::time::timeout(limits::STATUS_TIMEOUT, receiver).await.ok()?.ok()
    }
}
