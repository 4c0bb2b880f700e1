//! The timer that wakes the relay's thread.
//!
//! A descriptor among those that the thread waits for, since the timeout of the wait itself is in
//! milliseconds on older kernels, and rounded to them by libraries for their sake.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Readable from the instant that it was last set to.
pub(crate) struct Alarm {
    timer: OwnedFd,
    set_to: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new() -> rustix::io::Result<Alarm> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Alarm { timer, set_to: None })
    }

    /// Sets it to an instant, or to none. One in the past makes it readable at once.
    pub(crate) fn set(&mut self, at: Option<Instant>) -> rustix::io::Result<()> {
        if self.set_to == at {
            // Due later, or readable still.
            return Ok(());
        }
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = at.map_or(zero, |at| {
            let wait = at.saturating_duration_since(Instant::now());
            // Zero would switch it off.
            let wait = wait.max(Duration::from_nanos(1));
            Timespec::try_from(wait).expect("a delay fits a timespec")
        });
        let value = Itimerspec { it_interval: zero, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
        self.set_to = at;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn wait(alarm: &Alarm, timeout: Duration) -> bool {
        let timeout = Timespec::try_from(timeout).unwrap();
        poll(&mut [PollFd::new(alarm, PollFlags::IN)], Some(&timeout)).unwrap() == 1
    }

    #[test]
    fn it_rings_when_it_is_time_and_until_it_is_set_anew() {
        // Broken if the thread slept over a datagram, or woke for ever for one long sent.
        let long = Duration::from_secs(20);
        let mut alarm = Alarm::new().unwrap();
        assert!(!wait(&alarm, Duration::ZERO));

        let at = Instant::now() + Duration::from_millis(5);
        alarm.set(Some(at)).unwrap();
        assert!(wait(&alarm, long) && Instant::now() >= at);
        alarm.set(Some(at)).unwrap();
        assert!(wait(&alarm, Duration::ZERO));

        alarm.set(Some(Instant::now() + long)).unwrap();
        assert!(!wait(&alarm, Duration::ZERO));
        alarm.set(Some(at)).unwrap();
        assert!(wait(&alarm, long));
        alarm.set(None).unwrap();
        assert!(!wait(&alarm, Duration::ZERO));
    }
}
