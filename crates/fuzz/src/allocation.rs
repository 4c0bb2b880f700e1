//! No decoder takes memory that its input does not pay for.

/// Calls `decode` and returns its result.
///
/// # Panics
/// When it had more than `bytes_max` bytes allocated at one time.
pub fn bounded<T>(bytes_max: usize, decode: impl FnOnce() -> T) -> T {
    let mut result = None;
    let measured = allocation_counter::measure(|| result = Some(decode()));
    assert!(
        measured.bytes_max <= bytes_max as u64,
        "{} bytes were in use at one time, over the {bytes_max} allowed",
        measured.bytes_max
    );
    result.expect("it was called")
}
