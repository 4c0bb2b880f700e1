//! Watching: clients are told of changes in the order in which this replica executes them, and can go
//! on at any replica from a token, without losing a change and without being told of one twice.
//!
//! # What is told
//! A change is a command of the state machine that took effect here, if the watcher's
//! [`Filter`](althing_model::Filter) lets its footprint through. They are told in the order of
//! execution, those of one vertex together. The [`Feed`] keeps the end of that order, within limits;
//! all watchers are served from it, so that a slow one costs no memory of its own.
//!
//! # The token
//! It is a set of vertices: those whose changes the watcher has been told of, or that it need not be
//! told of since they were executed before it began. Each change brings it forward by its vertex, which
//! the client adds by itself; now and then a replica tells all that it has executed, so that the token
//! stays short (a prefix in each column) and grows past what does not concern the watcher.
//!
//! # Going on elsewhere
//! A replica that is given a token T waits until it has executed all of T, then goes through what it
//! keeps in its own order, and tells of each change whose vertex is not in T. It refuses with
//! [`WatchEnd::Compacted`] if it executed anything outside T that it does not keep.
//!
//! *None lost.* A change c in vertex u of which the watcher was not told: u is not in T, since T holds
//! vertices that were told, and what a replica had executed when the watcher had been told all of it.
//! Once u is executed here it is kept, or that was refused, or it comes later; so c is told.
//!
//! *None twice.* For different vertices of different requests that is plain. But one request r may stand
//! in two vertices u and v (the client asked two proposers), and if it commutes with itself replicas may
//! have executed them in different orders: there r took effect in v, here in u. If v is in T and u is
//! not, r was told (or passed over for good) in v, and must not be told in u. Here v was executed too,
//! as all of T was, and after u, since r took effect in u; u is kept, so v is, and the feed knows each
//! kept vertex in which a request was repeated. So r is told exactly if it took effect here in u, u is
//! not in T, and no vertex of T repeats it. Closed sessions make no difference: closing conflicts with
//! everything, so r takes effect before it in every replica's order or in none.
//!
//! *In order.* Let x and y be in conflict, x told before, y not. Some replica had executed x and not
//! yet y, so x is before y everywhere (I3). What is told anew is told in this replica's order. Of
//! commands that commute no order is promised.
//!
//! A token that was cut in the middle of a component is a token like any other: all replicas execute a
//! component in the same order.
//!
//! # Noops
//! A noop tells nobody anything, and a token need not hold those that were executed here. Of a snapshot
//! it is not known which of its vertices were noops, and its writer may have executed one that another
//! replica had not heard of when it told a token. Such a token is refused although nothing was lost: the
//! client tries the next replica.
//!
//! # Being told
//! Messages are numbered, and so many may be under way until the client says that it has taken them in.
//! A live watcher is told of what concerns it as it is executed: the [`Index`] finds it by resource.
//! One that takes too slowly falls behind, is told from the feed, and when the feed has forgotten its
//! next change the watch ends as [`WatchEnd::TooSlow`]; the client goes on from its token, here or
//! elsewhere. An idle watcher is told a token in each [`Timing::watch_tell`](crate::Timing), by which
//! it also sees that the replica is there.

mod feed;
mod index;
mod limits;
mod subscription;

use crate::graph::latest_beyond;
use crate::{Replica, WatchLimits};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Micros, Reply, Value, VertexId};
use althing_wire::{
    ClientId, Effects, Ignored, ReplicaRecord, Watch, WatchEnd, WatchEnded, WatchTaken, Watched,
};
use feed::{Executed, Feed};
use index::Index;
use std::collections::{BTreeMap, BTreeSet};
use subscription::{Collected, Phase, Subscription};

/// A client's connection, and the number that it gave the watch.
pub(crate) type Key = (ClientId, u64);

/// Who watches, and what they have yet to be told.
#[derive(Debug)]
pub(crate) struct Watchers {
    limits: WatchLimits,
    /// How long a watch waits for its token, and how often an idle one is told.
    wait: Micros,
    tell: Micros,
    feed: Feed,
    watches: BTreeMap<Key, Subscription>,
    /// By the vertex that is to be executed first.
    waiting: BTreeMap<VertexId, BTreeSet<Key>>,
    index: Index,
    /// Those that may be told something.
    due: BTreeSet<Key>,
    ended: Vec<(Key, WatchEnd)>,
    look_at: Micros,
    /// What was executed as a token, and up to which position.
    token: Option<(u64, Option<DepSet>)>,
    counters: WatchCounters,
}

/// What watchers were told so far, and how many there are, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchCounters {
    /// Watches that there are.
    pub watches: usize,
    /// Vertices that are kept for them.
    pub feed_vertices: usize,
    /// What these take, about; payloads are shared with the log.
    pub feed_bytes: usize,
    /// Changes told.
    pub changes: u64,
    /// Watches that went on from a token.
    pub resumed: u64,
    /// Watches refused since their token lacks what is forgotten here.
    pub compacted: u64,
    /// Watches ended since their clients took too slowly.
    pub too_slow: u64,
    /// Watches ended since this replica had not executed their token in time.
    pub behind: u64,
    /// Watches refused since there were too many.
    pub too_many: u64,
}

impl Watchers {
    pub(crate) fn new(limits: WatchLimits, wait: Micros, tell: Micros) -> Self {
        Self {
            feed: Feed::new(limits.feed_len_max, limits.feed_bytes_max),
            limits,
            wait,
            tell,
            watches: BTreeMap::new(),
            waiting: BTreeMap::new(),
            index: Index::default(),
            due: BTreeSet::new(),
            ended: Vec::new(),
            look_at: Micros::MAX,
            token: None,
            counters: WatchCounters::default(),
        }
    }

    /// A vertex was executed.
    pub(crate) fn on_executed(
        &mut self,
        vertex: VertexId,
        value: &Value,
        replies: &[Reply],
        took_effect: &[bool],
    ) {
        let position = self.feed.push(vertex, value, replies, took_effect);
        if let Some(keys) = self.waiting.remove(&vertex) {
            // What else they wait for is found out where they are told.
            self.due.extend(keys);
        }
        if self.index.is_empty() {
            return;
        }
        let mut found = BTreeSet::new();
        let Some(kept) = self.feed.get(position) else { return };
        kept.footprints().for_each(|footprint| self.index.candidates(footprint, &mut found));
        for key in found {
            let watch = self.watches.get_mut(&key).expect("the index knows those that there are");
            if !kept.footprints().any(|footprint| watch.filter.matches(footprint)) {
                continue;
            }
            watch.note(position, self.limits.pending_len_max);
            if watch.phase != Phase::Live {
                self.index.remove(key, &watch.filter);
            }
            self.due.insert(key);
        }
    }

    /// A snapshot was installed: what it holds was not executed here one by one.
    pub(crate) fn on_installed(&mut self, executed: &Executed) {
        self.feed.reset(executed);
        // What they waited for may be in the snapshot: they are looked at, and wait anew.
        self.waiting.clear();
        for (key, watch) in &self.watches {
            match watch.phase {
                Phase::Waiting { .. } | Phase::Starting => {
                    self.due.insert(*key);
                }
                _ if is_planted(Mutant::WatchKeptOverASnapshot) => {}
                Phase::Behind | Phase::Live => self.ended.push((*key, WatchEnd::Compacted)),
            }
        }
    }

    /// A client wants to watch.
    pub(crate) fn on_watch(
        &mut self,
        now: Micros,
        client: ClientId,
        watch: Watch,
        executed: &Executed,
    ) -> Result<(), Ignored> {
        let key = (client, watch.watch);
        if self.watches.contains_key(&key) {
            return Err(Ignored::Repeated);
        }
        let of_client = self.watches.range((client, 0)..=(client, u64::MAX)).count();
        if self.watches.len() >= self.limits.watches_max
            || of_client >= self.limits.watches_per_client_max
            || self.limits.feed_len_max == 0
            || self.tokens_width() + watch.token.as_ref().map_or(0, DepSet::width)
                > limits::TOKENS_WIDTH_MAX
        {
            mark::hit(Mark::WatchRefused);
            self.ended.push((key, WatchEnd::TooMany));
            return Ok(());
        }
        if self.watches.is_empty() {
            self.look_at = now + limits::LOOK_EVERY;
        }
        let end = self.feed.end();
        let subscription = match watch.token {
            None => Subscription::new(watch.filter, DepSet::default(), Phase::Starting, end),
            Some(token) => {
                self.counters.resumed += 1;
                // The end of the wait is known before it is known whether there is one.
                let phase = match latest_beyond(&token, executed) {
                    Some(missing) => Phase::Waiting { missing, until: now + self.wait },
                    None => Phase::Behind,
                };
                let mut subscription = Subscription::new(watch.filter, token, phase, end);
                if let Phase::Waiting { missing, .. } = phase {
                    mark::hit(Mark::WatchWaited);
                    self.waiting.entry(missing).or_default().insert(key);
                } else {
                    self.begin(key, &mut subscription);
                }
                subscription
            }
        };
        self.watches.insert(key, subscription);
        self.due.insert(key);
        Ok(())
    }

    /// A client has taken in what it was told.
    pub(crate) fn on_taken(&mut self, client: ClientId, taken: &WatchTaken) -> Result<(), Ignored> {
        let key = (client, taken.watch);
        let watch = self.watches.get_mut(&key).ok_or(Ignored::Late)?;
        watch.taken(taken.number);
        self.due.insert(key);
        Ok(())
    }

    /// A client wants to be told no more.
    pub(crate) fn on_unwatch(&mut self, client: ClientId, watch: u64) -> Result<(), Ignored> {
        self.remove((client, watch)).map(drop).ok_or(Ignored::Late)
    }

    /// A client is gone, and all its watches.
    pub(crate) fn on_client_gone(&mut self, client: ClientId) {
        let keys: Vec<Key> =
            self.watches.range((client, 0)..=(client, u64::MAX)).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| drop(self.remove(key)));
    }

    /// When there is something to do unasked.
    pub(crate) fn deadline(&self) -> Micros {
        match (self.due.is_empty() && self.ended.is_empty(), self.watches.is_empty()) {
            (false, _) => 0,
            (true, false) => self.look_at,
            (true, true) => Micros::MAX,
        }
    }

    /// Looks at those that wait, that are idle, or whose next change is forgotten.
    pub(crate) fn on_deadline(&mut self, now: Micros) {
        if now < self.look_at || self.watches.is_empty() {
            return;
        }
        self.look_at = now + limits::LOOK_EVERY;
        for (key, watch) in &self.watches {
            match watch.phase {
                Phase::Waiting { until, .. } if until <= now => {
                    mark::hit(Mark::WatchGivenUp);
                    self.ended.push((*key, WatchEnd::Behind));
                }
                _ if watch.is_overtaken(&self.feed) => {
                    self.ended.push((*key, WatchEnd::TooSlow));
                }
                _ => {
                    let told = watch.token_told.map_or(0, |(at, _)| at);
                    if told.saturating_add(self.tell) <= now
                        && watch.has_room(self.limits.untaken_len_max)
                    {
                        self.due.insert(*key);
                    }
                }
            }
        }
    }

    /// Tells whoever there is something to tell, as much as one call may.
    pub(crate) fn tell(
        &mut self,
        now: Micros,
        executed: &Executed,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let mut left = limits::TURNS_LEN;
        for key in std::mem::take(&mut self.due) {
            if left == 0 {
                self.due.insert(key);
                continue;
            }
            self.tell_one(now, key, executed, &mut left, effects);
        }
        for ((client, watch), why) in std::mem::take(&mut self.ended) {
            self.end((client, watch), why);
            effects.after_earlier().send(client, WatchEnded { watch, why });
        }
    }

    pub(crate) fn counters(&self) -> WatchCounters {
        let (feed_vertices, feed_bytes) = self.feed.size();
        let watches = self.watches.len();
        WatchCounters { watches, feed_vertices, feed_bytes, ..self.counters }
    }

    /// What the tokens that are still needed take.
    fn tokens_width(&self) -> usize {
        self.watches.values().map(|watch| watch.token.width()).sum()
    }

    /// Its token is executed: it is told from what is kept, if that is all.
    fn begin(&mut self, key: Key, watch: &mut Subscription) {
        if !self.feed.is_continued_from(&watch.token) {
            mark::hit(Mark::WatchCompacted);
            self.ended.push((key, WatchEnd::Compacted));
            return;
        }
        mark::hit(Mark::WatchResumed);
        watch.phase = Phase::Behind;
        watch.next = match is_planted(Mutant::WatchResumedAtTheEnd) {
            true => (self.feed.end(), 0),
            false => (self.feed.first(), 0),
        };
    }

    fn tell_one(
        &mut self,
        now: Micros,
        key: Key,
        executed: &Executed,
        left: &mut usize,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        // Whoever has ended is told nothing more.
        if self.ended.iter().any(|(ended, _)| *ended == key) {
            return;
        }
        let Some(mut watch) = self.watches.remove(&key) else { return };
        self.tell_taken_out(now, key, &mut watch, executed, left, effects);
        self.watches.insert(key, watch);
    }

    fn tell_taken_out(
        &mut self,
        now: Micros,
        key: Key,
        watch: &mut Subscription,
        executed: &Executed,
        left: &mut usize,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        if let Phase::Waiting { until, .. } = watch.phase {
            let missing = latest_beyond(&watch.token, executed);
            match missing {
                Some(missing) if !is_planted(Mutant::WatchedBeforeItsToken) => {
                    watch.phase = Phase::Waiting { missing, until };
                    self.waiting.entry(missing).or_default().insert(key);
                    return;
                }
                _ => self.begin(key, watch),
            }
            if self.ended.last().is_some_and(|(ended, _)| *ended == key) {
                return;
            }
        }
        let mut budget = limits::TURN_LEN;
        while watch.has_room(self.limits.untaken_len_max) && budget > 0 {
            let phase = watch.phase;
            let collected = match watch.collect(&self.feed, &mut budget) {
                Ok(collected) => collected,
                Err(why) => {
                    self.ended.push((key, why));
                    return;
                }
            };
            let token = match collected.is_cut {
                true => None,
                false => self.token_for(now, watch, collected.changes.len(), executed),
            };
            if phase == Phase::Starting && token.is_some() {
                watch.phase = Phase::Live;
            }
            if phase != Phase::Live && watch.phase == Phase::Live {
                self.index.insert(key, &watch.filter);
            }
            if token.is_none() && collected.changes.is_empty() {
                break;
            }
            self.send(now, key, watch, collected, token, effects);
        }
        *left = left.saturating_sub(limits::TURN_LEN - budget);
        if watch.has_room(self.limits.untaken_len_max) && watch.phase == Phase::Behind {
            self.due.insert(key);
        }
    }

    fn send(
        &mut self,
        now: Micros,
        (client, number_of_watch): Key,
        watch: &mut Subscription,
        collected: Collected,
        token: Option<DepSet>,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let Collected { changes, bytes, is_cut } = collected;
        self.counters.changes += changes.len() as u64;
        watch.changes_since += changes.len();
        let mut bytes = bytes + limits::CHANGE_LEN;
        if let Some(token) = &token {
            watch.token_told = Some((now, watch.next.0));
            watch.changes_since = 0;
            bytes += token.width() * size_of::<u64>();
        }
        let number = watch.sent(bytes);
        let watch = number_of_watch;
        effects.after_earlier().send(client, Watched { watch, number, changes, is_cut, token });
    }

    /// The token to be told with the next message, if one is due.
    fn token_for(
        &mut self,
        now: Micros,
        watch: &Subscription,
        changes: usize,
        executed: &Executed,
    ) -> Option<DepSet> {
        let end = self.feed.end();
        if !watch.is_up_to_date() {
            let since = watch.changes_since + changes;
            return (since >= limits::TOKEN_CHANGES_MAX)
                .then(|| self.feed.token_before(watch.next.0))
                .flatten();
        }
        let is_due = watch.token_told.is_none_or(|(at, position)| {
            at.saturating_add(self.tell) <= now || position + limits::TOKEN_EVERY <= end
        });
        if !is_due {
            return None;
        }
        if self.token.as_ref().is_none_or(|(position, _)| *position != end) {
            self.token = Some((end, feed::token(executed)));
        }
        self.token.as_ref().and_then(|(_, token)| token.clone())
    }

    /// A watch is over.
    fn end(&mut self, key: Key, why: WatchEnd) {
        let counter = match why {
            WatchEnd::Compacted => &mut self.counters.compacted,
            WatchEnd::TooSlow => &mut self.counters.too_slow,
            WatchEnd::Behind => &mut self.counters.behind,
            WatchEnd::TooMany => &mut self.counters.too_many,
        };
        *counter += 1;
        if why == WatchEnd::TooSlow {
            mark::hit(Mark::WatchTooSlow);
        }
        // One that is refused was never there, and must not end another of its number.
        if why != WatchEnd::TooMany {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Subscription> {
        let watch = self.watches.remove(&key)?;
        self.due.remove(&key);
        self.index.remove(key, &watch.filter);
        if let Phase::Waiting { missing, .. } = watch.phase
            && let Some(keys) = self.waiting.get_mut(&missing)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.waiting.remove(&missing);
            }
        }
        Some(watch)
    }
}
impl Replica {
    /// What watchers were told so far.
    pub fn watch_counters(&self) -> WatchCounters {
        self.watchers.counters()
    }

    /// Tells watchers what there is to tell, after each call.
    pub(crate) fn tell_watchers(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        self.watchers.tell(now, &self.executed, effects);
    }
}
