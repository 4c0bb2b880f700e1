//! Who watches: drawn apart from the rest, whose runs stay as they are.

use super::{WatchPlan, WatcherPlan, pick};
use althing_model::{Filter, Micros, ModeSet, Range, Scope};
use althing_replica::WatchLimits;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What is drawn of watching.
pub(super) struct Watching {
    pub(super) plan: WatchPlan,
    pub(super) limits: WatchLimits,
    /// How long a watch waits for its token, and how often an idle one is told.
    pub(super) wait: Micros,
    pub(super) tell: Micros,
}

/// Half of the runs have clients that watch.
pub(super) fn draw(seed: u64, slowest: Micros) -> Watching {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed ^ 0x3a7c_4e00);
    let count = *pick(rng, &[0, 0, 0, 1, 2, 3]);
    let defaults = WatchLimits::default();
    let limits = WatchLimits {
        feed_len_max: *pick(rng, &[4, 30, 200, defaults.feed_len_max]),
        untaken_len_max: *pick(rng, &[1, 4, defaults.untaken_len_max]),
        pending_len_max: *pick(rng, &[1, 4, defaults.pending_len_max]),
        ..defaults
    };
    let wait = *pick(rng, &[20_000, 1_000_000, 5_000_000]);
    let tell = *pick(rng, &[300_000, 1_000_000]);
    let watchers = (0..count).map(|_| {
        let scope = match rng.random_range(0..3) {
            0 => Scope::Everything,
            1 => Scope::Range(Range::prefix("hot")),
            _ => Scope::Resource("hot0".into()),
        };
        WatcherPlan {
            // Mode 0 reads, in the store.
            filter: Filter { scope, modes: *pick(rng, &[ModeSet::ALL, ModeSet(!1), ModeSet(!1)]) },
            begins_at: rng.random_range(0..20 * slowest),
            takes: *pick(rng, &[0, 0, 50_000, 1_000_000]),
            forgets_permille: *pick(rng, &[0, 20, 200]),
            silence: wait + tell + 4 * slowest + *pick(rng, &[10_000, 1_000_000]),
        }
    });
    let watchers = watchers.collect();
    let lost_permille = *pick(rng, &[0, 0, 20]);
    Watching { plan: WatchPlan { watchers, lost_permille }, limits, wait, tell }
}
