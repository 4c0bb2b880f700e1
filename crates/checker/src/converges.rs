//! Converges: after the last fault everything comes to rest, equal, in bounded time and work.
//!
//! *At rest*: every operation has ended, every replica runs, all have executed the same, nothing
//! waits. It must come within a given time after the heal, and within a number of events, so that a
//! storm of time-outs among nodes that have nothing to do is told as one.

use crate::Violation;

/// How long and how much work it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Virtual time from the heal on, in the caller's unit.
    pub time: u64,
    /// Events from the heal on.
    pub events: u64,
}

/// A replica as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its node.
    pub node: u32,
    /// Whether it runs.
    pub is_up: bool,
    /// The digest of its state, and of what it holds as committed.
    pub digest: u128,
    /// Committed and not executed.
    pub pending: usize,
}

/// From the heal on.
#[derive(Debug, Clone)]
pub struct Converges {
    allowed: Allowed,
    time_healed: u64,
    events_healed: u64,
}

impl Converges {
    /// All faults have ended, at that time and after so many events.
    pub fn healed(time: u64, events: u64, allowed: Allowed) -> Self {
        Self { allowed, time_healed: time, events_healed: events }
    }

    /// Whether all is at rest; asked while the run goes on. `unfinished` names what somebody still
    /// works on, and how much of it there is.
    ///
    /// # Errors
    /// Too late, or after too many events.
    pub fn is_at_rest<'a>(
        &self,
        time: u64,
        events: u64,
        replicas: impl IntoIterator<Item = Standing>,
        unfinished: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Result<bool, Violation> {
        let waits = self.waits(replicas, unfinished);
        let Some(why) = waits else { return Ok(true) };
        let (took, work) = (time - self.time_healed, events - self.events_healed);
        let Allowed { time, events } = self.allowed;
        if took <= time && work <= events {
            return Ok(false);
        }
        Err(Violation::new(
            "Converges",
            format!(
                "{took} after the last fault, of {time} allowed, and {work} events, of {events} \
                 allowed: {why}"
            ),
        ))
    }

    /// Nothing will happen any more: then all must be at rest.
    pub fn finish<'a>(
        &self,
        replicas: impl IntoIterator<Item = Standing>,
        unfinished: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Result<(), Violation> {
        match self.waits(replicas, unfinished) {
            None => Ok(()),
            Some(why) => {
                Err(Violation::new("Converges", format!("nothing happens any more, and {why}")))
            }
        }
    }

    /// What it still waits for.
    fn waits<'a>(
        &self,
        replicas: impl IntoIterator<Item = Standing>,
        unfinished: impl IntoIterator<Item = (&'a str, usize)>,
    ) -> Option<String> {
        if let Some((what, len)) = unfinished.into_iter().find(|(_, len)| *len > 0) {
            return Some(format!("there are {len} {what}"));
        }
        let mut first: Option<Standing> = None;
        for replica in replicas {
            let Standing { node, is_up, digest, pending } = replica;
            if !is_up {
                return Some(format!("replica {node} is down"));
            }
            if pending > 0 {
                return Some(format!("replica {node} has {pending} vertices to execute"));
            }
            let first = first.get_or_insert(replica);
            if first.digest != digest {
                return Some(format!(
                    "replica {} has digest {:032x}, replica {node} {digest:032x}",
                    first.node, first.digest
                ));
            }
        }
        first.is_none().then(|| "no replica is there".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(node: u32, digest: u128) -> Standing {
        Standing { node, is_up: true, digest, pending: 0 }
    }

    /// A cluster that stays apart after its faults, waits for ever or spins would pass.
    #[test]
    fn each_way_of_not_coming_to_rest_is_told_when_it_is_too_late() {
        let oracle = Converges::healed(100, 10, Allowed { time: 50, events: 5 });
        let none = || [("operations", 0)];
        let right = [up(1, 7), up(2, 7)];
        assert_eq!(oracle.is_at_rest(500, 500, right, none()), Ok(true));
        let wrong = [
            (vec![up(1, 7), up(2, 8)], 0, "replica 2 0000"),
            (vec![up(1, 7), Standing { pending: 3, ..up(2, 7) }], 0, "3 vertices to execute"),
            (vec![up(1, 7), Standing { is_up: false, ..up(2, 7) }], 0, "replica 2 is down"),
            (vec![up(1, 7), up(2, 7)], 4, "there are 4 operations"),
            (vec![], 0, "no replica"),
        ];
        for (replicas, open, told) in wrong {
            let open = || [("operations", open)];
            let at = |time, events| oracle.is_at_rest(time, events, replicas.clone(), open());
            assert_eq!(at(150, 15), Ok(false));
            for late in [at(151, 15), at(150, 16)] {
                let late = late.unwrap_err().to_string();
                assert!(late.contains(told), "{late}");
            }
            assert!(oracle.finish(replicas.clone(), open()).is_err());
        }
    }
}
