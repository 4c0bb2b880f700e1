//! A case executed in one order, and what must hold of any such execution.

use super::{Law, Outcome, Violation};
use crate::script::Script;
use crate::subject::Subject;
use bytes::Bytes;

/// What came of executing the commands of a case in some order.
#[derive(Clone)]
pub(super) struct Run {
    /// By command.
    pub(super) replies: Vec<Bytes>,
    /// Before the first, after the first, and so on.
    pub(super) digests: Vec<u64>,
}

impl Run {
    /// In a fresh machine.
    pub(super) fn new(subject: &Subject, script: &Script, order: &[usize]) -> Self {
        let mut machine = subject.prepared(&script.setup);
        let mut replies = vec![Bytes::new(); script.commands.len()];
        let mut digests = vec![machine.digest()];
        for command in order {
            replies[*command] = machine.apply(&script.commands[*command]);
            digests.push(machine.digest());
        }
        Self { replies, digests }
    }

    /// Whether this run and another agree on the first `len` commands of an order, which both
    /// executed in that order.
    pub(super) fn agrees(
        &self,
        other: &Self,
        order: &[usize],
        len: usize,
    ) -> Result<(), Violation> {
        for at in 0..=len {
            let command = at.checked_sub(1).map(|before| order[before]);
            let replies = command.map(|it| (&self.replies[it], &other.replies[it]));
            let is_same = self.digests[at] == other.digests[at]
                && replies.is_none_or(|(reply, again)| reply == again);
            if !is_same {
                let outcome = |way: &str, run: &Self| Outcome {
                    way: way.to_owned(),
                    replies: command.iter().map(|it| Some(run.replies[*it].clone())).collect(),
                    digest: Some(run.digests[at]),
                };
                let finding = match replies {
                    Some((reply, again)) if reply != again => {
                        "two fresh machines executed the same commands in the same order, and \
                         answered differently"
                    }
                    Some(_) => {
                        "two fresh machines executed the same commands in the same order, and their \
                         digests differ"
                    }
                    None => "two fresh machines differ before the first command",
                };
                return Err(Violation {
                    law: Law::Deterministic,
                    finding: finding.to_owned(),
                    before: order[..at.saturating_sub(1)].to_vec(),
                    commands: command.into_iter().collect(),
                    outcomes: vec![outcome("first", self), outcome("second", other)],
                });
            }
        }
        Ok(())
    }
}
