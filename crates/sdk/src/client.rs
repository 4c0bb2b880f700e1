//! The handle: connects, and executes commands.

use crate::config::{Config, NodeAddress, Prefer};
use crate::driver::Driver;
use crate::error::{ConnectError, Error, NodeProblem};
use crate::limits;
use crate::link::{Event, Link};
use crate::watch::WatchCall;
use althing_client::{Consistency, Failure};
use althing_model::{ClusterId, DepSet, NodeId};
use althing_transport::{ClientConnection, Dialer};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// A client of a cluster: one session. Clones share it; the connections close when the last one is
/// dropped.
#[derive(Debug, Clone)]
pub struct Client {
    calls: mpsc::Sender<Call>,
    watches: mpsc::UnboundedSender<WatchCall>,
    /// How many watches were begun.
    watches_begun: Arc<AtomicU64>,
    /// Room for operations in flight.
    room: Arc<Semaphore>,
    timeout: Duration,
    cluster: ClusterId,
    order: Arc<[NodeId]>,
}

/// What a command gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The state machine's reply.
    pub reply: Bytes,
    /// The node that answered.
    pub node: NodeId,
    /// Of a stale read: everything that was answered to anyone longer ago than this is in the state
    /// that was read. Missing where the node did not know, since it had just begun; and for all
    /// that is not a stale read.
    pub lag: Option<Duration>,
    /// Whether it was executed as a command: every command is, and a read that cannot be answered
    /// otherwise.
    pub is_command: bool,
    /// What this client has seen executed by now: a token, which another client can be given
    /// ([`Client::read_after`]) so that it sees nothing older.
    pub seen: Token,
}

/// What a client has seen executed: its commands, and what its reads showed.
pub type Token = DepSet;

/// A command on its way to the driver.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) payload: Bytes,
    pub(crate) what: What,
    pub(crate) answer: oneshot::Sender<Result<Executed, Error>>,
    /// Its room among those in flight, given back when it ends.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// What is to be done with a payload.
#[derive(Debug)]
pub(crate) enum What {
    /// Execute it.
    Command,
    /// Answer it, if that can be.
    Read {
        consistency: Consistency,
        /// What the client counts as having seen, beside what it has.
        token: Option<Token>,
    },
}

impl Client {
    /// Connects to all nodes at once and returns when it has found out which is nearest; the others
    /// go on being connected in the background. Within a tokio runtime, which it needs for as long
    /// as it lives.
    ///
    /// The order of nodes is settled here. A node that was away then is asked after the others.
    ///
    /// # Errors
    /// When the configuration or the certificates are not in order, or no node lets this client in
    /// within [`Config::connect_timeout`].
    pub async fn connect(config: Config) -> Result<Self, ConnectError> {
        config.check()?;
        let dialer = Arc::new(Dialer::new(&config.tls, config.transport.clone())?);
        let cluster = dialer.cluster();
        if let Some(expected) = config.cluster.filter(|expected| *expected != cluster) {
            return Err(ConnectError::AnotherCluster { found: cluster, expected });
        }
        let (sender, mut events) = mpsc::channel(limits::EVENTS_LEN_MAX);
        for node in &config.nodes {
            let link = Link {
                dialer: dialer.clone(),
                node: node.id,
                address: node.address.clone(),
                settings: config.transport.clone(),
                events: sender.clone(),
            };
            tokio::spawn(link.run());
        }
        let links = first_links(&config, &mut events).await?;
        let order = order(&config, &links);
        tracing::debug!(?order, connected = links.len(), "connected");
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX >> 8);
        let machine = althing_client::Config {
            nodes: order.clone(),
            attempt: micros(config.attempt_timeout),
            give_up: micros(config.timeout),
            back_off: micros(config.back_off),
            seed: rand::random(),
        };
        // Whoever has room in flight has room here.
        let in_flight_max = config.in_flight_max.min(Semaphore::MAX_PERMITS);
        let (calls, receiver) = mpsc::channel(in_flight_max);
        // Whoever watches says little, and only once it was told something.
        let (watches, watch_calls) = mpsc::unbounded_channel();
        tokio::spawn(Driver::new(machine, (receiver, watch_calls), events, links).run());
        Ok(Self {
            calls,
            watches,
            watches_begun: Arc::default(),
            room: Arc::new(Semaphore::new(in_flight_max)),
            timeout: config.timeout,
            cluster,
            order: order.into(),
        })
    }

    /// Executes a command and returns the state machine's reply. Many may be in flight at once;
    /// beyond [`Config::in_flight_max`] this waits for room first, [`Config::timeout`] at most.
    ///
    /// Dropping the future does not take the command back.
    ///
    /// # Errors
    /// [`Error::Failed`] when it is sure to have had no effect, [`Error::Unknown`] when nothing is
    /// sure.
    pub async fn execute(&self, payload: Bytes) -> Result<Bytes, Error> {
        self.execute_detailed(payload).await.map(|executed| executed.reply)
    }

    /// The same, and says which node answered.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn execute_detailed(&self, payload: Bytes) -> Result<Executed, Error> {
        self.call(payload, What::Command).await
    }

    /// Reads: asks for the reply to a command that changes nothing, as the state machine's `query`
    /// gives it. What cannot be answered so is executed as a command ([`Consistency`] says what can).
    ///
    /// # Errors
    /// [`Error::Failed`] when no node could answer in time: nothing has changed. [`Error::Unknown`]
    /// where it became a command whose outcome is unknown.
    ///
    /// ```no_run
    /// # async fn run(client: althing_sdk::Client, payload: bytes::Bytes) -> Result<(), althing_sdk::Error> {
    /// use althing_sdk::Consistency;
    ///
    /// // What this client wrote is in it, and it asks no other region.
    /// let mine = client.read(payload.clone(), Consistency::Session).await?;
    /// // So is what anyone was answered before.
    /// let everyones = client.read(payload, Consistency::Linearizable).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read(&self, payload: Bytes, consistency: Consistency) -> Result<Bytes, Error> {
        self.read_detailed(payload, consistency).await.map(|executed| executed.reply)
    }

    /// The same, and says who answered, and how old the state was.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_detailed(
        &self,
        payload: Bytes,
        consistency: Consistency,
    ) -> Result<Executed, Error> {
        self.call(payload, What::Read { consistency, token: None }).await
    }

    /// A session's read that shows all that the token stands for, as well as what this client has
    /// seen; so do its later ones.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Failure::TokenUnknown`] for a token of another cluster.
    pub async fn read_after(&self, payload: Bytes, token: Token) -> Result<Executed, Error> {
        let consistency = Consistency::Session;
        self.call(payload, What::Read { consistency, token: Some(token) }).await
    }

    async fn call(&self, payload: Bytes, what: What) -> Result<Executed, Error> {
        let len = payload.len();
        if len > limits::PAYLOAD_LEN_MAX {
            let why = format!("{len} bytes, of at most {}", limits::PAYLOAD_LEN_MAX);
            return Err(Failure::Invalid(why).into());
        }
        let room = timeout(self.timeout, self.room.clone().acquire_owned());
        let room = room.await.map_err(|_| Failure::Overloaded)?;
        let room = room.expect("nobody closes it");
        let (answer, answered) = oneshot::channel();
        let call = Call { payload, what, answer, _room: room };
        // The driver ends before its handles only with the runtime; then nothing was sent.
        self.calls.send(call).await.map_err(|_| Failure::Unreachable)?;
        answered.await.unwrap_or(Err(Error::Unknown))
    }

    pub(crate) fn watches(&self) -> &mpsc::UnboundedSender<WatchCall> {
        &self.watches
    }

    pub(crate) fn next_watch(&self) -> u64 {
        self.watches_begun.fetch_add(1, Relaxed)
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The nodes in the order in which they are asked.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }
}

type Links = BTreeMap<NodeId, Arc<ClientConnection>>;

/// Waits for the first connection, and a little longer for others that are as near.
async fn first_links(
    config: &Config,
    events: &mut mpsc::Receiver<Event>,
) -> Result<Links, ConnectError> {
    let begun = Instant::now();
    let mut until = begun + config.connect_timeout;
    let mut links = Links::new();
    let mut problems = BTreeMap::new();
    loop {
        let Ok(event) = timeout_at(until, events.recv()).await else { break };
        match event.expect("the links end after this") {
            Event::Up(node, connection) => {
                if links.is_empty() {
                    let extra = begun.elapsed() + limits::SETTLE_EXTRA;
                    until = until.min(Instant::now() + extra);
                }
                links.insert(node, connection);
                problems.remove(&node);
            }
            Event::Down(node) => {
                links.remove(&node);
            }
            Event::Failed { node, reason, is_final } => {
                problems.insert(node, (reason, is_final));
            }
            Event::Answered(..) | Event::ReadAnswered(..) | Event::Watched(..) => {}
        }
        let is_settled = |node: &NodeAddress| {
            links.contains_key(&node.id) || problems.get(&node.id).is_some_and(|(_, last)| *last)
        };
        if config.nodes.iter().all(is_settled) {
            break;
        }
    }
    if !links.is_empty() {
        return Ok(links);
    }
    let problem = |node: &NodeAddress| NodeProblem {
        node: node.id,
        reason: match problems.remove(&node.id) {
            Some((reason, _)) => reason,
            None => format!(
                "cannot connect to {}: no answer within {:?}",
                node.address, config.connect_timeout
            ),
        },
    };
    Err(ConnectError::NoNode { problems: config.nodes.iter().map(problem).collect() })
}

fn order(config: &Config, links: &Links) -> Vec<NodeId> {
    let distance = |node: &NodeAddress| match links.get(&node.id) {
        Some(connection) => connection.round_trip(),
        None => Duration::MAX,
    };
    let mut nodes: Vec<_> = config.nodes.iter().collect();
    match &config.prefer {
        Prefer::Listed => {}
        Prefer::Nearest => nodes.sort_by_key(|node| distance(node)),
        Prefer::Node(first) => nodes.sort_by_key(|node| (node.id != *first, distance(node))),
        Prefer::Region(region) => {
            nodes.sort_by_key(|node| (node.region != *region, distance(node)));
        }
    }
    nodes.into_iter().map(|node| node.id).collect()
}
