//! Planted faults, to test the tests.
//!
//! Built with `--cfg mutants`, the environment variable `ALTHING_MUTANT` names one fault that is
//! switched on for the life of the process; built without, every fault is compiled away, and the
//! `althing` command refuses to be built with it.

/// Whether the fault of that name is switched on.
#[cfg(mutants)]
pub fn is_planted(name: &str) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<String> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("ALTHING_MUTANT").unwrap_or_default()) == name
}

/// Whether the fault of that name is switched on: never, in this build.
#[cfg(not(mutants))]
#[inline(always)]
pub const fn is_planted(_name: &str) -> bool {
    false
}
