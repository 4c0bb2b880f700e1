//! Members with scores.

use super::Blob;
use crate::digest;
use imbl::{OrdMap, OrdSet};
use std::cmp::Ordering;
use std::ops::Bound;

/// Members, each with a score; ascending by score, and by member where scores are equal. Finding a
/// member's rank, or the member of a rank, takes time in the rank or in its distance from the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct SortedSet {
    scores: OrdMap<Blob, Score>,
    order: OrdSet<(Score, Blob)>,
    digest: u64,
}

/// A score: any number but NaN; there is one 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score(f64);

impl Score {
    /// `None` where it is not a number.
    pub(crate) fn new(score: f64) -> Option<Self> {
        // -0 and 0 make 0.
        (!score.is_nan()).then_some(Self(score + 0.0))
    }

    pub(crate) fn value(self) -> f64 {
        self.0
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).expect("a score is no NaN")
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

fn hash(member: &[u8], score: Score) -> u64 {
    digest::hash(member, &score.0.to_bits().to_le_bytes())
}

impl SortedSet {
    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<Score> {
        self.scores.get(member).copied()
    }

    /// Ascending by score and member.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Blob, Score)> {
        self.order.iter().map(|(score, member)| (member, *score))
    }

    /// Those with at least this score, and no higher one than that.
    pub(crate) fn from_score(&self, from: Score) -> impl Iterator<Item = (&Blob, Score)> {
        // No member is before the empty one.
        let from = Bound::Included((from, Blob::from([])));
        self.order.range((from, Bound::Unbounded)).map(|(score, member)| (member, *score))
    }

    /// Those with at most this score, descending.
    pub(crate) fn to_score(&self, to: Score) -> impl Iterator<Item = (&Blob, Score)> {
        // The first place above all members of that score.
        let to = match to.0.next_up() {
            above if to.0.is_finite() || above.is_finite() => {
                Bound::Excluded((Score(above), Blob::from([])))
            }
            _ => Bound::Unbounded,
        };
        let range = self.order.range((Bound::Unbounded, to)).rev();
        range.map(|(score, member)| (member, *score))
    }

    /// From the first member that is not below this one, where all scores are equal; all members
    /// otherwise. Ascending by score and member.
    pub(crate) fn from_member(&self, from: &[u8]) -> impl Iterator<Item = (&Blob, Score)> {
        let first = self.order.get_min().map(|(score, _)| *score);
        let last = self.order.get_max().map(|(score, _)| *score);
        let from = match first.filter(|_| first == last) {
            None => Bound::Unbounded,
            Some(score) => Bound::Included((score, Blob::from(from))),
        };
        self.order.range((from, Bound::Unbounded)).map(|(score, member)| (member, *score))
    }

    /// Those after this score and member, or all.
    pub(crate) fn after_score(
        &self,
        last: Option<(Score, Blob)>,
    ) -> impl Iterator<Item = (&Blob, Score)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).map(|(score, member)| (member, *score))
    }

    /// The members after this one, or all, ascending by member.
    pub(crate) fn after(&self, member: Option<&[u8]>) -> impl Iterator<Item = (&Blob, Score)> {
        let members = self.scores.range::<_, [u8]>(super::after(member));
        members.map(|(member, score)| (member, *score))
    }

    /// Sets the member's score; whether it is new.
    pub(crate) fn set(&mut self, member: &[u8], score: Score) -> bool {
        let is_new = !self.remove(member);
        let member = Blob::from(member);
        self.digest = self.digest.wrapping_add(hash(&member, score));
        self.scores.insert(member.clone(), score);
        self.order.insert((score, member));
        is_new
    }

    /// Whether there was one to remove.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let Some((member, score)) = self.scores.remove_with_key(member) else { return false };
        self.digest = self.digest.wrapping_sub(hash(&member, score));
        self.order.remove(&(score, member));
        true
    }
}
