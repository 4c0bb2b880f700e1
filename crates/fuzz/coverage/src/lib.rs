//! The targets of `althing-fuzz`, for libFuzzer. It counts coverage itself: outcomes are not looked
//! at.

use althing_fuzz::{Outcomes, Target};
use std::sync::OnceLock;

/// Runs the target of that name.
///
/// # Panics
/// When its property does not hold for `data`; or when there is no such target.
pub fn run(name: &str, data: &[u8]) {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| Target::named(name).expect("each file names its target"));
    if data.len() <= target.len_max {
        (target.run)(data, &mut Outcomes::default());
    }
}
