//! The time at which batches are executed, as the gateway's clock tells it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Stamps of batches: milliseconds since 1970, never going backwards within the process. Per key the
/// store sees to it also between gateways.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    last: AtomicU64,
}

impl Stamps {
    /// The stamp of a batch that is made now.
    pub(crate) fn next(&self) -> u64 {
        self.at(unix_us() / 1000)
    }

    fn at(&self, now_ms: u64) -> u64 {
        now_ms.max(self.last.fetch_max(now_ms, Ordering::Relaxed))
    }
}

/// The time, in microseconds since 1970; 0 before that.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: when the clock is set back, keys that were gone are back.
    #[test]
    fn stamps_never_go_backwards() {
        let stamps = Stamps::default();
        assert_eq!([5, 3, 5, 7, 6].map(|now| stamps.at(now)), [5, 5, 5, 7, 7]);
        assert!(stamps.next() >= 7);
    }
}
