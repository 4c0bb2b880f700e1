//! A watch that goes from node to node.

use althing_client::{Changes, WatchConfig, WatchOutput, Watcher};
use althing_model::mark::{self, Mark};
use althing_model::{
    DepSet, Epoch, Filter, ModeSet, NodeId, RequestId, Scope, SessionId, VertexId,
};
use althing_wire::{Change, Message, Unwatch, Watch, WatchEnd, WatchEnded, WatchTaken, Watched};
use bytes::Bytes;

const NEAR: NodeId = NodeId(4);
const FAR: NodeId = NodeId(2);

fn filter() -> Filter {
    Filter { scope: Scope::Everything, modes: ModeSet::ALL }
}

fn vertex(seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
}

fn change(seq: u64, slot: u32) -> Change {
    let session = SessionId { opened: vertex(0), slot: 0 };
    let request = RequestId { session, sequence: seq };
    Change { vertex: vertex(seq), slot, request, payload: Bytes::new(), reply: Bytes::new() }
}

fn token(seqs: impl IntoIterator<Item = u64>) -> DepSet {
    seqs.into_iter().map(vertex).collect()
}

/// A watch and what it wanted done since it was asked last.
struct Watching {
    watcher: Watcher,
    out: Vec<WatchOutput>,
}

impl Watching {
    fn from(token: Option<DepSet>) -> Self {
        // Tests may share a thread.
        mark::take();
        let config = WatchConfig {
            nodes: vec![NEAR, FAR],
            silence: 1_000,
            back_off: 10,
            first_number: 100,
            seed: 1,
        };
        let mut watcher = Watcher::new(config, filter(), token);
        let mut out = Vec::new();
        watcher.on_deadline(0, &mut out);
        Self { watcher, out }
    }

    fn hear(&mut self, now: u64, from: NodeId, message: impl Into<Message>) {
        self.watcher.on_message(now, from, message.into(), &mut self.out);
    }

    fn sent(&mut self) -> Vec<(NodeId, Message)> {
        let sent = std::mem::take(&mut self.out).into_iter().filter_map(|output| match output {
            WatchOutput::Send(to, message) => Some((to, message)),
            _ => None,
        });
        sent.collect()
    }

    fn told(&mut self) -> Vec<Changes> {
        let told = std::mem::take(&mut self.out).into_iter().flat_map(|output| match output {
            WatchOutput::Told(told) => told.changes,
            _ => Vec::new(),
        });
        told.collect()
    }
}

fn watched(watch: u64, number: u64, changes: Vec<Change>) -> Watched {
    Watched { watch, number, changes, is_cut: false, token: None }
}

fn watch(number: u64, token: Option<DepSet>) -> Message {
    Watch { watch: number, filter: filter(), token }.into()
}

/// Broken: what was told before a node went away would be told again, or what came after be lost.
#[test]
fn it_goes_on_at_the_next_node_from_what_it_was_told() {
    let mut it = Watching::from(None);
    assert_eq!(it.sent(), [(NEAR, watch(101, None))]);
    it.hear(1, NEAR, Watched { token: Some(token([0])), ..watched(101, 1, Vec::new()) });
    assert_eq!(it.watcher.token(), Some(&token([0])));
    it.hear(2, NEAR, watched(101, 2, vec![change(3, 0), change(3, 2), change(5, 0)]));
    let told = it.told();
    let tokens: Vec<_> = told.iter().map(|it| (it.changes.len(), it.token.clone())).collect();
    assert_eq!(tokens, [(2, token([0, 3])), (1, token([0, 3, 5]))]);
    for number in [1, 2] {
        it.watcher.on_taken(3, &mut it.out);
        assert_eq!(it.sent(), [(NEAR, WatchTaken { watch: 101, number }.into())]);
    }
    it.watcher.on_down(4, NEAR, &mut it.out);
    assert_eq!(it.sent(), [(FAR, watch(102, Some(token([0, 3, 5]))))]);
    // What the first still says is late.
    it.hear(5, NEAR, watched(101, 3, vec![change(6, 0)]));
    it.hear(5, FAR, watched(101, 1, vec![change(6, 0)]));
    assert!(it.told().is_empty());
}

/// Broken: a change whose message was lost on the way would be passed over.
#[test]
fn a_lost_message_is_asked_for_again() {
    let mut it = Watching::from(Some(token([0])));
    it.sent();
    it.hear(1, NEAR, watched(101, 2, vec![change(2, 0)]));
    let sent = it.sent();
    assert_eq!(sent[0], (NEAR, Unwatch { watch: 101 }.into()));
    assert_eq!(sent[1], (FAR, watch(102, Some(token([0])))));
    assert!(mark::take().contains(Mark::WatchMissedOne));
}

/// Broken: a node that is there and says nothing would be waited for for ever; or one that has
/// nothing to say until its client takes what it was told would be left.
#[test]
fn a_silent_node_is_left() {
    let mut it = Watching::from(Some(token([0])));
    it.hear(500, NEAR, watched(101, 1, vec![change(1, 0)]));
    assert_eq!(it.watcher.deadline(), None, "it is the client's turn");
    it.watcher.on_taken(5_000, &mut it.out);
    assert_eq!(it.watcher.deadline(), Some(6_000));
    it.out.clear();
    it.watcher.on_deadline(6_000, &mut it.out);
    let sent = it.sent();
    assert_eq!(sent[0], (NEAR, Unwatch { watch: 101 }.into()));
    assert_eq!(sent[1], (FAR, watch(102, Some(token([0, 1])))));
    assert!(mark::take().contains(Mark::WatchedNodeSilent));
}

/// Broken: the token of a vertex would hold changes that were not told: they would be lost.
#[test]
fn a_vertex_in_two_messages_is_told_as_one() {
    let mut it = Watching::from(Some(token([0])));
    it.hear(1, NEAR, Watched { is_cut: true, ..watched(101, 1, vec![change(1, 0), change(2, 0)]) });
    assert_eq!(it.told().len(), 1);
    assert_eq!(it.watcher.token(), Some(&token([0, 1])));
    it.hear(2, NEAR, watched(101, 2, vec![change(2, 1)]));
    let told = it.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].changes, [change(2, 0), change(2, 1)]);
    // Half a vertex from a node that goes away is told again, whole.
    it.hear(3, NEAR, Watched { is_cut: true, ..watched(101, 3, vec![change(3, 0)]) });
    it.out.clear();
    it.watcher.on_down(4, NEAR, &mut it.out);
    for _ in 0..3 {
        it.watcher.on_taken(5, &mut it.out);
    }
    let pause = it.watcher.deadline().expect("it goes on once all is taken");
    it.watcher.on_deadline(pause, &mut it.out);
    assert_eq!(it.sent(), [(FAR, watch(102, Some(token([0, 1, 2]))))]);
    it.hear(9, FAR, watched(102, 1, vec![change(3, 0)]));
    assert_eq!(it.told()[0].changes, [change(3, 0)]);
}

/// Broken: a client would not hear that changes are lost to it, or hear so while a node has them.
#[test]
fn it_is_over_when_no_node_has_what_comes_next() {
    let mut it = Watching::from(Some(token([0])));
    it.sent();
    it.hear(1, NEAR, WatchEnded { watch: 101, why: WatchEnd::Compacted });
    assert_eq!(it.sent(), [(FAR, watch(102, Some(token([0]))))]);
    it.hear(2, FAR, WatchEnded { watch: 102, why: WatchEnd::Behind });
    let pause = it.watcher.deadline().expect("it asks again");
    it.watcher.on_deadline(pause, &mut it.out);
    assert_eq!(it.sent(), [(FAR, watch(103, Some(token([0]))))], "the other has forgotten");
    it.hear(30, FAR, WatchEnded { watch: 103, why: WatchEnd::Compacted });
    assert_eq!(it.out, [WatchOutput::Compacted { token: token([0]) }]);
    assert_eq!(it.watcher.deadline(), None);
}
