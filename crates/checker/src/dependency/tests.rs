//! Two proposers, columns 1 and 2, on key `k` unless said otherwise.

use super::*;

const READ: u8 = 0;
const WRITE: u8 = 1;

fn commutes(a: u8, b: u8) -> bool {
    (a, b) == (READ, READ)
}

/// One part of a set: a column, its prefix, its extras.
type Part<'a> = (u64, u64, &'a [u64]);

struct Story(DependencyConflicts);

impl Story {
    fn new() -> Self {
        Self(DependencyConflicts::new(Commutes::new(commutes)))
    }

    fn asked(&mut self, column: u64, seq: u64, on: &[(&[u8], u8)]) {
        let vertex = Vertex { column, seq };
        let command = u128::from(column * 1000 + seq);
        self.0.requested(vertex, command, Footprint::Resources(on)).unwrap();
    }

    /// The same of one that names ranges.
    fn linked(&mut self, column: u64, seq: u64, on: &[(&[u8], u8)], links: &[&[u8]]) {
        let vertex = Vertex { column, seq };
        let command = u128::from(column * 1000 + seq);
        self.0.requested(vertex, command, Footprint::Linked { resources: on, links }).unwrap();
    }

    fn answered(&mut self, column: u64, seq: u64, set: &[Part<'_>]) -> Result<(), Violation> {
        let parts = set.iter();
        let parts = parts.map(|(column, prefix, extras)| ColumnDependencies {
            column: *column,
            prefix: *prefix,
            extras,
        });
        self.0.answered(Vertex { column, seq }, parts)
    }

    /// A write of `k`, asked about and answered.
    fn write(&mut self, column: u64, seq: u64, set: &[Part<'_>]) -> Result<(), Violation> {
        self.asked(column, seq, &[(b"k", WRITE)]);
        self.answered(column, seq, set)
    }

    fn everything(&mut self, column: u64, seq: u64, set: &[Part<'_>]) -> Result<(), Violation> {
        let vertex = Vertex { column, seq };
        self.0.requested(vertex, u128::from(seq), Footprint::Everything).unwrap();
        self.answered(column, seq, set)
    }
}

fn is_told(result: Result<(), Violation>, part: &str) {
    let told = result.unwrap_err().to_string();
    assert!(told.contains(part), "{told}");
}

/// Broken: two writes that no quorum ordered, which two replicas may execute in two orders, would
/// pass until a replica does.
#[test]
fn two_writes_unaware_of_each_other_are_told() {
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    is_told(story.write(2, 0, &[]), "conflict on resource \"k\"");
    // One direction is enough, whichever was answered first.
    let mut story = Story::new();
    story.write(1, 0, &[(2, 0, &[0])]).unwrap();
    story.write(2, 0, &[]).unwrap();
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    story.write(2, 0, &[(1, 1, &[])]).unwrap();
}

/// Broken: reads of one key, or commands on different keys, would raise false alarms.
#[test]
fn what_commutes_need_not_be_ordered() {
    let mut story = Story::new();
    for column in [1, 2] {
        story.asked(column, 0, &[(b"k", READ)]);
        story.answered(column, 0, &[]).unwrap();
    }
    story.asked(3, 0, &[(b"other", WRITE)]);
    story.answered(3, 0, &[]).unwrap();
    // A write behind one read is not behind the other.
    story.asked(3, 1, &[(b"k", WRITE)]);
    is_told(story.answered(3, 1, &[(1, 1, &[])]), "(2, 0)");
}

/// Broken: compaction would raise false alarms, or a set that names a vertex of the right proposer
/// on another key would pass (trap T6).
#[test]
fn a_later_vertex_stands_for_an_earlier_one_only_where_the_chain_leads_back() {
    let with = |later: &[u8]| {
        let mut story = Story::new();
        story.write(1, 0, &[]).unwrap();
        story.asked(1, 1, &[(later, WRITE)]);
        story.write(2, 0, &[(1, 0, &[1])])
    };
    with(b"k").unwrap();
    is_told(with(b"other"), "(1, 0) and (2, 0)");
    // One that nobody was asked about can only become a noop, which names all below it.
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    story.write(2, 0, &[(1, 0, &[1])]).unwrap();
}

/// Broken: a chain that a restart forgot, or that reads interrupt, would pass (rule C1, trap T18).
#[test]
fn a_vertex_names_its_own_proposer_s_previous_one() {
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    story.asked(1, 1, &[(b"k", READ)]);
    is_told(story.answered(1, 1, &[]), "of one column");
    // The other way round does not help: the later one is what compaction names.
    let mut story = Story::new();
    story.write(1, 0, &[(1, 0, &[1])]).unwrap();
    is_told(story.write(1, 1, &[]), "of one column");
    // A middle one answered last is held against both neighbours.
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    story.asked(1, 1, &[(b"k", WRITE)]);
    story.write(1, 2, &[(1, 0, &[1])]).unwrap();
    story.answered(1, 1, &[(1, 1, &[])]).unwrap();
    let mut story = Story::new();
    story.asked(1, 1, &[(b"k", WRITE)]);
    story.write(1, 2, &[]).unwrap();
    is_told(story.answered(1, 1, &[]), "(1, 2) and (1, 1)");
}

/// Broken: a scan that misses a write, or a command that passes a scan, would pass.
#[test]
fn everything_conflicts_with_all() {
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    is_told(story.everything(2, 0, &[]), "conflict on everything");
    let mut story = Story::new();
    story.write(1, 0, &[]).unwrap();
    story.everything(2, 0, &[(1, 1, &[])]).unwrap();
    story.asked(1, 1, &[]);
    is_told(story.answered(1, 1, &[]), "(2, 0) and (1, 1)");
    story.answered(1, 1, &[(2, 1, &[])]).unwrap();
    // Of its own column too.
    is_told(story.everything(2, 1, &[(1, 2, &[])]), "of one column");
    story.everything(2, 2, &[(1, 2, &[]), (2, 2, &[])]).unwrap();
    is_told(story.write(2, 3, &[(1, 2, &[])]), "of one column");
}

/// Broken: a recovery that completes another quorum could lose what the first one had ordered.
#[test]
fn every_union_that_is_proposed_counts() {
    let mut story = Story::new();
    story.write(1, 0, &[(2, 1, &[])]).unwrap();
    story.write(2, 0, &[]).unwrap();
    story.answered(1, 0, &[(2, 0, &[0])]).unwrap();
    is_told(story.answered(1, 0, &[]), "(2, 0) and (1, 0)");
    // The same the other way round: the second union was told first.
    let mut story = Story::new();
    story.write(1, 0, &[(2, 1, &[])]).unwrap();
    story.answered(1, 0, &[]).unwrap();
    is_told(story.write(2, 0, &[]), "(1, 0) and (2, 0)");
    assert_eq!(story.0.answered_len(), 1);
}

/// Broken: a vertex id used twice, with two commands in round 0, would pass (trap T5, zoo Z9).
#[test]
fn a_vertex_is_one_command() {
    let mut oracle = DependencyConflicts::new(Commutes::new(commutes));
    let vertex = Vertex { column: 1, seq: 0 };
    oracle.requested(vertex, 5, Footprint::Resources(&[])).unwrap();
    oracle.requested(vertex, 5, Footprint::Resources(&[])).unwrap();
    is_told(oracle.requested(vertex, 6, Footprint::Resources(&[])), "two commands");
    is_told(oracle.answered(Vertex { column: 1, seq: 1 }, []), "no dependency node was asked");
}

/// Broken: the shortcuts (neighbours, the reach of a set) would miss a pair that asking all pairs
/// finds, or accuse one that is ordered.
#[test]
fn agrees_with_asking_every_pair() {
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    type Columns = Vec<(u64, u64, Vec<u64>)>;
    type Drawn = (u64, bool, u8, Columns);
    type Known = (u64, u64, bool, u8, Columns);
    let set =
        || prop::collection::vec((1u64..4, 0u64..4, prop::collection::vec(0u64..5, 0..3)), 0..3);
    let vertex = || (1u64..4, any::<bool>(), 0u8..2, set());
    let one: std::cell::Cell<[u32; 2]> = std::cell::Cell::new([0, 0]);
    let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = prop::collection::vec(vertex(), 1..6);
    let check = |drawn: Vec<Drawn>| {
        let mut story = Story::new();
        let mut next = [0u64; 4];
        let mut known: Vec<Known> = Vec::new();
        for (column, is_other, mode, set) in drawn {
            let seq = next[column as usize];
            next[column as usize] += 1;
            let mut columns = Columns::new();
            for part in set {
                if columns.iter().all(|(column, ..)| *column != part.0) {
                    columns.push(part);
                }
            }
            known.push((column, seq, is_other, mode, columns));
        }
        for (column, seq, is_other, mode, _) in &known {
            let key: &[u8] = if *is_other { b"other" } else { b"k" };
            story.asked(*column, *seq, &[(key, *mode)]);
        }
        let mut is_wrong = false;
        for (n, (column, seq, _, _, set)) in known.iter().enumerate() {
            let parts: Vec<Part<'_>> = set.iter().map(|(c, p, e)| (*c, *p, &e[..])).collect();
            let told = story.answered(*column, *seq, &parts).is_err();
            let covers = |one: usize, other: usize| {
                let (_, _, is_other, _, _) = known[other];
                let (column, seq) = (known[other].0, known[other].1);
                let Some((_, prefix, extras)) = known[one].4.iter().find(|(c, ..)| *c == column)
                else {
                    return false;
                };
                let leads = |extra: u64| {
                    let is_before = known[one].0 != column || extra < known[one].1;
                    let what = known.iter().find(|k| (k.0, k.1) == (column, extra));
                    extra == seq
                        || extra > seq && is_before && what.is_none_or(|what| what.2 == is_other)
                };
                seq < *prefix || extras.iter().any(|extra| leads(*extra))
            };
            let is_missed = (0..n).any(|other| {
                let (a, b) = (&known[n], &known[other]);
                if a.2 != b.2 {
                    return false;
                }
                if a.0 == b.0 {
                    // The chain, between neighbours.
                    let is_between =
                        known[..n].iter().any(|c| c.0 == a.0 && c.2 == a.2 && c.1 > b.1);
                    return !is_between && !covers(n, other);
                }
                !commutes(a.3, b.3) && !covers(n, other) && !covers(other, n)
            });
            let mut counts = one.get();
            counts[usize::from(is_missed)] += 1;
            one.set(counts);
            prop_assert_eq!(told, is_missed);
            is_wrong |= told;
            if is_wrong {
                break;
            }
        }
        Ok(())
    };
    runner.run(&strategy, check).unwrap();
    let [right, wrong] = one.get();
    assert!(right > 1000 && wrong > 1000, "{right} right and {wrong} wrong");
}

/// Broken: a command that touches nothing, and was asked about late, would be accused of missing an
/// earlier command over everything, although it names a later one, which names that one.
#[test]
fn a_later_command_over_everything_stands_for_an_earlier_one_also_in_its_own_column() {
    let mut story = Story::new();
    story.everything(1, 5, &[(1, 5, &[])]).unwrap();
    story.everything(1, 8, &[(1, 8, &[])]).unwrap();
    story.asked(1, 7, &[]);
    story.answered(1, 7, &[(1, 0, &[8])]).unwrap();
    // One that touches something may not rely on a later link of its own column.
    story.asked(1, 9, &[(b"k", WRITE)]);
    is_told(story.answered(1, 9, &[(1, 0, &[10])]), "of one column");
}

/// Broken: a command would be accused of missing an earlier one of its own column over a range,
/// although it names a later one over the same range, which leads there; or the chain would count
/// where it may end at the accused command itself.
#[test]
fn a_later_link_that_a_command_does_not_have_leads_past_it() {
    for is_shared in [false, true] {
        let mut story = Story::new();
        let range = [(&b"k"[..], WRITE), (b"l", WRITE)];
        story.linked(1, 5, &range, &[b"k-l"]);
        story.answered(1, 5, &[(1, 5, &[])]).unwrap();
        story.linked(1, 8, &range, &[b"k-l"]);
        let links: &[&[u8]] = if is_shared { &[b"k", b"k-l"] } else { &[b"k"] };
        story.linked(1, 7, &[(b"k", WRITE)], links);
        let told = story.answered(1, 7, &[(1, 0, &[8])]);
        match is_shared {
            false => told.unwrap(),
            true => is_told(told, "of one column"),
        }
    }
}

/// Broken: of two links each would be vouched for by the other, and neither vertex reaches the third.
#[test]
fn two_links_do_not_vouch_for_each_other() {
    let mut story = Story::new();
    let both: [(&[u8], u8); 2] = [(b"k", WRITE), (b"l", WRITE)];
    story.linked(1, 5, &both, &[b"k", b"l"]);
    story.answered(1, 5, &[(1, 5, &[])]).unwrap();
    story.linked(1, 7, &[(b"k", WRITE)], &[b"k"]);
    story.linked(1, 8, &[(b"l", WRITE)], &[b"l"]);
    is_told(story.answered(1, 7, &[(1, 0, &[8])]), "of one column");
    // This one may rely on it, whose own set is judged.
    story.answered(1, 8, &[(1, 0, &[7])]).unwrap();
}
