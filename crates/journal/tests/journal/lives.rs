//! A small part of what `examples/crash_images` looks at.

use crate::images::Figures;
use crate::trace;

/// Broken: the power going at some change of the disk, with some of the unsynced
/// sectors kept, would lose a committed record, keep half a group, or leave a
/// journal that does not open.
#[test]
fn every_power_cut_in_a_random_life_leaves_what_was_committed() {
    let mut figures = Figures::default();
    for seed in 0..60 {
        trace::run(seed, &mut figures).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
    // It has seen torn groups, and whole ones that were not committed.
    assert!(figures.torn > 0 && figures.with_group > 0, "{figures}");
}
