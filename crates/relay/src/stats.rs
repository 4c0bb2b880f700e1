//! What became of the datagrams, and how late they were.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::config::Direction;

/// What a relay has done since it started, or since its statistics were last cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStats {
    /// Link by link, in the order of the configuration.
    pub links: Vec<LinkStats>,
    /// How late datagrams were on all links.
    pub delay_error: DelayError,
    /// Whether the relay's thread runs before others; see [`Config::real_time`](crate::Config).
    pub real_time: bool,
}

/// What one link has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStats {
    /// Who dials.
    pub from: String,
    /// Who is dialled.
    pub to: String,
    /// From clients to the target.
    pub there: PathStats,
    /// From the target to clients.
    pub back: PathStats,
    /// Clients that have an upstream socket now.
    pub clients: usize,
    /// How late datagrams were, both directions together.
    pub delay_error: DelayError,
}

/// What became of the datagrams of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathStats {
    /// Sent on.
    pub forwarded: u64,
    /// Lost by chance, as configured.
    pub dropped_loss: u64,
    /// Lost to a cut.
    pub dropped_cut: u64,
    /// Dropped at a limit of the relay or the system: the queue, the clients, a socket's buffer.
    /// Above 0, the run measured the relay too.
    pub dropped_overflow: u64,
}

/// How much later than due datagrams were handed to the kernel, in microseconds (never earlier).
///
/// A datagram counts from when the relay reads it: the time that it waited in the kernel before, for
/// the relay's thread to get a core, comes on top and is not in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DelayError {
    /// How many were sent.
    pub count: u64,
    /// Half of them were at most this late, to two digits.
    pub p50_us: u64,
    /// 99 of 100 were at most this late, to two digits.
    pub p99_us: u64,
    /// The latest, to two digits.
    pub max_us: u64,
}

/// Counts for one link.
#[derive(Debug)]
pub(crate) struct Meter {
    paths: [PathStats; 2],
    late_us: Histogram<u64>,
    clients: usize,
}

/// Lateness beyond this is recorded as this: a minute, in microseconds.
const LATE_US_MAX: u64 = 60_000_000;

impl Meter {
    pub(crate) fn new() -> Meter {
        Meter { paths: [PathStats::default(); 2], late_us: new_histogram(), clients: 0 }
    }

    pub(crate) fn on_forwarded(&mut self, direction: Direction, late: Duration) {
        self.paths[direction.index()].forwarded += 1;
        self.late_us.saturating_record(late.as_micros().try_into().unwrap_or(LATE_US_MAX));
    }

    pub(crate) fn on_loss(&mut self, direction: Direction) {
        self.paths[direction.index()].dropped_loss += 1;
    }

    pub(crate) fn on_cut(&mut self, direction: Direction) {
        self.paths[direction.index()].dropped_cut += 1;
    }

    pub(crate) fn on_overflow(&mut self, direction: Direction) {
        self.paths[direction.index()].dropped_overflow += 1;
    }

    pub(crate) fn set_clients(&mut self, clients: usize) {
        self.clients = clients;
    }

    /// Forgets what was counted; clients are not counted but there.
    pub(crate) fn clear(&mut self) {
        self.paths = [PathStats::default(); 2];
        self.late_us.reset();
    }

    pub(crate) fn stats(&self, from: &str, to: &str) -> LinkStats {
        LinkStats {
            from: from.to_owned(),
            to: to.to_owned(),
            there: self.paths[Direction::There.index()],
            back: self.paths[Direction::Back.index()],
            clients: self.clients,
            delay_error: delay_error(&self.late_us),
        }
    }

    /// Adds this link's lateness to the sum of several.
    pub(crate) fn add_to(&self, sum: &mut LatenessSum) {
        sum.0.add(&self.late_us).expect("all histograms have the same bounds");
    }
}

/// The lateness of several links together.
pub(crate) struct LatenessSum(Histogram<u64>);

impl LatenessSum {
    pub(crate) fn new() -> LatenessSum {
        LatenessSum(new_histogram())
    }

    pub(crate) fn delay_error(&self) -> DelayError {
        delay_error(&self.0)
    }
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATE_US_MAX, 2).expect("the bounds are valid")
}

fn delay_error(late_us: &Histogram<u64>) -> DelayError {
    DelayError {
        count: late_us.len(),
        p50_us: late_us.value_at_quantile(0.5),
        p99_us: late_us.value_at_quantile(0.99),
        max_us: late_us.max(),
    }
}
