//! A law broken, as small as it could be made.

use crate::laws::{Law, Outcome};
use crate::show::letter;
use bytes::Bytes;
use std::fmt;

/// Commands that break a law, made as small as shrinking could, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Text(self))]
#[non_exhaustive]
pub struct Counterexample {
    /// The law.
    pub law: Law,
    /// What was found, in a sentence.
    pub finding: String,
    /// The commands that make the state: executed first, in this order, by a fresh machine.
    pub before: Vec<Shown>,
    /// Those at fault; [`Self::finding`] calls the first a, the second b, and so on.
    pub commands: Vec<Shown>,
    /// What came of them, in each order or on each machine that was tried.
    pub outcomes: Vec<Outcome>,
    /// The case in which it was found, counted from 1.
    pub case: u32,
    /// How often it was tried to make it smaller.
    pub shrink_attempts: u32,
    /// The seed of the audit: the same seed finds the same.
    pub seed: u64,
    /// How replies are written.
    pub(crate) replies_shown: Vec<Vec<String>>,
}

/// A command as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As it is written for debugging.
    pub command: String,
    /// What the conflict function says of it.
    pub footprint: String,
    /// What the state machine is given.
    pub payload: Bytes,
}

/// The whole account.
struct Text<'a>(&'a Counterexample);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0;
        writeln!(f, "broken: {}", found.law)?;
        writeln!(f, "  {}", found.finding)?;
        writeln!(
            f,
            "  found in case {} of seed {}, tried to be made smaller {} times",
            found.case, found.seed, found.shrink_attempts
        )?;
        if !found.before.is_empty() {
            writeln!(f, "in the state that these make:")?;
            for (number, shown) in found.before.iter().enumerate() {
                writeln!(f, "  {}. {}", number + 1, shown.command)?;
            }
        } else if !found.commands.is_empty() {
            writeln!(f, "in a fresh machine:")?;
        }
        for (number, shown) in found.commands.iter().enumerate() {
            writeln!(f, "  {} = {}", letter(number), shown.command)?;
            writeln!(f, "      touches: {}", shown.footprint)?;
        }
        for (outcome, replies) in found.outcomes.iter().zip(&found.replies_shown) {
            write!(f, "  {}:", outcome.way)?;
            for (number, reply) in replies.iter().enumerate() {
                write!(f, " {} -> {reply},", letter(number))?;
            }
            match outcome.digest {
                Some(digest) => writeln!(f, " digest {digest:016x}")?,
                None => writeln!(f)?,
            }
        }
        let mut column = LINE_LEN_MAX;
        write!(f, "what to do:")?;
        for word in found.law.advice().split(' ') {
            if column + 1 + word.len() > LINE_LEN_MAX {
                write!(f, "\n ")?;
                column = 1;
            }
            write!(f, " {word}")?;
            column += 1 + word.len();
        }
        Ok(())
    }
}

/// Columns of the advice.
const LINE_LEN_MAX: usize = 96;
