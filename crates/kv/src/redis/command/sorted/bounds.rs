//! Ranges of scores and of members, as arguments say them.

use super::super::super::RedisError;
use crate::collection::{Blob, Score, SortedSet};

/// A bound: the value, and whether it is in the range itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit<T> {
    value: T,
    is_inside: bool,
}

/// A range of scores.
pub(super) struct ScoreRange {
    min: Limit<Score>,
    max: Limit<Score>,
}

impl ScoreRange {
    pub(super) fn read(min: &[u8], max: &[u8]) -> Result<Self, RedisError> {
        let limit = |arg| score_limit(arg).ok_or(RedisError::text("ERR min or max is not a float"));
        Ok(Self { min: limit(min)?, max: limit(max)? })
    }

    fn is_above(&self, score: Score) -> bool {
        score > self.max.value || (score == self.max.value && !self.max.is_inside)
    }

    fn is_below(&self, score: Score) -> bool {
        score < self.min.value || (score == self.min.value && !self.min.is_inside)
    }

    /// What is in the range, ascending.
    pub(super) fn of<'a>(&self, sorted: &'a SortedSet) -> impl Iterator<Item = (&'a Blob, Score)> {
        sorted
            .at_least(self.min.value)
            .skip_while(|(_, score)| self.is_below(*score))
            .take_while(|(_, score)| !self.is_above(*score))
    }

    /// What is in the range, descending.
    pub(super) fn of_reversed<'a>(
        &self,
        sorted: &'a SortedSet,
    ) -> impl Iterator<Item = (&'a Blob, Score)> {
        sorted
            .at_most(self.max.value)
            .skip_while(|(_, score)| self.is_above(*score))
            .take_while(|(_, score)| !self.is_below(*score))
    }
}

/// As C's `strtod`, without hexadecimal numbers: what is over the range is infinite, and what is empty
/// is 0.
fn score_limit(arg: &[u8]) -> Option<Limit<Score>> {
    let (is_inside, text) = match arg {
        [b'(', rest @ ..] => (false, rest),
        rest => (true, rest),
    };
    let text = std::str::from_utf8(text).ok()?;
    let trimmed = text.trim_start_matches(|c: char| matches!(c, ' ' | '\t'..='\r'));
    let value = match trimmed {
        "" if text.is_empty() => 0.0,
        number => number.parse().ok()?,
    };
    Some(Limit { value: Score::new(value)?, is_inside })
}

/// A range of members, in a sorted set whose scores are all equal; in another it is what Redis' small
/// sorted sets answer: from the first member that is in it as far as they go on being.
pub(super) struct LexRange<'a> {
    min: LexLimit<'a>,
    max: LexLimit<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum LexLimit<'a> {
    Lowest,
    At(Limit<&'a [u8]>),
    Highest,
}

impl<'a> LexRange<'a> {
    pub(super) fn read(min: &'a [u8], max: &'a [u8]) -> Result<Self, RedisError> {
        let limit = |arg: &'a [u8]| match arg {
            b"-" => Ok(LexLimit::Lowest),
            b"+" => Ok(LexLimit::Highest),
            [b'(', value @ ..] => Ok(LexLimit::At(Limit { value, is_inside: false })),
            [b'[', value @ ..] => Ok(LexLimit::At(Limit { value, is_inside: true })),
            _ => Err(RedisError::text("ERR min or max not valid string range item")),
        };
        Ok(Self { min: limit(min)?, max: limit(max)? })
    }

    fn is_above_min(&self, member: &[u8]) -> bool {
        match self.min {
            LexLimit::Lowest => true,
            LexLimit::At(min) => member > min.value || (min.is_inside && member == min.value),
            LexLimit::Highest => false,
        }
    }

    fn is_below_max(&self, member: &[u8]) -> bool {
        match self.max {
            LexLimit::Lowest => false,
            LexLimit::At(max) => member < max.value || (max.is_inside && member == max.value),
            LexLimit::Highest => true,
        }
    }

    /// Whether anything can be in it, by the first and the last member alone.
    fn is_possible(&self, sorted: &SortedSet) -> bool {
        let first = sorted.iter().next();
        let last = sorted.iter().next_back();
        first.is_some_and(|(member, _)| self.is_below_max(member))
            && last.is_some_and(|(member, _)| self.is_above_min(member))
            && match (self.min, self.max) {
                (LexLimit::Highest, _) | (_, LexLimit::Lowest) => false,
                (LexLimit::At(min), LexLimit::At(max)) => {
                    min.value < max.value
                        || (min.value == max.value && min.is_inside && max.is_inside)
                }
                _ => true,
            }
    }

    /// What is in the range, ascending.
    pub(super) fn of<'s>(&self, sorted: &'s SortedSet) -> impl Iterator<Item = (&'s Blob, Score)> {
        let from = match self.min {
            LexLimit::At(min) => min.value,
            _ => &[],
        };
        let members = self.is_possible(sorted).then(|| sorted.starting_at(from));
        members
            .into_iter()
            .flatten()
            .skip_while(|(member, _)| !self.is_above_min(member))
            .take_while(|(member, _)| self.is_below_max(member))
    }

    /// What is in the range, descending.
    pub(super) fn of_reversed<'s>(
        &self,
        sorted: &'s SortedSet,
    ) -> impl Iterator<Item = (&'s Blob, Score)> {
        let members = self.is_possible(sorted).then(|| sorted.iter().rev());
        members
            .into_iter()
            .flatten()
            .skip_while(|(member, _)| !self.is_below_max(member))
            .take_while(|(member, _)| self.is_above_min(member))
    }
}
