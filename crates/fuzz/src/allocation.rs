//! No decoder takes memory that its input does not pay for.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Calls `decode` and returns its result.
///
/// # Panics
/// When `decode` does, or had more than `bytes_max` bytes allocated at one time.
pub fn bounded<T>(bytes_max: usize, decode: impl FnOnce() -> T) -> T {
    let mut result = None;
    // A panic that went through the counter would leave it counting for the next caller.
    let caught = || result = Some(catch_unwind(AssertUnwindSafe(decode)));
    let measured = allocation_counter::measure(caught);
    let result = result.expect("it was called").unwrap_or_else(|panic| resume_unwind(panic));
    assert!(
        measured.bytes_max <= bytes_max as u64,
        "{} bytes were in use at one time, over the {bytes_max} allowed",
        measured.bytes_max
    );
    result
}
