//! The index, case by case.

use super::*;
use althing_model::{Command, Epoch, NodeId, Operation, Predicate};
use std::sync::Arc;

const READ: Mode = Mode(0);
const WRITE: Mode = Mode(1);

fn commands(footprint: Footprint) -> Commands {
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

fn on(resource: &'static str, mode: Mode) -> Commands {
    commands(Footprint::of([(Bytes::from_static(resource.as_bytes()), mode)]))
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn deps(vertices: &[VertexId]) -> DepSet {
    vertices.iter().copied().collect()
}

fn index() -> ConflictIndex {
    // Tests may share a thread.
    mark::take();
    ConflictIndex::new(ModeTable::read_write())
}

/// Broken: conflicting commands would stay unordered, or commuting ones would wait.
#[test]
fn only_conflicting_modes_are_reported() {
    let mut index = index();
    index.enter(vertex(1, 0), &on("a", READ));
    index.enter(vertex(2, 0), &on("a", WRITE));
    index.enter(vertex(3, 0), &on("b", WRITE));
    assert_eq!(index.dependencies(&on("a", READ)), deps(&[vertex(2, 0)]));
    assert_eq!(index.dependencies(&on("a", WRITE)), deps(&[vertex(1, 0), vertex(2, 0)]));
    assert_eq!(index.dependencies(&on("c", WRITE)), DepSet::default());
    assert!(mark::take().contains(Mark::PassedByCommuting));
}

/// Broken: a vertex that arrives late would hide a later one of its proposer (trap T17).
#[test]
fn t17_latest_is_by_sequence_and_not_by_arrival() {
    let mut index = index();
    index.enter(vertex(1, 7), &on("a", WRITE));
    index.enter(vertex(1, 3), &on("a", WRITE));
    assert_eq!(index.dependencies(&on("a", WRITE)), deps(&[vertex(1, 7)]));
    assert!(mark::take().contains(Mark::EnteredLate));
}

/// Broken: a scan would miss writes, or a later command would pass the scan.
#[test]
fn everything_depends_on_all_and_all_depend_on_it() {
    let mut index = index();
    index.enter(vertex(1, 4), &on("a", WRITE));
    let mut whole = DepSet::default();
    whole.insert_below(vertex(1, 0).column(), 5);
    assert_eq!(index.dependencies(&commands(Footprint::Everything)), whole);
    index.enter(vertex(2, 0), &commands(Footprint::Everything));
    assert_eq!(index.dependencies(&commands(Footprint::NOTHING)), deps(&[vertex(2, 0)]));
    assert_eq!(index.dependencies(&Commands::Noop), DepSet::default());
    let marks = mark::take();
    assert!(marks.contains(Mark::EverythingEntered));
    assert!(marks.contains(Mark::DependsOnEverything));
}

fn floor(below: u64) -> DepSet {
    DepSet::from_columns([(vertex(1, 0).column(), below, vec![])])
}

/// Broken: what is forgotten would be missing from answers (I6), or come back, or stay in memory.
#[test]
fn what_is_below_the_floor_is_named_and_no_more_kept() {
    let mut index = index();
    index.enter(vertex(1, 2), &on("a", WRITE));
    index.enter(vertex(1, 3), &on("b", WRITE));
    index.enter(vertex(1, 4), &on("c", WRITE));
    index.enter(vertex(1, 1), &commands(Footprint::Everything));
    index.enter(vertex(2, 0), &on("a", READ));
    assert!(index.prune(&floor(4)));
    assert_eq!((index.resources(), index.is_swept()), (2, true));
    index.enter(vertex(1, 3), &on("b", WRITE));
    assert!(mark::take().contains(Mark::EnteredBelowFloor));
    assert_eq!(index.resources(), 2);

    assert_eq!(index.dependencies(&on("b", WRITE)), floor(4));
    assert_eq!(index.dependencies(&Commands::Noop), floor(4));
    let mut of_a = floor(4);
    of_a.insert(vertex(2, 0));
    assert_eq!(index.dependencies(&on("a", WRITE)), of_a);
    let mut whole = floor(5);
    whole.insert(vertex(2, 0));
    assert_eq!(index.dependencies(&commands(Footprint::Everything)), whole);
}

/// Broken: a floor that comes late or twice would bring back what is forgotten.
#[test]
fn a_floor_only_rises_and_is_a_prefix() {
    let mut index = index();
    let mut with_extra = floor(4);
    with_extra.insert(vertex(1, 9));
    assert!(index.prune(&with_extra));
    assert_eq!(*index.floor(), floor(4));
    assert!(!index.prune(&floor(3)) && !index.prune(&floor(4)));
    assert_eq!(*index.floor(), floor(4));
}

/// Broken: a prune of a large index would stall its voter, or leave entries in memory for ever.
#[test]
fn a_large_index_is_swept_bit_by_bit() {
    let mut index = index();
    for seq in 0..3 * SWEPT_MAX as u64 {
        let resource = Bytes::from(format!("{seq:06}"));
        index.enter(vertex(1, seq), &commands(Footprint::of([(resource, WRITE)])));
    }
    let end = 3 * SWEPT_MAX as u64;
    assert!(index.prune(&floor(end - 1)));
    assert!(!index.is_swept());
    // The one above the floor was the last to come, and is looked at first.
    assert_eq!(index.resources(), 2 * SWEPT_MAX + 1);
    // What is still in memory is not told apart from what is not.
    assert_eq!(index.dependencies(&on("000300", WRITE)), floor(end - 1));
    while !index.is_swept() {
        index.sweep();
    }
    assert_eq!(index.resources(), 1);
}

fn over(range: Range, mode: Mode) -> Commands {
    commands(Footprint::with_ranges([], [(range, mode)]))
}

fn between(from: &'static str, to: &'static str) -> Range {
    Range::between(from, to).expect("it is not empty")
}

/// Broken: a scan would not be ordered with a write inside it or with a deletion across it, in one
/// direction or the other, or would be with what lies outside.
#[test]
fn ranges_find_what_is_inside_and_are_found_from_there() {
    let mut index = index();
    for (seq, resource) in ["a", "b", "c", "d"].into_iter().enumerate() {
        index.enter(vertex(1, seq as u64), &on(resource, WRITE));
    }
    let scan = over(between("b", "d"), READ);
    assert_eq!(index.dependencies(&scan), deps(&[vertex(1, 1), vertex(1, 2)]), "none was entered");
    index.enter(vertex(2, 0), &scan);
    index.enter(vertex(2, 1), &over(Range::from("c"), WRITE));
    assert_eq!(index.ranges(), 2);
    assert_eq!(
        index.dependencies(&scan),
        deps(&[vertex(1, 1), vertex(1, 2), vertex(2, 1)]),
        "scans commute"
    );
    index.enter(vertex(1, 4), &on("bb", WRITE));
    let of = |index: &ConflictIndex, resource| index.dependencies(&on(resource, READ));
    assert_eq!(of(&index, "bb"), deps(&[vertex(1, 4)]), "reads commute with scans");
    assert_eq!(of(&index, "x"), deps(&[vertex(2, 1)]));
    assert_eq!(index.dependencies(&on("b", WRITE)), deps(&[vertex(1, 1), vertex(2, 0)]));
    let delete = over(between("bb", "c"), WRITE);
    assert_eq!(index.dependencies(&delete), deps(&[vertex(1, 4), vertex(2, 0)]));
    assert_eq!(index.dependencies(&over(between("", "b"), WRITE)), deps(&[vertex(1, 0)]));
    let marks = mark::take();
    let hit = [Mark::RangeEntered, Mark::DependsOnRangeAround, Mark::DependsOnRangeAcross];
    assert!(hit.into_iter().all(|mark| marks.contains(mark)), "{marks:?}");
}

/// Broken: the latest on a range would be the last to come (trap T17), or each scan of one range
/// would take memory.
#[test]
fn t17_of_one_range_the_highest_stands_for_all() {
    let mut index = index();
    for seq in [3, 7, 5] {
        index.enter(vertex(1, seq), &over(between("a", "b"), WRITE));
    }
    assert_eq!(index.ranges(), 1);
    assert_eq!(index.dependencies(&on("a", READ)), deps(&[vertex(1, 7)]));
}

/// Broken: what a range names would come back after it was pruned, or stay in memory.
#[test]
fn pruned_ranges_are_swept() {
    let mut index = index();
    for seq in 0..2 * SWEPT_MAX as u64 {
        let range = Range::prefix(format!("{seq:06}"));
        index.enter(vertex(1, seq), &over(range, WRITE));
        index.enter(vertex(1, seq), &on("resource", WRITE));
    }
    let end = 2 * SWEPT_MAX as u64;
    index.prune(&floor(end - 1));
    assert!(!index.is_swept());
    index.sweep();
    index.sweep();
    assert!(index.is_swept());
    assert_eq!((index.ranges(), index.resources()), (1, 1));
    assert_eq!(index.dependencies(&over(Range::prefix("0"), WRITE)), floor(end));
    assert!(index.prune(&floor(end)));
    assert_eq!((index.ranges(), index.resources()), (0, 0));
    assert_eq!(index.dependencies(&on("000001x", WRITE)), floor(end));
}

/// Broken: a scan of a million resources would stall its voter, and its answer fit no message; or it
/// would forget some of them.
#[test]
fn a_range_over_very_many_names_all_that_name_anything() {
    let mut index = index();
    let count = RANGE_STEPS_MAX as u64;
    for seq in 0..count {
        let resource = Bytes::from(format!("{seq:06}"));
        index.enter(vertex(1, 2 * seq), &commands(Footprint::of([(resource, WRITE)])));
    }
    index.enter(vertex(1, 2 * count), &commands(Footprint::NOTHING));
    let few = index.dependencies(&over(between("000000", "000010"), READ));
    assert_eq!(few, (0..10).map(|seq| vertex(1, 2 * seq)).collect());
    let scan = over(Range::prefix(""), READ);
    let mut all = floor(2 * count - 1);
    assert_eq!(index.dependencies(&scan), all, "before the resources are in order");
    index.enter(vertex(2, 0), &scan);
    all.insert(vertex(2, 0));
    assert_eq!(index.dependencies(&scan), all, "after that");
}

/// Commands conflict that show the same.
struct Same;

impl Predicate for Same {
    fn name(&self) -> &str {
        "same"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        a == b
    }
}

/// Broken: a conflict that only the predicate sees would be missed; or a command that it cannot judge
/// would pass those that name resources, in one direction or the other.
#[test]
fn the_predicate_is_asked_of_each() {
    mark::take();
    let mut index = ConflictIndex::new(ModeTable::read_write().with_predicate(Arc::new(Same)));
    let shown = |byte: u8| commands(Footprint::predicate(vec![byte]));
    for seq in 0..4 {
        index.enter(vertex(1, seq), &shown(seq as u8 % 2));
        index.enter(vertex(2, 10 - seq), &shown(seq as u8 % 3));
    }
    let same = [vertex(1, 0), vertex(1, 2), vertex(2, 7), vertex(2, 10)];
    assert_eq!(index.dependencies(&shown(0)), deps(&same));
    assert_eq!(index.dependencies(&shown(9)), DepSet::default());
    assert_eq!(index.dependencies(&commands(Footprint::NOTHING)), DepSet::default());
    let marks = mark::take();
    assert!(marks.contains(Mark::DependsOnShown) && marks.contains(Mark::PassedByPredicate));

    let all = (0..4).flat_map(|seq| [vertex(1, seq), vertex(2, 10 - seq)]).collect();
    assert_eq!(index.dependencies(&on("a", READ)), all);
    index.enter(vertex(3, 1), &on("a", READ));
    index.enter(vertex(3, 5), &commands(Footprint::NOTHING));
    let mut named = DepSet::default();
    named.insert_below(vertex(3, 0).column(), 2);
    assert_eq!(index.dependencies(&shown(9)), named);

    assert_eq!(index.shown(), 8);
    index.prune(&floor(3));
    assert_eq!(index.shown(), 5);
}
