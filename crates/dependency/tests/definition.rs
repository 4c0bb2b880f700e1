//! The index against the definition of a conflict, over random histories.

use althing_dependency::ConflictIndex;
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Predicate,
    Range, VertexId,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Commands conflict of which the first bytes shown add up to an odd number.
struct Odd;

impl Predicate for Odd {
    fn name(&self) -> &str {
        "odd"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        (a[0] + b[0]) % 2 == 1
    }
}

fn modes() -> ModeTable {
    ModeTable::standard().with_predicate(Arc::new(Odd))
}

fn name() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(prop::sample::select(vec![0, b'a', 0xff]), 0..3).prop_map(Bytes::from)
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        name().prop_map(Range::prefix),
        name().prop_map(Range::from),
        (name(), name()).prop_filter_map("empty", |(from, to)| Range::between(from, to)),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    (0..4u8).prop_map(Mode)
}

fn named() -> impl Strategy<Value = Footprint> {
    let resources = prop::collection::vec((name(), mode()), 0..3);
    let ranges = prop::collection::vec((range(), mode()), 0..2);
    (resources, ranges).prop_map(|(resources, ranges)| Footprint::with_ranges(resources, ranges))
}

fn any_footprint() -> impl Strategy<Value = Footprint> {
    prop_oneof![
        8 => named(),
        3 => any::<u8>().prop_map(|byte| Footprint::predicate(vec![byte & 3])),
        1 => Just(Footprint::Everything),
    ]
}

fn batch(footprint: impl Strategy<Value = Footprint>) -> impl Strategy<Value = Commands> {
    prop::collection::vec(footprint, 1..3).prop_map(|footprints| {
        let command = |footprint| Command { operation: Operation::OpenSession, footprint };
        Commands::Batch(footprints.into_iter().map(command).collect())
    })
}

/// What a proposer does next: it is one of three, and its vertex is perhaps committed as a noop.
#[derive(Debug, Clone)]
struct Proposed {
    proposer: u32,
    commands: Commands,
    is_noop: bool,
    /// When the voter hears of it: in the order of these numbers.
    at: u16,
}

fn history(footprint: impl Strategy<Value = Footprint>) -> impl Strategy<Value = Vec<Proposed>> {
    let proposed = (1..4u32, batch(footprint), prop::bool::weighted(0.1), any::<u16>())
        .prop_map(|(proposer, commands, is_noop, at)| Proposed { proposer, commands, is_noop, at });
    prop::collection::vec(proposed, 1..40)
}

/// A history with the vertices that its proposers gave, and what rules C1 and C2 add to their
/// dependencies, straight from the rules.
struct Told {
    vertices: Vec<(VertexId, Proposed)>,
    chained: BTreeMap<VertexId, BTreeSet<VertexId>>,
}

impl Told {
    fn new(history: Vec<Proposed>) -> Self {
        let mut told = Self { vertices: Vec::new(), chained: BTreeMap::new() };
        let mut next: BTreeMap<u32, u64> = BTreeMap::new();
        for proposed in history {
            let seq = next.entry(proposed.proposer).or_default();
            let vertex =
                VertexId { epoch: Epoch(0), proposer: NodeId(proposed.proposer), seq: *seq };
            *seq += 1;
            let own = told.vertices.iter().filter(|(id, _)| id.proposer == vertex.proposer);
            let deps = match proposed.is_noop {
                true => own.map(|(id, _)| *id).collect(),
                false => {
                    let keys = keys(&proposed.commands);
                    // The latest of each key; everything is the latest of all.
                    keys.iter()
                        .filter_map(|key| {
                            let mut on = own.clone().rev().filter(|(_, it)| touches(it, key));
                            on.next().map(|(id, _)| *id)
                        })
                        .chain(own.clone().filter(|_| keys.contains(&Key::All)).map(|(id, _)| *id))
                        .collect()
                }
            };
            told.chained.insert(vertex, deps);
            told.vertices.push((vertex, proposed));
        }
        told
    }

    /// In the order in which the voter hears of them.
    fn heard(&self) -> Vec<&(VertexId, Proposed)> {
        let mut heard: Vec<_> = self.vertices.iter().collect();
        heard.sort_by_key(|(_, proposed)| proposed.at);
        heard
    }

    /// What is reached from dependencies over the chain rules alone.
    fn reached(&self, deps: &DepSet) -> BTreeSet<VertexId> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<VertexId> =
            self.chained.keys().filter(|id| deps.contains(**id)).copied().collect();
        while let Some(vertex) = open.pop() {
            if reached.insert(vertex) {
                open.extend(&self.chained[&vertex]);
            }
        }
        reached
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Resource(Bytes),
    Range(Range),
    All,
}

fn keys(commands: &Commands) -> BTreeSet<Key> {
    let of = |command: &Command| {
        let footprint = &command.footprint;
        let resources = footprint.resources().iter().map(|(name, _)| Key::Resource(name.clone()));
        let ranges = footprint.ranges().iter().map(|(range, _)| Key::Range(range.clone()));
        let all = (*footprint == Footprint::Everything).then_some(Key::All);
        resources.chain(ranges).chain(all).collect::<Vec<_>>()
    };
    commands.as_slice().iter().flat_map(of).collect()
}

fn touches(proposed: &Proposed, key: &Key) -> bool {
    let keys = keys(&proposed.commands);
    keys.contains(key) || keys.contains(&Key::All)
}

/// Hears the history; asks at each vertex and prunes now and then.
fn check(told: &Told, floors: &[u8], is_exact: bool) -> Result<(), TestCaseError> {
    let modes = modes();
    let mut index = ConflictIndex::new(modes.clone());
    let mut entered: Vec<&(VertexId, Proposed)> = Vec::new();
    for (step, at) in told.heard().into_iter().enumerate() {
        let (vertex, proposed) = at;
        let deps = index.dependencies(&proposed.commands);
        let reached = told.reached(&deps);
        for (earlier, other) in &entered {
            let is_conflict = proposed.commands.conflict_with(&other.commands, &modes);
            prop_assert!(
                !is_conflict || other.is_noop || reached.contains(earlier),
                "{vertex} does not reach {earlier}: {:?} and {:?}",
                proposed.commands,
                other.commands
            );
            if is_exact && deps.contains(*earlier) && !index.floor().contains(*earlier) {
                prop_assert!(is_conflict, "{vertex} depends on {earlier} for nothing");
            }
        }
        if is_exact {
            let known: BTreeSet<_> = entered.iter().map(|(id, _)| *id).collect();
            let named = told.chained.keys().filter(|id| deps.contains(**id));
            for id in named.filter(|id| !index.floor().contains(**id)) {
                prop_assert!(known.contains(id), "{id} was made up");
            }
        }
        index.enter(*vertex, &proposed.commands);
        entered.push(at);
        let again = index.clone();
        index.enter(*vertex, &proposed.commands);
        prop_assert_eq!(&again, &index, "entered twice");
        if let Some(floor) = floors.get(step).filter(|floor| **floor < 4) {
            let mut prefix = DepSet::default();
            prefix.insert_below(vertex.column(), u64::from(*floor));
            index.prune(&prefix);
        }
    }
    while !index.is_swept() {
        index.sweep();
    }
    let mut all = DepSet::default();
    (1..4).for_each(|proposer| {
        let column = VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq: 0 }.column();
        all.insert_below(column, 40);
    });
    index.prune(&all);
    while !index.is_swept() {
        index.sweep();
    }
    prop_assert_eq!((index.resources(), index.ranges(), index.shown()), (0, 0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Broken: two conflicting commands would be ordered differently by two replicas (I2).
    #[test]
    fn answers_lead_to_every_conflicting_vertex(
        history in history(any_footprint()),
        floors in prop::collection::vec(any::<u8>().prop_map(|byte| byte % 16), 40),
    ) {
        check(&Told::new(history), &floors, false)?;
    }

    /// Broken: commands would wait for others that commute with them.
    #[test]
    fn answers_to_resources_and_ranges_name_nothing_else(
        history in history(named()),
        floors in prop::collection::vec(any::<u8>().prop_map(|byte| byte % 16), 40),
    ) {
        check(&Told::new(history), &floors, true)?;
    }
}
