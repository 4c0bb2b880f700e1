//! A set of sequence numbers, kept as ranges.

use std::collections::BTreeMap;

/// A set of sequence numbers: everything below a prefix and disjoint ranges above it. Sequence
/// numbers are mostly dense, so the memory is that of the holes and not of the members.
///
/// ```
/// use althing_model::SeqSet;
/// let mut set = SeqSet::default();
/// assert!(set.insert(0) && set.insert(2) && !set.insert(2));
/// assert_eq!(set.missing(0, 4).collect::<Vec<_>>(), [1, 3]);
/// assert!(set.insert(1));
/// assert_eq!(set.below(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SeqSet {
    below: u64,
    /// Start to end (exclusive); disjoint, not adjacent, all starts above `below`.
    ranges: BTreeMap<u64, u64>,
}

impl SeqSet {
    /// Every number below this is a member; this one is not.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// One above the highest member; 0 for the empty set.
    pub fn end(&self) -> u64 {
        self.ranges.last_key_value().map_or(self.below, |(_, end)| *end)
    }

    /// How many ranges there are above the prefix: what the set costs.
    pub fn fragments(&self) -> usize {
        self.ranges.len()
    }

    /// Whether `seq` is a member.
    pub fn contains(&self, seq: u64) -> bool {
        seq < self.below || self.ranges.range(..=seq).next_back().is_some_and(|(_, end)| seq < *end)
    }

    /// Adds `seq`; false when it was a member already.
    pub fn insert(&mut self, seq: u64) -> bool {
        if self.contains(seq) {
            return false;
        }
        let mut start = seq;
        let mut end = seq + 1;
        if let Some((left, left_end)) = self.ranges.range(..seq).next_back()
            && *left_end == seq
        {
            start = *left;
        }
        if let Some(right_end) = self.ranges.remove(&end) {
            end = right_end;
        }
        if start == self.below {
            self.below = end;
        } else {
            self.ranges.insert(start, end);
        }
        true
    }

    /// Adds the numbers from `from` up to `to` (exclusive); the work is that of the ranges between.
    pub fn insert_range(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        if from <= self.below {
            self.insert_below(to);
            return;
        }
        let mut start = from;
        let mut end = to;
        // Ranges that overlap or touch become one with this.
        while let Some((left, left_end)) =
            self.ranges.range(..=end).next_back().map(|(s, e)| (*s, *e))
            && left_end >= start
        {
            self.ranges.remove(&left);
            start = start.min(left);
            end = end.max(left_end);
        }
        self.ranges.insert(start, end);
    }

    /// Adds every member of `other`.
    pub fn union(&mut self, other: &Self) {
        self.insert_below(other.below);
        for (from, to) in other.ranges() {
            self.insert_range(from, to);
        }
    }

    /// Makes every number below `below` a member.
    pub fn insert_below(&mut self, below: u64) {
        if below <= self.below {
            return;
        }
        self.below = below;
        while let Some((start, end)) = self.ranges.first_key_value().map(|(s, e)| (*s, *e)) {
            if start > self.below {
                break;
            }
            self.ranges.pop_first();
            self.below = self.below.max(end);
        }
    }

    /// Adds the numbers from `start` up to `end` (exclusive), and is false, with nothing added, unless
    /// there are any, all of them above every member and not adjacent to one: a set is copied by its
    /// prefix and its [`Self::ranges`].
    pub fn append(&mut self, start: u64, end: u64) -> bool {
        let is_above = self.end() < start && start < end;
        if is_above {
            self.ranges.insert(start, end);
        }
        is_above
    }

    /// The numbers from `from` up to `to` (exclusive) that are not members, ascending; the work is
    /// that of the ranges between, not of the members.
    pub fn missing(&self, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
        let mut next = from.max(self.below);
        std::iter::from_fn(move || {
            if let Some((_, end)) = self.ranges.range(..=next).next_back()
                && next < *end
            {
                next = *end;
            }
            let seq = (next < to).then_some(next)?;
            next += 1;
            Some(seq)
        })
    }

    /// The numbers below `to` that are not members, descending; the work is that of the ranges between.
    pub fn missing_below(&self, to: u64) -> impl Iterator<Item = u64> + '_ {
        let mut next = to;
        std::iter::from_fn(move || {
            if next > self.below
                && let Some((start, end)) = self.ranges.range(..next).next_back()
                && *end >= next
            {
                next = *start;
            }
            next = next.checked_sub(1).filter(|seq| *seq >= self.below)?;
            Some(next)
        })
    }

    /// How many of the numbers below `to` are not members; the work is that of the ranges below it.
    pub fn missing_len(&self, to: u64) -> u64 {
        let from = self.below.min(to);
        let within = self.ranges.range(..to).map(|(start, end)| (*end).min(to) - start);
        to - from - within.sum::<u64>()
    }

    /// The members from the prefix up, as ranges (start, end exclusive).
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(start, end)| (*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Broken: executed or committed vertices would be forgotten, or invented.
        #[test]
        fn agrees_with_a_plain_set(
            inserts in prop::collection::vec((0u64..40, 0u64..6), 0..80), prefix in 0u64..20,
        ) {
            let mut ours = SeqSet::default();
            let mut plain = BTreeSet::new();
            for (step, (seq, len)) in inserts.iter().enumerate() {
                if step % 4 == 3 {
                    ours.insert_range(*seq, seq + len);
                    plain.extend(*seq..seq + len);
                }
                prop_assert_eq!(ours.insert(*seq), plain.insert(*seq));
                if step == 30 {
                    ours.insert_below(prefix);
                    plain.extend(0..prefix);
                }
            }
            for seq in 0..45 {
                prop_assert_eq!(ours.contains(seq), plain.contains(&seq));
            }
            let missing: Vec<u64> = ours.missing(3, 45).collect();
            let expected: Vec<u64> = (3..45).filter(|seq| !plain.contains(seq)).collect();
            prop_assert_eq!(missing, expected);
            for to in 0..45 {
                let expected = (0..to).filter(|seq| !plain.contains(seq)).count() as u64;
                prop_assert_eq!(ours.missing_len(to), expected);
                let mut descending: Vec<u64> = ours.missing_below(to).collect();
                descending.reverse();
                prop_assert_eq!(descending, ours.missing(0, to).collect::<Vec<_>>());
            }
            prop_assert_eq!(ours.end(), plain.last().map_or(0, |last| last + 1));
            prop_assert!(!ours.contains(ours.below()));
            let mut copy = SeqSet::default();
            copy.insert_below(ours.below());
            for (start, end) in ours.ranges() {
                prop_assert!(copy.append(start, end));
                prop_assert!(!copy.append(start, end + 1) && !copy.append(end, end + 1));
            }
            prop_assert!(!copy.append(50, 50));
            prop_assert_eq!(&copy, &ours);
            let mut other = SeqSet::default();
            other.insert_range(3, 9);
            other.insert(44);
            other.union(&ours);
            plain.extend((3..9).chain([44]));
            let rebuilt = plain.iter().fold(SeqSet::default(), |mut set, seq| {
                set.insert(*seq);
                set
            });
            prop_assert_eq!(other, rebuilt);
        }
    }
}
