//! Watching: what one watch is told, and what the driver does for all of them.

use crate::client::Client;
use crate::limits;
use crate::token::{self, TokenInvalid};
use althing_client::{Changes, Told, WatchConfig, WatchOutput, Watcher};
use althing_model::{DepSet, Filter, Micros, NodeId};
use althing_wire::Message;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a watcher has been told of, as a set of vertices: where to go on.
pub type Seen = DepSet;

/// A watch: what takes effect, in the order in which the nearest replica executes it. When that node
/// goes away it goes on at the next, without losing a change and without telling one twice.
///
/// What it is told is taken in as [`Self::next`] is called; who calls too rarely holds its node up, and
/// in the end is told from another, or is told [`WatchError::Compacted`].
#[derive(Debug)]
pub struct Watch {
    client: Client,
    id: u64,
    told: mpsc::UnboundedReceiver<Item>,
    /// What is at hand, and the token behind it.
    at_hand: VecDeque<Changes>,
    behind: Option<Seen>,
    token: Seen,
}

/// A watch is over, or did not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Changes are lost to this watch.
    #[error(
        "no node that is up keeps all that came after the token: watch from now on, and then read the \
         state anew, in the session of the new watch's first token"
    )]
    Compacted {
        /// Where it ended.
        token: Seen,
    },
    /// No node took it on in time.
    #[error("no node let the watch begin in time: are enough of them up, and has one a replica?")]
    Unreachable,
    /// The client has ended, with its runtime.
    #[error("the client has ended")]
    Ended,
    /// The text is no token of this cluster.
    #[error(transparent)]
    Token(#[from] TokenInvalid),
}

/// What the driver has for a watch.
#[derive(Debug)]
pub(crate) enum Item {
    Told(Told),
    Compacted(Seen),
}

/// What a watch wants of the driver.
#[derive(Debug)]
pub(crate) enum WatchCall {
    Begin { filter: Filter, token: Option<Seen>, told: mpsc::UnboundedSender<Item>, id: u64 },
    Taken(u64),
    Stop(u64),
}

impl Client {
    /// Watches what takes effect and `filter` lets through: behind `token`, or from now on. Returns once
    /// a node has taken it on, so that whatever begins afterwards is told.
    ///
    /// `token` is that of an earlier watch, at whatever node. A read's token may name more than was
    /// executed where it read, so that changes would be missed behind it: to follow a state from its
    /// beginning, watch first, then read in the session of the watch's first token.
    ///
    /// ```no_run
    /// # use althing_sdk::{Client, ClientFile, WatchError};
    /// use althing_sdk::{Filter, ModeSet, Scope};
    /// # async fn watch(client: Client) -> Result<(), WatchError> {
    /// let filter = Filter { scope: Scope::Everything, modes: ModeSet::ALL };
    /// let mut watch = client.watch(filter, None).await?;
    /// loop {
    ///     let told = watch.next().await?;
    ///     for change in &told.changes {
    ///         println!("{:?} answered {:?}", change.payload, change.reply);
    ///     }
    ///     // Store this with what you did, and go on from it after a restart.
    ///     let stored = watch.token_text();
    ///     # drop(stored);
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`WatchError`].
    pub async fn watch(&self, filter: Filter, token: Option<Seen>) -> Result<Watch, WatchError> {
        let (sender, mut told) = mpsc::unbounded_channel();
        let id = self.next_watch();
        let resumed = token.clone();
        let begin = WatchCall::Begin { filter, token, told: sender, id };
        self.watches().send(begin).map_err(|_| WatchError::Ended)?;
        let first = timeout(self.timeout(), told.recv()).await;
        let mut watch = Watch {
            client: self.clone(),
            id,
            told,
            at_hand: VecDeque::new(),
            behind: None,
            token: resumed.clone().unwrap_or_default(),
        };
        match first {
            Ok(Some(Item::Told(first))) => {
                if resumed.is_none() && first.changes.is_empty() {
                    watch.token = first.token.clone();
                }
                watch.take(first);
                Ok(watch)
            }
            Ok(Some(Item::Compacted(token))) => Err(WatchError::Compacted { token }),
            Ok(None) => Err(WatchError::Ended),
            Err(_) => Err(WatchError::Unreachable),
        }
    }
}

impl Watch {
    /// What the next vertex changed: at least one change, with the token behind it. A vertex is told
    /// once and whole, also over a change of nodes.
    ///
    /// May be dropped before it ends, and called again: nothing is lost.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] or [`WatchError::Ended`]; the watch is over.
    pub async fn next(&mut self) -> Result<Changes, WatchError> {
        loop {
            if let Some(changes) = self.at_hand.pop_front() {
                self.token = changes.token.clone();
                self.rest();
                return Ok(changes);
            }
            match self.told.recv().await {
                Some(Item::Told(told)) => self.take(told),
                Some(Item::Compacted(token)) => return Err(WatchError::Compacted { token }),
                None => return Err(WatchError::Ended),
            }
        }
    }

    /// Where to go on behind all that [`Self::next`] has returned.
    pub fn token(&self) -> &Seen {
        &self.token
    }

    /// The same as text; [`token::from_text`] reads it, and knows it from another cluster's.
    pub fn token_text(&self) -> String {
        token::to_text(&self.token, self.client.cluster())
    }

    fn take(&mut self, told: Told) {
        self.at_hand.extend(told.changes);
        self.behind = Some(told.token);
        self.rest();
    }

    /// Once nothing is at hand the token goes on to what lies behind, and more may be told.
    fn rest(&mut self) {
        if self.at_hand.is_empty()
            && let Some(behind) = self.behind.take()
        {
            self.token = behind;
            // Without a driver nothing more is told anyway.
            let _ = self.client.watches().send(WatchCall::Taken(self.id));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.client.watches().send(WatchCall::Stop(self.id));
    }
}

/// All watches of a client, as the driver has them.
pub(crate) struct Watches {
    nodes: Vec<NodeId>,
    watches: BTreeMap<u64, (Watcher, mpsc::UnboundedSender<Item>)>,
}

impl Watches {
    pub(crate) fn new(nodes: Vec<NodeId>) -> Self {
        Self { nodes, watches: BTreeMap::new() }
    }

    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.watches.values().filter_map(|(watcher, _)| watcher.deadline()).min()
    }

    /// Does what a watch wants; `is_up` says which nodes are connected. What to send is returned.
    pub(crate) fn on_call(
        &mut self,
        now: Micros,
        call: WatchCall,
        is_up: impl Fn(NodeId) -> bool,
    ) -> Vec<(NodeId, Message)> {
        match call {
            WatchCall::Begin { filter, token, told, id } => {
                let config = WatchConfig {
                    nodes: self.nodes.clone(),
                    silence: limits::WATCH_SILENCE.as_micros() as Micros,
                    back_off: limits::WATCH_BACK_OFF.as_micros() as Micros,
                    // So many attempts each: more than there will be.
                    first_number: id << 32,
                    seed: rand::random(),
                };
                let mut watcher = Watcher::new(config, filter, token);
                let mut nothing = Vec::new();
                for node in self.nodes.iter().filter(|node| !is_up(**node)) {
                    watcher.on_down(now, *node, &mut nothing);
                }
                self.watches.insert(id, (watcher, told));
                self.each(|watcher, out| watcher.on_deadline(now, out))
            }
            WatchCall::Taken(id) => self.one(id, |watcher, out| watcher.on_taken(now, out)),
            WatchCall::Stop(id) => {
                let sent = self.one(id, Watcher::stop);
                self.watches.remove(&id);
                sent
            }
        }
    }

    pub(crate) fn on_message(
        &mut self,
        now: Micros,
        from: NodeId,
        message: Message,
    ) -> Vec<(NodeId, Message)> {
        let found = self.watches.iter().find(|(_, (watcher, _))| watcher.is_for(&message));
        match found.map(|(id, _)| *id) {
            Some(id) => self.one(id, |watcher, out| watcher.on_message(now, from, message, out)),
            // It has ended here, and the node has yet to hear of it.
            None => Vec::new(),
        }
    }

    pub(crate) fn on_up(&mut self, now: Micros, node: NodeId) {
        self.watches.values_mut().for_each(|(watcher, _)| watcher.on_up(now, node));
    }

    pub(crate) fn on_down(&mut self, now: Micros, node: NodeId) -> Vec<(NodeId, Message)> {
        self.each(|watcher, out| watcher.on_down(now, node, out))
    }

    pub(crate) fn on_deadline(&mut self, now: Micros) -> Vec<(NodeId, Message)> {
        self.each(|watcher, out| watcher.on_deadline(now, out))
    }

    fn each(
        &mut self,
        mut act: impl FnMut(&mut Watcher, &mut Vec<WatchOutput>),
    ) -> Vec<(NodeId, Message)> {
        let ids: Vec<u64> = self.watches.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.one(id, &mut act)).collect()
    }

    fn one(
        &mut self,
        id: u64,
        act: impl FnOnce(&mut Watcher, &mut Vec<WatchOutput>),
    ) -> Vec<(NodeId, Message)> {
        let Some((watcher, told)) = self.watches.get_mut(&id) else { return Vec::new() };
        let mut out = Vec::new();
        act(watcher, &mut out);
        let mut sent = Vec::new();
        for output in out {
            // Whoever does not listen any more says so by its drop.
            match output {
                WatchOutput::Send(node, message) => sent.push((node, message)),
                WatchOutput::Told(it) => drop(told.send(Item::Told(it))),
                WatchOutput::Compacted { token } => drop(told.send(Item::Compacted(token))),
            }
        }
        sent
    }
}
