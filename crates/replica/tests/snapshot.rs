//! Barriers, snapshots, and what may be forgotten.

use althing_model::mark::{self, Mark};
use althing_model::{
    Column, Command, Commands, DepSet, Epoch, Footprint, Membership, Micros, ModeTable, NodeId,
    Operation, Path, Pieces, RequestId, Role, SessionId, StateMachine, Unrestorable, Value,
    VertexId,
};
use althing_replica::{Config, Limits, Replica, SnapshotPieces, Timing};
use althing_wire::{
    Address, BarrierDue, Commit, Effect, Effects, Frontier, Message, NodeRecord, PruneAcceptor,
    PruneProposer, ReplicaRecord, SnapshotHeader, SnapshotOffer,
};
use bytes::Bytes;

/// The payloads in the order in which they were applied.
#[derive(Default)]
struct Sequence(Vec<u8>);

impl StateMachine for Sequence {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        self.0.extend(payload);
        Bytes::copy_from_slice(payload)
    }

    fn digest(&self) -> u64 {
        self.0.iter().fold(7, |digest, byte| digest * 31 + u64::from(*byte))
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::once(self.0.clone().into()))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.0 = pieces.next().ok_or_else(|| Unrestorable("nothing".into()))?.to_vec();
        Ok(())
    }
}

/// A replica of three, co-located on the classic path, so that it has records of its own.
fn replica(me: u32) -> Replica {
    let config = Config {
        me: NodeId(me),
        membership: Membership::colocated(3, 1, Path::Classic).unwrap(),
        modes: ModeTable::read_write(),
        has_voter: false,
        has_proposer: true,
        seed: 7,
        timing: Timing { barrier_least: 1_000, ..Timing::default() },
        limits: Limits { barrier_len: 3, rewrite_len_max: 1, ..Limits::default() },
    };
    let mut replica = Replica::new(config, Box::<Sequence>::default());
    replica.start(0);
    mark::take();
    replica
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn value(operation: Operation, deps: &[VertexId]) -> Value {
    let footprint = match operation {
        Operation::Barrier => Footprint::Everything,
        _ => Footprint::NOTHING,
    };
    let commands = Commands::Batch([Command { operation, footprint }].into());
    Value { commands, deps: deps.iter().copied().collect() }
}

fn session() -> SessionId {
    SessionId { opened: vertex(0, 0), slot: 0 }
}

fn apply(sequence: u64) -> Operation {
    let request = RequestId { session: session(), sequence };
    let payload = Bytes::copy_from_slice(&[sequence as u8]);
    Operation::Apply { request, acknowledged_below: 0, payload }
}

/// What node 0 proposed: a session, two commands, and a barrier behind them as vertex 3.
fn history() -> Vec<(VertexId, Value)> {
    let deps = |below: u64| -> Vec<VertexId> { (0..below).map(|seq| vertex(0, seq)).collect() };
    vec![
        (vertex(0, 0), value(Operation::OpenSession, &[])),
        (vertex(0, 1), value(apply(1), &deps(1))),
        (vertex(0, 2), value(apply(2), &deps(1))),
        (vertex(0, 3), value(Operation::Barrier, &deps(3))),
    ]
}

fn tell(
    replica: &mut Replica,
    now: Micros,
    from: u32,
    message: impl Into<Message>,
) -> Vec<Effect<ReplicaRecord>> {
    let mut effects = Effects::default();
    let _ = replica.handle(now, Address::Node(NodeId(from)), message.into(), &mut effects);
    effects.into_iter().collect()
}

fn commit_all(replica: &mut Replica, vertices: impl IntoIterator<Item = (VertexId, Value)>) {
    for (vertex, value) in vertices {
        tell(replica, 10, 0, Commit { vertex, value });
    }
}

fn sent(effects: impl IntoIterator<Item = Effect<ReplicaRecord>>) -> Vec<(NodeId, Message)> {
    let all = effects.into_iter().flat_map(|effect| match effect {
        Effect::Send { to, message } => vec![(to, message)],
        Effect::Append { then, .. } => then,
    });
    let to_node = |(to, message)| match to {
        Address::Node(node) => (node, message),
        Address::Client(_) => unreachable!("a replica talks to nodes"),
    };
    all.map(to_node).collect()
}

fn offer(number: u64) -> SnapshotOffer {
    SnapshotOffer { number, len: 100, digest: [3; 32] }
}

/// A replica that executed the history, its snapshot on disk, and what it did about that.
fn saved(me: u32) -> (Replica, Vec<(u8, Bytes)>, Vec<Effect<ReplicaRecord>>) {
    let mut replica = replica(me);
    commit_all(&mut replica, history());
    let snapshot = replica.take_snapshot().expect("a barrier was passed");
    assert_eq!(snapshot.number, 1);
    let pieces = snapshot.pieces.collect();
    let mut effects = Effects::default();
    replica.on_saved(20, offer(1), &mut effects);
    (replica, pieces, effects.into_iter().collect())
}

fn pieces(of: &[(u8, Bytes)]) -> SnapshotPieces {
    let of = of.to_vec();
    Box::new(of.into_iter())
}

fn cut() -> DepSet {
    let mut cut = DepSet::default();
    cut.insert_below(vertex(0, 0).column(), 3);
    cut
}

fn hit(mark: Mark) {
    let marks = mark::take();
    assert!(marks.contains(mark), "{mark:?} was not hit: {marks:?}");
}

/// Broken: a snapshot would hold more or less than its barrier reaches, whatever is executed while it
/// is written; replicas that install it would differ.
#[test]
fn a_snapshot_holds_what_its_barrier_reaches() {
    let mut replica = replica(0);
    // All of it is ready at once, the command behind the barrier too.
    let later = (vertex(1, 0), value(apply(9), &[vertex(0, 3)]));
    let mut backwards: Vec<_> = history().into_iter().chain([later]).collect();
    backwards.reverse();
    commit_all(&mut replica, backwards);
    hit(Mark::SnapshotCut);
    assert_eq!(replica.take_steps().len(), 5);
    let snapshot = replica.take_snapshot().expect("a barrier was passed");
    let digest = replica.digest();
    let mut pieces = snapshot.pieces;

    let mut other = self::replica(1);
    let mut effects = Effects::default();
    other.install(30, offer(1), &mut pieces, &mut effects).unwrap();
    assert_ne!(other.digest(), digest);
    assert_eq!(other.committed()[&vertex(0, 0).column()].below(), 4);
    assert!(!other.committed().contains_key(&vertex(1, 0).column()));
    // Behind it both go on alike, and nothing takes effect twice.
    let again = (vertex(2, 0), value(apply(2), &[vertex(0, 3)]));
    let later = (vertex(1, 0), value(apply(9), &[vertex(0, 3)]));
    commit_all(&mut other, [again, later]);
    let took_effect: Vec<bool> = other.take_steps().iter().map(|it| it.took_effect[0]).collect();
    assert_eq!(took_effect, [false, true]);
    assert_eq!(other.digest(), digest);
}

/// Broken: a second snapshot would begin while the disk is busy with the first, and both take longer.
#[test]
fn one_snapshot_is_written_at_a_time() {
    let mut replica = replica(0);
    commit_all(&mut replica, history());
    assert!(replica.take_snapshot().is_some());
    let barrier = |seq: u64| (vertex(0, seq), value(Operation::Barrier, &[vertex(0, seq - 1)]));
    commit_all(&mut replica, [barrier(4)]);
    hit(Mark::SnapshotSkipped);
    assert!(replica.take_snapshot().is_none());
    replica.on_not_saved(1);
    commit_all(&mut replica, [barrier(5)]);
    assert_eq!(replica.take_snapshot().expect("nothing is being written").number, 3);
}

/// Broken: what only one disk holds would be forgotten everywhere, or nothing ever.
#[test]
fn the_floor_is_what_enough_replicas_hold() {
    let (mut replica, _, effects) = saved(0);
    assert!(replica.floor().is_empty());
    let told = sent(effects);
    assert!(!told.iter().any(|(_, it)| matches!(it, Message::PruneAcceptor(_))));
    let is_held =
        |(_, it): &&(NodeId, Message)| matches!(it, Message::Frontier(it) if it.held == cut());
    assert_eq!(told.iter().filter(is_held).count(), 2);

    let mut less = DepSet::default();
    less.insert_below(vertex(0, 0).column(), 2);
    let frontier = |held: &DepSet| Frontier { held: held.clone(), ..Frontier::default() };
    tell(&mut replica, 30, 1, frontier(&less));
    assert_eq!(*replica.floor(), less);
    let told = sent(tell(&mut replica, 40, 2, frontier(&cut())));
    hit(Mark::FloorRaised);
    assert_eq!(*replica.floor(), cut());
    assert!(told.contains(&(NodeId(0), PruneAcceptor { floor: cut() }.into())));
    assert!(told.contains(&(NodeId(0), PruneProposer { floor: cut() }.into())));
    // The others hear of it from their own replicas.
    assert!(
        told.iter().all(|(to, it)| *to == NodeId(0) || !matches!(it, Message::PruneAcceptor(_)))
    );
}

/// Broken: a replica would tell that it holds a snapshot which a power cut may still take away.
#[test]
fn what_is_not_on_disk_is_not_held() {
    let mut replica = replica(0);
    commit_all(&mut replica, history());
    let others = |held| Frontier { held, ..Frontier::default() };
    tell(&mut replica, 30, 1, others(cut()));
    tell(&mut replica, 30, 2, others(cut()));
    assert!(replica.floor().is_empty());
    assert!(replica.saved().is_none());
}

/// Broken: a replica that was away for long would wait for ever for what all others have forgotten.
#[test]
fn a_replica_left_behind_installs_a_snapshot() {
    let (mut ahead, file, _) = saved(0);
    // It is cut off from the log by the limit, since the other is so far behind.
    let nothing = || Frontier::default();
    let caught_up = sent(tell(&mut ahead, 30, 1, nothing()));
    assert!(caught_up.iter().any(|(_, it)| matches!(it, Message::Commit(_))));
    let many = (0..120_000).map(|seq| (vertex(1, seq), value(Operation::OpenSession, &[])));
    commit_all(&mut ahead, many);
    let told = sent(tell(&mut ahead, 40, 1, nothing()));
    hit(Mark::LogCut);
    assert!(told.contains(&(NodeId(1), offer(1).into())));
    assert!(!told.iter().any(|(_, it)| it.vertex() == Some(vertex(0, 1))));

    let mut behind = replica(1);
    // It has what comes behind the barrier, and one of what comes before.
    let later = (vertex(2, 0), value(apply(9), &[vertex(0, 3)]));
    commit_all(&mut behind, [history().remove(2), later]);
    assert_eq!(behind.take_steps().len(), 0);
    tell(&mut behind, 50, 0, offer(1));
    hit(Mark::SnapshotOffered);
    assert_eq!(behind.take_offer(), Some((NodeId(0), offer(1))));
    let mut effects = Effects::default();
    assert!(behind.install(60, offer(1), &mut pieces(&file), &mut effects).unwrap());
    hit(Mark::SnapshotInstalled);
    let executed: Vec<VertexId> = behind.take_steps().iter().map(|step| step.vertex).collect();
    assert_eq!(executed, [vertex(2, 0)]);
    assert_eq!(behind.pending_len(), 0);
    // What it installed it holds.
    let told = sent(effects);
    assert!(told.iter().any(|(_, it)| matches!(it, Message::Frontier(it) if it.held == cut())));
}

/// Broken: a replica would tell that its snapshot holds what comes up to the next barrier, since
/// that was ready when it was installed; others would forget it.
#[test]
fn an_installed_snapshot_holds_no_more_than_it_was_cut_with() {
    let (_, file, _) = saved(0);
    let mut behind = replica(1);
    let second = vec![
        (vertex(0, 4), value(apply(4), &[vertex(0, 3)])),
        (
            vertex(0, 5),
            value(Operation::Barrier, &(0..5).map(|it| vertex(0, it)).collect::<Vec<_>>()),
        ),
    ];
    commit_all(&mut behind, second);
    let mut effects = Effects::default();
    assert!(behind.install(60, offer(1), &mut pieces(&file), &mut effects).unwrap());
    assert_eq!(behind.barriers(), 2);
    let held: Vec<DepSet> = sent(effects)
        .into_iter()
        .filter_map(|(_, it)| match it {
            Message::Frontier(it) => Some(it.held),
            _ => None,
        })
        .collect();
    assert_eq!(held, [cut(), cut()]);
}

/// Broken: a replica would go back in time.
#[test]
fn a_snapshot_of_the_past_is_not_installed() {
    let (mut replica, file, _) = saved(0);
    commit_all(&mut replica, [(vertex(0, 4), value(apply(4), &[vertex(0, 3)]))]);
    let digest = replica.digest();
    tell(&mut replica, 50, 1, offer(1));
    assert_eq!(replica.take_offer(), None);
    let mut effects = Effects::default();
    assert!(!replica.install(60, offer(1), &mut pieces(&file), &mut effects).unwrap());
    hit(Mark::SnapshotOvertaken);
    assert_eq!(replica.digest(), digest);
}

/// Broken: a restart from a snapshot would execute again what it holds, or not what it does not.
#[test]
fn a_restart_begins_with_the_snapshot() {
    let (_, file, _) = saved(0);
    let mut again = replica(0);
    again.restore_snapshot(offer(1), &mut pieces(&file)).unwrap();
    for (vertex, value) in history() {
        again.restore(vertex, value);
    }
    again.restore(vertex(0, 4), value(apply(4), &[vertex(0, 3)]));
    again.start(100);
    let steps = again.take_steps();
    assert_eq!(steps.iter().map(|step| step.vertex).collect::<Vec<_>>(), [vertex(0, 4)]);
    assert_eq!(again.saved(), Some(offer(1)));
    assert_eq!(again.barriers(), 1);
    // Nothing was told in this life that an earlier one did not hold.
    let told = sent(tell(
        &mut again,
        110,
        1,
        Frontier { committed: cut(), held: cut(), digests: Vec::new() },
    ));
    assert!(told.contains(&(NodeId(0), PruneAcceptor { floor: cut() }.into())));
}

/// Broken: damaged or foreign pieces would end in a state that no replica ever had.
#[test]
fn pieces_out_of_order_are_refused() {
    let (_, file, _) = saved(0);
    let mut swapped = file.clone();
    swapped.reverse();
    let header = SnapshotHeader {
        number: 1,
        cut: DepSet::default(),
        executed: [(Column { epoch: Epoch(0), proposer: NodeId(0) }, Default::default())].into(),
    };
    let empty = [(1, header.encode())];
    for wrong in [&swapped[..], &file[1..], &empty] {
        let mut replica = replica(1);
        assert!(replica.restore_snapshot(offer(1), &mut pieces(wrong)).is_err());
    }
}

/// Broken: the journal would grow for ever, or lose commits that no snapshot holds.
#[test]
fn what_a_snapshot_does_not_hold_is_written_again() {
    let mut replica = replica(0);
    commit_all(&mut replica, history());
    let later: Vec<_> =
        (4..7).map(|seq| (vertex(0, seq), value(apply(seq), &[vertex(0, 3)]))).collect();
    commit_all(&mut replica, later.clone());
    replica.take_snapshot().unwrap();
    let mut effects = Effects::default();
    replica.on_saved(20, offer(1), &mut effects);
    let mut written: Vec<Effect<ReplicaRecord>> = effects.into_iter().collect();
    for _ in 0..10 {
        written.extend(tell(
            &mut replica,
            30,
            1,
            Frontier { committed: cut(), held: cut(), digests: Vec::new() },
        ));
    }
    let records = written.into_iter().flat_map(|effect| match effect {
        Effect::Append { records, .. } => records,
        Effect::Send { .. } => Vec::new(),
    });
    let records: Vec<ReplicaRecord> = records.collect();
    // The barrier itself is not among its dependencies.
    let kept = [history().remove(3)].into_iter().chain(later);
    let expected: Vec<ReplicaRecord> = [ReplicaRecord::Pruned { floor: cut() }]
        .into_iter()
        .chain(kept.map(|(vertex, value)| ReplicaRecord::Committed { vertex, value }))
        .chain([ReplicaRecord::Rewritten])
        .collect();
    hit(Mark::ReplicaRewritten);
    assert_eq!(records, expected);
    assert!(records.iter().all(|record| NodeRecord::from(record.clone()).encode().len() < 200));
}

/// Broken: no snapshot would ever be cut, or all replicas would ask for a barrier at once.
#[test]
fn barriers_are_asked_for_in_turn() {
    let asked_at = |me: u32| -> Option<Micros> {
        let mut replica = replica(me);
        commit_all(&mut replica, history().into_iter().take(3));
        (0..4_000).map(|at| 1_000 * at).find(|now| {
            let mut effects = Effects::default();
            replica.on_deadline(*now, &mut effects);
            sent(effects).contains(&(NodeId(me), BarrierDue.into()))
        })
    };
    let [first, second, third] = [0, 1, 2].map(|me| asked_at(me).expect("it is due"));
    hit(Mark::BarrierAsked);
    assert!(first < second && second < third, "{first} {second} {third}");
    // A replica on its own asks though it is not its turn; without anything executed, none does.
    let mut idle = replica(0);
    let mut effects = Effects::default();
    idle.on_deadline(1_000_000_000, &mut effects);
    assert!(!sent(effects).contains(&(NodeId(0), BarrierDue.into())));
    assert!(Membership::colocated(3, 1, Path::Classic).unwrap().has(NodeId(0), Role::Proposer));
}
