//! Heartbeats: that a peer is there, and how far away.
//!
//! Each side of a link sends one every interval, with its own clock's reading, the newest reading
//! that it has of the other side, and how long it has kept that one. A round trip is then the time
//! since a reading was sent, less the time that the other side kept it; no clocks are compared.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::time::Duration;

/// The length of a heartbeat's body.
pub(crate) const HEARTBEAT_LEN: u32 = 24;

/// One heartbeat; times in nanoseconds of the sender's and, for the echo, the receiver's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The sender's clock when it was sent.
    pub(crate) sent: u64,
    /// The newest reading had from the receiver; 0 before the first.
    pub(crate) echo: u64,
    /// How long the sender kept that reading.
    pub(crate) kept: u64,
}

impl Heartbeat {
    pub(crate) fn encode(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEARTBEAT_LEN as usize);
        bytes.put_u64(self.sent);
        bytes.put_u64(self.echo);
        bytes.put_u64(self.kept);
        bytes.freeze()
    }

    pub(crate) fn decode(mut body: Bytes) -> Option<Self> {
        if body.len() != HEARTBEAT_LEN as usize {
            return None;
        }
        Some(Self { sent: body.get_u64(), echo: body.get_u64(), kept: body.get_u64() })
    }
}

/// What heartbeats tell about a link.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The peer's newest reading and when it came.
    heard: Option<(u64, u64)>,
    round_trip: Option<Duration>,
    samples: Samples,
}

impl Pulse {
    /// The heartbeat to send now; `now` counts from the clock's start.
    pub(crate) fn beat(&self, now: u64) -> Heartbeat {
        match self.heard {
            Some((reading, at)) => {
                Heartbeat { sent: now, echo: reading, kept: now.saturating_sub(at) }
            }
            None => Heartbeat { sent: now, echo: 0, kept: 0 },
        }
    }

    /// Takes a heartbeat of the peer. A reading that we cannot have sent, or that was kept longer
    /// than it has been away, is passed over.
    pub(crate) fn heard(&mut self, now: u64, beat: Heartbeat) {
        self.heard = Some((beat.sent, now));
        if beat.echo == 0 {
            return;
        }
        let away = now.checked_sub(beat.echo).and_then(|away| away.checked_sub(beat.kept));
        if let Some(sample) = away.map(Duration::from_nanos) {
            self.samples.add(sample);
            // Smoothed as TCP smooths it (RFC 6298): a new sample counts one eighth.
            self.round_trip = Some(match self.round_trip {
                Some(smoothed) => (smoothed * 7 + sample) / 8,
                None => sample,
            });
        }
    }

    /// The smoothed round trip, once there is a sample.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// All round trips of the connection, once there is one.
    pub(crate) fn round_trips(&self) -> Option<RoundTrips> {
        self.samples.round_trips()
    }
}

/// The round trips of a connection's heartbeats, both ends' queues included: what `ping` says of
/// echoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTrips {
    /// How many were measured.
    pub count: u64,
    /// The shortest.
    pub min: Duration,
    /// Their mean.
    pub avg: Duration,
    /// The longest.
    pub max: Duration,
    /// Their standard deviation, which `ping` prints as `mdev`.
    pub mdev: Duration,
}

/// Their sums, by Welford's method, which does not lose the small in the large.
#[derive(Debug, Clone, Copy, Default)]
struct Samples {
    count: u64,
    min: Duration,
    max: Duration,
    mean_ns: f64,
    /// The sum of the squares of the differences from the mean.
    squares: f64,
}

impl Samples {
    fn add(&mut self, sample: Duration) {
        self.count += 1;
        self.min = if self.count == 1 { sample } else { self.min.min(sample) };
        self.max = self.max.max(sample);
        let ns = sample.as_nanos() as f64;
        let difference = ns - self.mean_ns;
        self.mean_ns += difference / self.count as f64;
        self.squares += difference * (ns - self.mean_ns);
    }

    fn round_trips(&self) -> Option<RoundTrips> {
        let Self { count, min, max, mean_ns, squares } = *self;
        let rounded = |ns: f64| Duration::from_nanos(ns.round() as u64);
        (count > 0).then(|| RoundTrips {
            count,
            min,
            avg: rounded(mean_ns),
            max,
            mdev: rounded((squares / count as f64).sqrt()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: round trips are wrong, count the peer's waiting time, or believe a nonsense echo.
    #[test]
    fn round_trips_leave_out_the_waiting() {
        let (mut near, mut far) = (Pulse::default(), Pulse::default());
        // Two clocks 5 s apart, 30 ms each way, and the far side waits 70 ms before it beats.
        let ms = |ms: u64| ms * 1_000_000;
        let far_clock = |now: u64| now + ms(5_000);
        let first = near.beat(ms(1_000));
        far.heard(far_clock(ms(1_030)), first);
        let answer = far.beat(far_clock(ms(1_100)));
        near.heard(ms(1_130), answer);
        assert_eq!(near.round_trip(), Some(Duration::from_millis(60)));
        assert_eq!(far.round_trip(), None);

        near.heard(ms(1_200), Heartbeat { sent: 1, echo: ms(9_000), kept: 0 });
        near.heard(ms(1_200), Heartbeat { sent: 1, echo: 1, kept: u64::MAX });
        assert_eq!(near.round_trip(), Some(Duration::from_millis(60)), "nonsense was believed");
    }

    /// Broken: a table of measured round trips says something else than what was measured.
    #[test]
    fn round_trips_are_summed_up_as_ping_does() {
        let mut pulse = Pulse::default();
        assert_eq!(pulse.round_trips(), None);
        // Echoes that are 2, 4, 4, 4, 5, 5, 7 and 9 ms old: the mean is 5, the deviation 2.
        let ms = |ms: u64| ms * 1_000_000;
        for away in [2, 4, 4, 4, 5, 5, 7, 9] {
            pulse.heard(ms(1_000), Heartbeat { sent: 1, echo: ms(1_000 - away), kept: 0 });
        }
        let [min, avg, max, mdev] = [2, 5, 9, 2].map(Duration::from_millis);
        assert_eq!(pulse.round_trips(), Some(RoundTrips { count: 8, min, avg, max, mdev }));
    }

    /// Broken: heartbeats of two builds of one version do not understand each other.
    #[test]
    fn golden_bytes() {
        let beat = Heartbeat { sent: 1, echo: 2, kept: 3 };
        assert_eq!(
            beat.encode(),
            Bytes::from_static(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03")
        );
        assert_eq!(Heartbeat::decode(beat.encode()), Some(beat));
        assert_eq!(Heartbeat::decode(Bytes::from_static(b"short")), None);
    }
}
