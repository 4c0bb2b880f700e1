//! Bounded: every queue, map and buffer is at most its limit.
//!
//! What has a limit is what a role says has one: a name, a length, the limit. A node is asked after
//! each of its own steps only, since nobody else can fill its queues. What grows with the history of
//! the cluster by design (logs, the conflict index, registers) has no limit before there is
//! pruning, and is not told here.

use crate::Violation;

/// The length of something, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What it is.
    pub name: &'static str,
    /// How much is in it.
    pub len: usize,
    /// How much may be.
    pub len_max: usize,
}

/// No queue, map or buffer is longer than its limit.
#[derive(Debug, Default)]
pub struct Bounded {
    /// How often each was seen at its limit. There are few.
    full: Vec<(&'static str, u64)>,
}

impl Bounded {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node's lengths after a step of its own.
    pub fn stepped(
        &mut self,
        node: u32,
        sizes: impl IntoIterator<Item = Size>,
    ) -> Result<(), Violation> {
        for Size { name, len, len_max } in sizes {
            if len < len_max || len == 0 {
                continue;
            }
            if len > len_max {
                let account = format!("node {node} holds {len} of {name}, at most {len_max} fit");
                return Err(Violation::new("Bounded", account));
            }
            match self.full.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => self.full.push((name, 1)),
            }
        }
        Ok(())
    }

    /// How often it was seen full: a limit that was never reached was not tested.
    pub fn full(&self, name: &'static str) -> u64 {
        self.full.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue without bound, which ends a node under load, would pass.
    #[test]
    fn one_more_than_fits_is_told() {
        let mut oracle = Bounded::new();
        let size = |len| [Size { name: "queued commands", len, len_max: 2 }];
        oracle.stepped(1, size(1)).unwrap();
        assert_eq!(oracle.full("queued commands"), 0);
        oracle.stepped(1, size(2)).unwrap();
        assert_eq!(oracle.full("queued commands"), 1);
        let told = oracle.stepped(1, size(3)).unwrap_err().to_string();
        assert!(told.contains("node 1 holds 3 of queued commands, at most 2"), "{told}");
        // Each is held against its own limit.
        let two = [size(1), [Size { name: "in flight", len: 5, len_max: 4 }]].concat();
        assert!(oracle.stepped(1, two).is_err());
    }
}
