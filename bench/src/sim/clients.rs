//! One client: what it has open, and what it may do next.

use althing_model::Micros;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::VecDeque;

/// A client at the node of its region.
pub(super) struct Client {
    pub(super) region: usize,
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) is_connected: bool,
    /// Its node is down.
    pub(super) is_gone: bool,
    /// By sequence number: the operation of the run.
    pub(super) operations: Vec<u32>,
    /// Of the operations from `answered_below` on, which are answered.
    answered: VecDeque<bool>,
    answered_below: u32,
    /// Answered commands that count for its share of the workload.
    pub(super) counted: u64,
}

/// An operation of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) client: u32,
    pub(super) submitted: Micros,
    pub(super) is_measured: bool,
    pub(super) is_ended: bool,
}

impl Client {
    pub(super) fn new(region: usize, number: usize, seed: u64) -> Self {
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
        Self {
            region,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            is_connected: false,
            is_gone: false,
            operations: Vec::new(),
            answered: VecDeque::new(),
            answered_below: 0,
            counted: 0,
        }
    }

    /// It begins an operation; its sequence number.
    pub(super) fn begin(&mut self, operation: u32) -> u32 {
        self.operations.push(operation);
        self.answered.push_back(false);
        self.operations.len() as u32 - 1
    }

    /// An operation ended.
    pub(super) fn end(&mut self, sequence: u32) {
        let at = sequence.checked_sub(self.answered_below).expect("it ends once");
        self.answered[at as usize] = true;
        while self.answered.front() == Some(&true) {
            self.answered.pop_front();
            self.answered_below += 1;
        }
    }

    /// All its operations below this sequence number ended.
    pub(super) fn acknowledged_below(&self) -> u32 {
        self.answered_below
    }

    /// Its node went away: what is open stays so for ever; how much that is.
    pub(super) fn disconnect(&mut self) -> u64 {
        self.is_connected = false;
        self.is_gone = true;
        self.answered_below = self.operations.len() as u32;
        self.answered.drain(..).filter(|is_answered| !is_answered).count() as u64
    }
}
