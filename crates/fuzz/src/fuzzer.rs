//! The driver: makes inputs, runs them, keeps what led to something new.

use crate::mutation::mutate;
use crate::{Outcomes, Target};
use arbitrary::Unstructured;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Fuzzes one target. The same seed, on the same corpus, makes the same inputs.
#[derive(Debug)]
pub struct Fuzzer {
    target: Target,
    rng: ChaCha8Rng,
    kept: Vec<Vec<u8>>,
    outcomes: Outcomes,
    executions: u64,
}

/// An input for which a target's property does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// What the panic said.
    pub message: String,
}

impl Fuzzer {
    /// A fuzzer that begins with these inputs.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn new(target: Target, seed: u64, corpus: &[Vec<u8>]) -> Result<Self, Failure> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let outcomes = Outcomes::default();
        let mut fuzzer = Self { target, rng, kept: Vec::new(), outcomes, executions: 0 };
        for input in corpus {
            fuzzer.run(input.clone())?;
        }
        Ok(fuzzer)
    }

    /// Makes an input and runs it.
    ///
    /// # Errors
    /// When the property does not hold for it.
    pub fn step(&mut self) -> Result<(), Failure> {
        let input = self.next_input();
        self.run(input)
    }

    /// Inputs run so far.
    pub fn executions(&self) -> u64 {
        self.executions
    }

    /// What they led to.
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// The inputs that led to something new when they were run, in that order.
    pub fn kept(&self) -> &[Vec<u8>] {
        &self.kept
    }

    fn run(&mut self, input: Vec<u8>) -> Result<(), Failure> {
        self.executions += 1;
        if let Err(message) = attempt(self.target, &input, &mut self.outcomes) {
            return Err(Failure { input, message });
        }
        if self.outcomes.take_fresh() {
            self.kept.push(input);
        }
        Ok(())
    }

    fn next_input(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..8u32) {
            0 => self.noise(),
            1 | 2 => {
                let noise = self.noise();
                let made = (self.target.generate)(&mut Unstructured::new(&noise));
                let mut made = made.unwrap_or(noise);
                made.truncate(self.target.len_max);
                made
            }
            _ if self.kept.is_empty() => self.noise(),
            _ => {
                let mut input = self.kept[self.rng.random_range(0..self.kept.len())].clone();
                let other = &self.kept[self.rng.random_range(0..self.kept.len())];
                mutate(&mut input, other, self.target.words, self.target.len_max, &mut self.rng);
                input
            }
        }
    }

    /// Bytes of any length, short ones more often.
    fn noise(&mut self) -> Vec<u8> {
        let magnitude = self.rng.random_range(2..12u32);
        let len = self.rng.random_range(0..1usize << magnitude);
        (0..len.min(self.target.len_max)).map(|_| self.rng.random()).collect()
    }
}

/// Runs one input; what the panic said, if it panicked.
pub(crate) fn attempt(target: Target, input: &[u8], outcomes: &mut Outcomes) -> Result<(), String> {
    // Of what a panic leaves behind, only the set of outcomes is looked at again.
    catch_unwind(AssertUnwindSafe(|| (target.run)(input, outcomes))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
    })
}
