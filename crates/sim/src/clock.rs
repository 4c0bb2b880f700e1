//! A node's own clock, which jumps and drifts: roles see no other.

use althing_model::Micros;

/// A clock that was right at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// True time when its rate was last changed, and what it showed.
    since: Micros,
    showed: Micros,
    /// Millionths by which it is too fast.
    ppm: i32,
}

/// Where clocks begin: far enough from zero to jump back.
const BEGIN: Micros = 100_000_000_000;

impl Clock {
    pub(crate) fn new() -> Self {
        Self { since: 0, showed: BEGIN, ppm: 0 }
    }

    /// What it shows at a true time.
    pub(crate) fn read(&self, now: Micros) -> Micros {
        let elapsed = (now - self.since) as i64;
        self.showed.saturating_add_signed(elapsed + elapsed * i64::from(self.ppm) / 1_000_000)
    }

    /// The true time, not before `now`, at which it shows `local` or more.
    pub(crate) fn when(&self, local: Micros, now: Micros) -> Micros {
        let missing = local.saturating_sub(self.read(now));
        if missing == 0 {
            return now;
        }
        // Rounded up, so that a timer is due when its wake-up comes.
        now + missing * 1_000_000 / (1_000_000 + i64::from(self.ppm)) as Micros + 1
    }

    pub(crate) fn jump(&mut self, now: Micros, by: i64) {
        *self =
            Self { since: now, showed: self.read(now).saturating_add_signed(by), ppm: self.ppm };
    }

    pub(crate) fn drift(&mut self, now: Micros, ppm: i32) {
        *self = Self { since: now, showed: self.read(now), ppm };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a wake-up would come before its timer is due, and be asked for again without end.
    #[test]
    fn a_timer_is_due_when_its_wake_up_comes() {
        for ppm in [-100_000, -1_000, 0, 7, 100_000] {
            let mut clock = Clock::new();
            clock.drift(1_000, ppm);
            clock.jump(2_000, -50_000);
            for ahead in [0, 1, 10, 999_999, 60_000_000] {
                let local = clock.read(5_000) + ahead;
                let at = clock.when(local, 5_000);
                assert!(clock.read(at) >= local, "{ppm} {ahead}");
                assert!(at <= 5_000 + ahead * 2 + 1);
            }
        }
    }
}
