//! What conflicts, and tables of modes.

use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Predicate, Range,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;

const READ: Mode = Mode::READ;
const WRITE: Mode = Mode::WRITE;

fn on(resource: &'static str, mode: Mode) -> Footprint {
    Footprint::of([(Bytes::from_static(resource.as_bytes()), mode)])
}

fn over(range: Range, mode: Mode) -> Footprint {
    Footprint::with_ranges([], [(range, mode)])
}

/// Commands conflict when what they show adds up to an odd number.
struct Odd(&'static str);

impl Predicate for Odd {
    fn name(&self) -> &str {
        self.0
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        a.iter().chain(b).fold(0, |sum, byte| sum ^ byte) & 1 == 1
    }
}

fn with_odd(name: &'static str) -> ModeTable {
    ModeTable::read_write().with_predicate(Arc::new(Odd(name)))
}

/// Broken: conflicting commands would be executed in different orders.
#[test]
fn conflict_is_by_shared_resource_and_mode() {
    let modes = ModeTable::read_write();
    assert!(on("a", WRITE).conflicts_with(&on("a", READ), &modes));
    assert!(!on("a", READ).conflicts_with(&on("a", READ), &modes));
    assert!(!on("a", WRITE).conflicts_with(&on("b", WRITE), &modes));
    assert!(Footprint::Everything.conflicts_with(&Footprint::NOTHING, &modes));
    assert!(!Footprint::NOTHING.conflicts_with(&on("a", WRITE), &modes));
}

/// Broken: a scan would miss a write inside it, or wait for one outside.
#[test]
fn a_range_conflicts_with_what_is_inside_and_what_overlaps() {
    let modes = ModeTable::read_write();
    let range = |from, to| Range::between(from, to).expect("not empty");
    let scan = over(range("b", "d"), READ);
    for (inside, resource) in [(false, "a"), (true, "b"), (true, "c"), (false, "d")] {
        assert_eq!(scan.conflicts_with(&on(resource, WRITE), &modes), inside, "{resource}");
        assert_eq!(on(resource, WRITE).conflicts_with(&scan, &modes), inside, "{resource}");
    }
    assert!(!scan.conflicts_with(&on("c", READ), &modes));
    for (overlaps, other) in [
        (false, range("a", "b")),
        (true, range("a", "b\0")),
        (true, range("c", "z")),
        (false, range("d", "z")),
        (true, Range::from("a")),
        (false, Range::from("d")),
        (true, Range::prefix("")),
    ] {
        let delete = over(other.clone(), WRITE);
        assert_eq!(scan.conflicts_with(&delete, &modes), overlaps, "{other:?}");
        assert_eq!(delete.conflicts_with(&scan, &modes), overlaps, "{other:?}");
    }
    assert_eq!(Footprint::with_ranges([], []), Footprint::NOTHING);
}

/// Broken: two commands that only the user can tell apart would be told apart by nobody, or
/// resources would pass them.
#[test]
fn the_predicate_decides_between_what_is_shown_to_it() {
    let modes = with_odd("odd");
    let shown = |byte: u8| Footprint::predicate(vec![byte]);
    assert!(shown(1).conflicts_with(&shown(2), &modes));
    assert!(!shown(1).conflicts_with(&shown(3), &modes));
    assert!(shown(1).conflicts_with(&shown(3), &ModeTable::read_write()), "nobody to ask");
    for named in [on("a", READ), over(Range::prefix("a"), READ), Footprint::Everything] {
        assert!(shown(1).conflicts_with(&named, &modes), "{named:?}");
        assert!(named.conflicts_with(&shown(1), &modes), "{named:?}");
    }
    assert!(!shown(1).conflicts_with(&Footprint::NOTHING, &modes));
}

/// Broken: a mode that a byzantine footprint invents would commute with some other.
#[test]
fn a_mode_outside_the_table_commutes_with_nothing() {
    let modes = ModeTable::read_write();
    assert!(!modes.commute(Mode(9), READ));
    assert!(!modes.commute(READ, Mode(200)));
}

/// Broken: reads without a vertex would see two updates in two orders (`protocol` section 8).
#[test]
fn a_read_needs_no_vertex_where_the_updates_it_sees_conflict_pairwise() {
    let standard = ModeTable::standard();
    // Two adds commute with each other, and not with the read.
    assert!(!standard.is_readable_unrecorded(READ));
    assert!(!standard.is_readable_unrecorded(WRITE) && !standard.is_readable_unrecorded(Mode(9)));
    assert!(ModeTable::read_write().is_readable_unrecorded(READ));
    assert!(!with_odd("odd").is_readable_unrecorded(READ));
    // What the read does not see may commute as it likes.
    let blind = ModeTable::standard().commuting(READ, Mode::ADD).commuting(READ, Mode::INSERT);
    assert!(blind.is_readable_unrecorded(READ));
    let across = ModeTable::new(&["read", "left", "right"])
        .commuting(READ, READ)
        .commuting(Mode(1), Mode(2));
    assert!(!across.is_readable_unrecorded(READ));
}

/// Broken: nodes with other conflict functions would order commands together.
#[test]
fn other_tables_have_other_fingerprints() {
    struct Of(ModeTable);
    impl Conflicts for Of {
        fn modes(&self) -> &ModeTable {
            &self.0
        }
        fn footprint(&self, _: &[u8]) -> Result<Footprint, CommandInvalid> {
            Ok(Footprint::NOTHING)
        }
    }
    let plain = || ModeTable::new(&["ab", "c"]);
    let tables = [
        plain(),
        ModeTable::new(&["a", "bc"]),
        ModeTable::new(&["ab", "c", ""]),
        plain().commuting(READ, READ),
        plain().commuting(READ, WRITE),
        plain().with_predicate(Arc::new(Odd("odd"))),
        plain().with_predicate(Arc::new(Odd("even"))),
        plain().with_predicate(Arc::new(Odd(""))),
    ];
    for (a, left) in tables.iter().enumerate() {
        for (b, right) in tables.iter().enumerate() {
            assert_eq!(left.fingerprint() == right.fingerprint(), a == b, "{left:?} {right:?}");
            assert_eq!(left == right, a == b, "{left:?} {right:?}");
        }
    }
    assert_eq!(plain().fingerprint(), plain().fingerprint());
    assert_eq!(Of(plain()).id(), ConflictsId(plain().fingerprint()));
    let named = ConflictsId::named("a", 1, &plain());
    assert_eq!(named, ConflictsId::named("a", 1, &plain()));
    assert_ne!(named, ConflictsId::named("a", 2, &plain()));
    assert_ne!(named, ConflictsId::named("b", 1, &plain()));
    assert_ne!(named, ConflictsId::named("a", 1, &ModeTable::read_write()));
}

/// Names of few letters, some of them the highest byte.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, b'a', b'b', 0xff]), 0..4)
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        name().prop_map(Range::prefix),
        name().prop_map(Range::from),
        (name(), name()).prop_filter_map("empty", |(from, to)| Range::between(from, to)),
    ]
}

proptest! {
    /// Broken: a prefix would miss names that begin so, or hold others.
    #[test]
    fn a_prefix_holds_what_begins_so(prefix in name(), name in name()) {
        prop_assert_eq!(Range::prefix(prefix.clone()).contains(&name), name.starts_with(&prefix));
    }

    /// Broken: ranges that share a name would be said to share none, or the other way round.
    #[test]
    fn ranges_overlap_where_they_share_a_name(a in range(), b in range(), names in prop::collection::vec(name(), 64)) {
        // The higher of the two beginnings is in both, if anything is.
        let witness = a.begin().max(b.begin());
        prop_assert_eq!(a.overlaps(&b), a.contains(witness) && b.contains(witness));
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        let is_shared = names.iter().any(|name| a.contains(name) && b.contains(name));
        prop_assert!(!is_shared || a.overlaps(&b));
        prop_assert!(a.overlaps(&a));
    }

    /// Broken: one footprint would have several forms, and equal values would look different.
    #[test]
    fn a_footprint_has_one_form(
        resources in prop::collection::vec((name(), 0..3u8), 0..4),
        ranges in prop::collection::vec((range(), 0..3u8), 0..4),
    ) {
        let resources: Vec<_> =
            resources.into_iter().map(|(name, mode)| (Bytes::from(name), Mode(mode))).collect();
        let ranges: Vec<_> = ranges.into_iter().map(|(range, mode)| (range, Mode(mode))).collect();
        let one = Footprint::with_ranges(resources.clone(), ranges.clone());
        let resources = resources.iter().rev().chain(&resources).cloned();
        let ranges = ranges.iter().rev().chain(&ranges).cloned();
        prop_assert_eq!(one, Footprint::with_ranges(resources, ranges));
    }
}
