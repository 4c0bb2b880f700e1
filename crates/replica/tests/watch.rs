//! Clients that watch: what they are told, where they go on, and what ends a watch.

use althing_model::mark::{self, Mark};
use althing_model::{
    Command, Commands, DepSet, Epoch, Filter, Footprint, Membership, Micros, Mode, ModeSet,
    ModeTable, NodeId, Operation, Path, Pieces, RequestId, Scope, SessionId, StateMachine,
    Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Limits, Replica, SnapshotPieces, Timing, WatchLimits};
use althing_wire::limits::REPLY_LEN_MAX;
use althing_wire::{
    ClientId, Commit, Effect, Effects, Ignored, Message, ReplicaRecord, SnapshotOffer, Unwatch,
    Watch, WatchEnd, WatchEnded, WatchTaken, Watched,
};
use bytes::Bytes;

const CLIENT: ClientId = ClientId(7);
const READ: Mode = Mode(0);
const WRITE: Mode = Mode(1);
/// Commutes with itself, so that replicas may execute two in either order.
const ADD: Mode = Mode(2);

/// Answers with what it is given.
struct Echo;

impl StateMachine for Echo {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        Bytes::from([b"re:", payload].concat())
    }

    fn digest(&self) -> u64 {
        0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

/// A replica, and what its clients were sent.
struct World {
    replica: Replica,
    told: Vec<Message>,
    now: Micros,
}

impl World {
    fn new(watch: WatchLimits) -> Self {
        let modes = ModeTable::new(&["read", "write", "add"]);
        let config = Config {
            me: NodeId(0),
            membership: Membership::colocated(3, 1, Path::Classic).unwrap(),
            modes: modes.commuting(READ, READ).commuting(ADD, ADD),
            has_voter: false,
            has_proposer: true,
            seed: 7,
            timing: Timing { watch_wait: 10_000, watch_tell: 1_000_000, ..Timing::default() },
            limits: Limits { watch, ..Limits::default() },
        };
        let mut replica = Replica::new(config, Box::new(Echo));
        replica.start(0);
        // Tests may share a thread.
        mark::take();
        let mut world = Self { replica, told: Vec::new(), now: 0 };
        world.commit(opening(), commands([Operation::OpenSession], Footprint::NOTHING), &[]);
        world
    }

    fn keep(&mut self, effects: Effects<ReplicaRecord>) {
        for effect in effects {
            let sent = match effect {
                Effect::Send { to, message } => vec![(to, message)],
                Effect::Append { then, .. } => then,
            };
            let to_client = sent.into_iter().filter(|(to, _)| *to == CLIENT.into());
            self.told.extend(to_client.map(|(_, message)| message));
        }
    }

    fn commit(&mut self, vertex: VertexId, commands: Commands, deps: &[VertexId]) {
        let value = Value { commands, deps: deps.iter().copied().collect() };
        let mut effects = Effects::default();
        let message = Message::from(Commit { vertex, value });
        self.replica.handle(self.now, NodeId(1).into(), message, &mut effects).unwrap();
        self.keep(effects);
    }

    fn put(&mut self, at: VertexId, sequence: u64, key: &'static str) {
        self.commit(at, apply(sequence, key, WRITE), &[opening()]);
    }

    fn ask(&mut self, message: impl Into<Message>) -> Result<(), Ignored> {
        let mut effects = Effects::default();
        let asked = self.replica.handle(self.now, CLIENT.into(), message.into(), &mut effects);
        self.keep(effects);
        asked
    }

    fn watch(&mut self, watch: u64, scope: Scope, token: Option<DepSet>) {
        let filter = Filter { scope, modes: ModeSet::of([WRITE, ADD]) };
        self.ask(Watch { watch, filter, token }).unwrap();
    }

    /// Time passes.
    fn pass(&mut self, time: Micros) {
        self.now += time;
        let mut effects = Effects::default();
        self.replica.on_deadline(self.now, &mut effects);
        self.keep(effects);
    }

    /// What the client was told since: the payloads, and the ends of watches.
    fn heard(&mut self) -> Vec<String> {
        let told = std::mem::take(&mut self.told);
        let heard = told.iter().flat_map(|message| match message {
            Message::Watched(watched) => {
                watched.changes.iter().map(|it| text(&it.payload)).collect()
            }
            Message::WatchEnded(WatchEnded { why, .. }) => vec![format!("{why:?}")],
            other => panic!("not for a watcher: {other:?}"),
        });
        heard.collect()
    }

    /// The last token that the client was told.
    fn token(&self) -> DepSet {
        let tokens = self.told.iter().rev().filter_map(|message| match message {
            Message::Watched(Watched { token, .. }) => token.clone(),
            _ => None,
        });
        tokens.into_iter().next().expect("a token was told")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn opening() -> VertexId {
    vertex(0, 0)
}

fn request(sequence: u64) -> RequestId {
    RequestId { session: SessionId { opened: opening(), slot: 0 }, sequence }
}

fn commands(operations: impl IntoIterator<Item = Operation>, footprint: Footprint) -> Commands {
    let command = |operation| Command { operation, footprint: footprint.clone() };
    Commands::Batch(operations.into_iter().map(command).collect::<Vec<_>>().into())
}

/// A command on `key`, whose payload tells the key and the request.
fn apply(sequence: u64, key: &'static str, mode: Mode) -> Commands {
    let payload = Bytes::from(format!("{key}{sequence}"));
    let operation = Operation::Apply { request: request(sequence), acknowledged_below: 0, payload };
    commands([operation], Footprint::of([(key.into(), mode)]))
}

fn resource(name: &'static str) -> Scope {
    Scope::Resource(name.into())
}

#[track_caller]
fn expect(mark: Mark) {
    assert!(mark::take().contains(mark), "{} was not hit", mark.name());
}

/// Broken: a watcher would hear of what does not concern it, or not of what does, or late.
#[test]
fn a_watcher_is_told_what_its_filter_lets_through() {
    let mut world = World::new(WatchLimits::default());
    world.put(vertex(1, 0), 0, "a");
    world.watch(1, resource("a"), None);
    let token = world.token();
    assert!(token.contains(vertex(1, 0)), "what was before it began is nothing to it");
    assert!(world.heard().is_empty());

    world.put(vertex(1, 1), 1, "a");
    let Some(Message::Watched(watched)) = world.told.first() else { panic!("nothing was told") };
    assert_eq!((watched.watch, watched.number, watched.is_cut), (1, 2, false));
    let change = &watched.changes[0];
    assert_eq!((change.vertex, change.slot, change.request), (vertex(1, 1), 0, request(1)));
    assert_eq!((text(&change.payload), text(&change.reply)), ("a1".into(), "re:a1".into()));
    assert_eq!(world.heard(), ["a1"]);

    world.put(vertex(1, 2), 2, "b");
    world.commit(vertex(2, 0), apply(3, "a", READ), &[opening()]);
    // A request that took effect, again; a noop; a barrier.
    world.commit(vertex(2, 1), apply(1, "a", WRITE), &[opening()]);
    world.commit(vertex(2, 2), Commands::Noop, &[]);
    world.commit(vertex(2, 3), commands([Operation::Barrier], Footprint::Everything), &[]);
    assert!(world.heard().is_empty());

    let all = Operation::Apply {
        request: request(4),
        acknowledged_below: 0,
        payload: Bytes::from_static(b"flush"),
    };
    world.commit(vertex(2, 4), commands([all], Footprint::Everything), &[opening()]);
    assert_eq!(world.heard(), ["flush"], "it may have changed anything");
    world.ask(Unwatch { watch: 1 }).unwrap();
    world.put(vertex(1, 3), 5, "a");
    assert!(world.heard().is_empty());
    assert_eq!(world.ask(Unwatch { watch: 1 }), Err(Ignored::Late));
}

/// Broken: a watcher would not hear of a change whose reply was too long to be told, now or when it goes
/// on from a token.
#[test]
fn a_change_is_told_without_a_reply_that_is_too_long() {
    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), None);
    let token = world.token();
    world.told.clear();
    let long = Operation::Apply {
        request: request(0),
        acknowledged_below: 0,
        payload: Bytes::from(vec![b'x'; REPLY_LEN_MAX]),
    };
    let footprint = Footprint::of([(Bytes::from_static(b"a"), WRITE)]);
    world.commit(vertex(1, 0), commands([long], footprint), &[opening()]);
    for number in 2..4 {
        let Some(Message::Watched(watched)) = world.told.first() else { panic!("not told") };
        assert_eq!((watched.changes[0].vertex, watched.changes[0].reply.len()), (vertex(1, 0), 0));
        world.told.clear();
        world.watch(number, resource("a"), Some(token.clone()));
    }
}

/// Broken: an idle watcher's token would grow old, and its client not see that the node is gone.
#[test]
fn an_idle_watcher_is_told_a_token_now_and_then() {
    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), None);
    world.told.clear();
    world.put(vertex(1, 0), 0, "b");
    world.pass(500_000);
    assert!(world.told.is_empty());
    world.pass(500_000);
    assert!(world.token().contains(vertex(1, 0)));
}

/// Broken: a client that moves to another replica would lose changes, or hear of some twice.
#[test]
fn a_watch_goes_on_at_another_replica() {
    let mut first = World::new(WatchLimits::default());
    first.watch(1, Scope::Everything, None);
    let mut token = first.token();
    first.put(vertex(1, 0), 0, "a");
    first.put(vertex(2, 0), 1, "b");
    assert_eq!(first.heard(), ["a0", "b1"]);
    token.insert(vertex(1, 0));
    token.insert(vertex(2, 0));

    // The other has executed one that the first has not, and in another order.
    let mut other = World::new(WatchLimits::default());
    for (at, sequence, key) in [((3, 0), 2, "c"), ((2, 0), 1, "b"), ((1, 0), 0, "a")] {
        other.put(vertex(at.0, at.1), sequence, key);
    }
    other.put(vertex(1, 1), 3, "a");
    other.watch(9, Scope::Everything, Some(token));
    assert!(other.token().contains(vertex(3, 0)));
    assert_eq!(other.heard(), ["c2", "a3"]);
    expect(Mark::WatchResumed);
    other.put(vertex(1, 2), 4, "a");
    assert_eq!(other.heard(), ["a4"]);
}

/// Broken: a request that was proposed twice would be told twice, or never.
#[test]
fn a_request_in_two_vertices_is_told_once() {
    let (u, v) = (vertex(1, 0), vertex(2, 0));
    // Here it took effect in v, so that u repeats it.
    let mut first = World::new(WatchLimits::default());
    first.watch(1, resource("a"), None);
    let mut token = first.token();
    first.commit(v, apply(0, "a", ADD), &[opening()]);
    assert_eq!(first.heard(), ["a0"]);
    token.insert(v);

    // There it took effect in u, which the token lacks.
    let mut other = World::new(WatchLimits::default());
    other.commit(u, apply(0, "a", ADD), &[opening()]);
    other.commit(v, apply(0, "a", ADD), &[opening()]);
    other.watch(1, resource("a"), Some(token));
    assert!(other.heard().is_empty());
    expect(Mark::WatchedRepeatPassed);

    // Whoever has heard of neither is told.
    let mut begin = DepSet::default();
    begin.insert(opening());
    other.watch(2, resource("a"), Some(begin));
    assert_eq!(other.heard(), ["a0"]);
}

/// Broken: changes of which the watcher was told elsewhere would be told again when they are
/// executed here.
#[test]
fn a_replica_behind_the_token_waits_for_it() {
    let mut world = World::new(WatchLimits::default());
    let token: DepSet = [opening(), vertex(1, 0), vertex(2, 0)].into_iter().collect();
    world.watch(1, resource("a"), Some(token));
    expect(Mark::WatchWaited);
    world.put(vertex(1, 0), 0, "a");
    world.put(vertex(3, 0), 1, "a");
    assert!(world.told.is_empty());
    world.put(vertex(2, 0), 2, "a");
    assert_eq!(world.heard(), ["a1"]);
}

/// Broken: a client with a token that this replica never executes would wait for ever.
#[test]
fn a_token_that_is_not_executed_in_time_ends_the_watch() {
    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), Some([vertex(5, 1 << 40)].into_iter().collect()));
    world.pass(250_000);
    assert_eq!(world.heard(), ["Behind"]);
    expect(Mark::WatchGivenUp);
    assert_eq!(world.replica.watch_counters().watches, 0);
}

/// Broken: changes that are forgotten here would be left out, silently.
#[test]
fn a_token_that_lacks_what_is_forgotten_is_refused() {
    let mut world = World::new(WatchLimits { feed_len_max: 2, ..WatchLimits::default() });
    world.commit(vertex(3, 0), Commands::Noop, &[]);
    for seq in 0..3 {
        world.put(vertex(1, seq), seq, "a");
    }
    world.watch(1, resource("a"), Some([opening()].into_iter().collect()));
    assert_eq!(world.heard(), ["Compacted"]);
    expect(Mark::WatchCompacted);
    // What is kept is not asked of the token, nor a noop, which others may not have heard of.
    world.watch(2, resource("a"), Some([opening(), vertex(1, 0)].into_iter().collect()));
    assert_eq!(world.heard(), ["a1", "a2"]);
}

/// Broken: what a snapshot holds, and was never executed here one by one, would be left out.
#[test]
fn an_installed_snapshot_ends_watches() {
    let mut writer = World::new(WatchLimits::default());
    writer.put(vertex(1, 0), 0, "a");
    let deps = [opening(), vertex(1, 0)];
    let barrier = commands([Operation::Barrier], Footprint::Everything);
    writer.commit(vertex(2, 0), barrier, &deps);
    let pieces: SnapshotPieces = writer.replica.take_snapshot().expect("a barrier passed").pieces;

    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), None);
    world.told.clear();
    let waiting: DepSet = [opening(), vertex(1, 0), vertex(2, 0)].into_iter().collect();
    world.watch(2, resource("a"), Some(waiting));
    let offer = SnapshotOffer { number: 1, len: 1, digest: [0; 32] };
    let mut effects = Effects::default();
    let mut pieces = pieces.collect::<Vec<_>>().into_iter();
    assert_eq!(world.replica.install(0, offer, &mut pieces, &mut effects), Ok(true));
    world.keep(effects);
    let ended = |message: &Message| match message {
        Message::WatchEnded(ended) => Some((ended.watch, ended.why)),
        _ => None,
    };
    let all: Vec<_> = world.told.iter().filter_map(ended).collect();
    assert_eq!(all, [(1, WatchEnd::Compacted)], "the other one's token holds the snapshot");
    world.told.clear();
    world.put(vertex(1, 1), 1, "a");
    assert_eq!(world.heard(), ["a1"]);
}

/// Broken: a client that does not take in what it is told would fill memory, here or on the way; or a
/// slow one would lose changes.
#[test]
fn a_slow_watcher_is_told_from_the_feed() {
    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), None);
    let count = 1_500;
    for seq in 0..count {
        world.put(vertex(1, seq), seq, "a");
    }
    assert_eq!(world.told.len(), 64, "so many messages wait for the client");
    expect(Mark::WatchFellBehind);
    let mut heard = Vec::new();
    while !world.told.is_empty() {
        let Some(Message::Watched(last)) = world.told.last() else { panic!("the watch ended") };
        let taken = WatchTaken { watch: 1, number: last.number };
        heard.extend(world.heard());
        world.ask(taken).unwrap();
    }
    let expected: Vec<_> = (0..count).map(|seq| format!("a{seq}")).collect();
    assert_eq!(heard, expected);
    world.put(vertex(2, 0), count, "a");
    assert_eq!(world.heard(), [format!("a{count}")], "it is live again");
}

/// Broken: a watcher that lost changes would not be told.
#[test]
fn a_watcher_that_is_too_slow_is_told_so() {
    let mut world = World::new(WatchLimits { feed_len_max: 10, ..WatchLimits::default() });
    world.watch(1, resource("a"), None);
    for seq in 0..100 {
        world.put(vertex(1, seq), seq, "a");
    }
    let heard = world.heard();
    assert_eq!((heard.len(), heard.last()), (63, Some(&"a62".to_owned())));
    world.pass(250_000);
    assert_eq!(world.heard(), ["TooSlow"]);
    expect(Mark::WatchTooSlow);
}

/// Broken: one client, or all together, could take what the node needs for itself.
#[test]
fn watches_are_limited() {
    let limits =
        WatchLimits { watches_max: 3, watches_per_client_max: 2, ..WatchLimits::default() };
    let mut world = World::new(limits);
    for watch in 0..3 {
        world.watch(watch, resource("a"), None);
    }
    assert_eq!(world.heard(), ["TooMany"]);
    expect(Mark::WatchRefused);
    assert_eq!(world.replica.watch_counters().watches, 2);
    let filter = Filter { scope: resource("a"), modes: ModeSet::ALL };
    let repeated = Watch { watch: 1, filter, token: None };
    assert_eq!(world.ask(repeated), Err(Ignored::Repeated));
    world.ask(Unwatch { watch: 1 }).unwrap();
    let wide = (0..1 << 20).map(|number| vertex(9, 2 * number + 1)).collect();
    world.watch(5, resource("a"), Some(wide));
    assert_eq!(world.heard(), ["TooMany"], "its token takes more than all may");
    // Its connection's end is the end of its watches.
    world.replica.on_client_gone(CLIENT);
    assert_eq!(world.replica.watch_counters().watches, 0);
}

/// Broken: a vertex with more changes than fit one message would be told in part, or its token would
/// hold what was not told yet.
#[test]
fn the_changes_of_a_large_vertex_are_cut() {
    let mut world = World::new(WatchLimits::default());
    world.watch(1, resource("a"), None);
    world.told.clear();
    let large = |sequence| Operation::Apply {
        request: request(sequence),
        acknowledged_below: 0,
        payload: Bytes::from(vec![b'x'; 200_000]),
    };
    let batch = commands((0..3).map(large), Footprint::of([("a".into(), WRITE)]));
    world.commit(vertex(1, 0), batch, &[opening()]);
    let told = world.told.iter().map(|message| match message {
        Message::Watched(it) => {
            let slots: Vec<u32> = it.changes.iter().map(|change| change.slot).collect();
            (slots, it.is_cut, it.token.is_some())
        }
        other => panic!("the watch ended: {other:?}"),
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(vec![0], true, false), (vec![1], true, false), (vec![2], false, false)]);
}
