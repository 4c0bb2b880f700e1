//! A shorter input that fails in the same way.

use crate::fuzzer::attempt;
use crate::{Failure, Outcomes, Target};

impl Failure {
    /// Leaves out of the input whatever is not needed to fail with a message that begins alike.
    #[must_use]
    pub fn shrunk(self, target: Target) -> Self {
        let stem: String = self.message.chars().take_while(|c| !c.is_ascii_digit()).collect();
        let mut shortest = self;
        let mut piece = shortest.input.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < shortest.input.len() {
                let mut shorter = shortest.input.clone();
                shorter.drain(at..(at + piece).min(shorter.len()));
                match attempt(target, &shorter, &mut Outcomes::default()) {
                    Err(message) if message.starts_with(&stem) => {
                        shortest = Self { input: shorter, message };
                    }
                    _ => at += piece,
                }
            }
            piece /= 2;
        }
        shortest
    }
}
