//! What an acceptor remembers of one vertex.

use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Ballot, VertexId};
use althing_wire::Vote;

/// The highest ballot promised and the highest voted in, which may differ. Kept as one variable, a
/// recovery adopts a stale value (Sutra, *On the correctness of Egalitarian Paxos*).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Register {
    promised: Ballot,
    vote: Option<Vote>,
}

impl Register {
    /// Nothing promised but to take part in round 0, no vote.
    pub fn new(vertex: VertexId) -> Self {
        Self { promised: Ballot::fast(vertex), vote: None }
    }

    /// As it was written down in one record.
    pub fn kept(promised: Ballot, vote: Option<Vote>) -> Self {
        Self { promised, vote }
    }

    /// The promise to write down again after a prune.
    pub fn to_rewrite(&self, vertex: VertexId) -> Ballot {
        if is_planted(Mutant::PromiseNotRewritten) {
            return self.vote.as_ref().map_or(Ballot::fast(vertex), |vote| vote.ballot);
        }
        self.promised
    }

    /// The highest ballot promised; a vote promises its ballot too.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// The vote in the highest ballot voted in.
    pub fn vote(&self) -> Option<&Vote> {
        self.vote.as_ref()
    }

    /// Promises `ballot`; it may have been promised before, by a repeated request.
    ///
    /// # Errors
    /// The ballot promised, if it is higher.
    pub fn promise(&mut self, ballot: Ballot) -> Result<(), Ballot> {
        if self.promised > ballot {
            return Err(self.promised);
        }
        self.promised = ballot;
        if is_planted(Mutant::OneBallot)
            && let Some(vote) = &mut self.vote
        {
            vote.ballot = ballot;
        }
        Ok(())
    }

    /// Votes.
    ///
    /// # Errors
    /// The ballot promised, if it is higher than the vote's.
    pub fn cast(&mut self, vote: Vote) -> Result<(), Ballot> {
        let is_blind = match vote.ballot.round {
            0 => is_planted(Mutant::VoteAfterPromise),
            _ => is_planted(Mutant::VoteBelowPromise),
        };
        if self.promised > vote.ballot && !is_blind {
            return Err(self.promised);
        }
        if let Some(earlier) = &self.vote {
            assert!(
                earlier.ballot < vote.ballot || earlier.value == vote.value,
                "two values in {:?}: {earlier:?} and {vote:?}",
                vote.ballot
            );
        }
        if !is_planted(Mutant::VoteIsNoPromise) {
            self.promised = self.promised.max(vote.ballot);
        }
        self.vote = Some(vote);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Commands, DepSet, Epoch, NodeId, Value};

    fn vertex() -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: 0 }
    }

    fn ballot(round: u32) -> Ballot {
        Ballot { round, proposer: NodeId(2) }
    }

    fn vote(round: u32) -> Vote {
        let value = Value { commands: Commands::Noop, deps: DepSet::default() };
        Vote { ballot: ballot(round), value, fast: None }
    }

    /// Broken: a vote would be reported under a ballot in which it was never cast (trap T4).
    #[test]
    fn t4_a_promise_leaves_the_vote_s_ballot_alone() {
        let mut register = Register::new(vertex());
        register.cast(vote(2)).unwrap();
        register.promise(ballot(5)).unwrap();
        assert_eq!(register.vote().unwrap().ballot, ballot(2));
        assert_eq!(register.promised(), ballot(5));
    }

    /// Broken: a lower ballot could still gather votes after a recovery asked.
    #[test]
    fn nothing_below_a_promise() {
        let mut register = Register::new(vertex());
        register.promise(ballot(3)).unwrap();
        assert_eq!(register.promise(ballot(2)), Err(ballot(3)));
        assert_eq!(register.cast(vote(2)), Err(ballot(3)));
        assert!(register.vote().is_none());
        register.cast(vote(3)).unwrap();
    }

    #[test]
    #[should_panic(expected = "two values")]
    fn two_values_in_one_ballot_are_our_own_fault() {
        let mut register = Register::new(vertex());
        register.cast(vote(2)).unwrap();
        let mut deps = DepSet::default();
        deps.insert(vertex());
        let other = Value { commands: Commands::Noop, deps };
        let _ = register.cast(Vote { ballot: ballot(2), value: other, fast: None });
    }
}
