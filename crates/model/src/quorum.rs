//! Quorum sizes, and the intersections that make them safe.

use std::fmt;

/// How many of n nodes make each kind of quorum, for f tolerated failures.
///
/// Sizes follow Atlas (Enes et al., EuroSys '20) and Flexible Paxos (Howard et al., OPODIS '16):
/// a fast quorum of floor(n/2) + f, phase 2 with f + 1, phase 1 with n - f, dependencies from a
/// majority.
///
/// ```
/// use althing_model::Quorums;
/// let quorums = Quorums::new(5, 1).unwrap();
/// assert_eq!((quorums.fast(), quorums.phase1(), quorums.phase2()), (3, 4, 2));
/// assert!(Quorums::new(5, 3).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorums {
    n: usize,
    f: usize,
}

impl Quorums {
    /// The largest n: sets of voters are written as bits of a word in places.
    pub const N_MAX: usize = 64;

    /// Quorums of `n` nodes of which `f` may fail.
    ///
    /// # Errors
    /// When `f` is not from 1 to floor((n-1)/2), or `n` is too large.
    pub fn new(n: usize, f: usize) -> Result<Self, QuorumsInvalid> {
        if n > Self::N_MAX {
            return Err(QuorumsInvalid::TooMany { n });
        }
        if n < 3 {
            return Err(QuorumsInvalid::TooFew { n });
        }
        if f < 1 || f > (n - 1) / 2 {
            return Err(QuorumsInvalid::FailuresOutOfRange { n, f });
        }
        let quorums = Self { n, f };
        // Phase 1 meets phase 2; dependency quorums meet pairwise; and for the fast rule, in which
        // only the proposer's own voter concludes: what is left of a fast quorum after f failures,
        // that voter among them, still holds with it a majority's answers.
        assert!(quorums.phase1() + quorums.phase2() > n);
        assert!(2 * quorums.dependency() > n);
        assert!(quorums.fast() - f >= n / 2 && quorums.fast() <= n);
        Ok(quorums)
    }

    /// How many nodes there are.
    pub fn n(self) -> usize {
        self.n
    }

    /// How many of them may fail.
    pub fn f(self) -> usize {
        self.f
    }

    /// Voters of the fast path, the proposer's own among them: floor(n/2) + f.
    pub fn fast(self) -> usize {
        self.n / 2 + self.f
    }

    /// Dependency nodes whose answers make a union safe: a majority.
    pub fn dependency(self) -> usize {
        self.n / 2 + 1
    }

    /// Promises that a recovery needs: n - f.
    pub fn phase1(self) -> usize {
        self.n - self.f
    }

    /// Votes that choose a value: f + 1.
    pub fn phase2(self) -> usize {
        self.f + 1
    }
}

/// There are no quorums of that shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuorumsInvalid {
    /// f is outside its range for n.
    FailuresOutOfRange {
        /// Nodes.
        n: usize,
        /// Failures asked for.
        f: usize,
    },
    /// Fewer than three nodes tolerate no failure.
    TooFew {
        /// Nodes.
        n: usize,
    },
    /// More nodes than [`Quorums::N_MAX`].
    TooMany {
        /// Nodes.
        n: usize,
    },
}

impl fmt::Display for QuorumsInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FailuresOutOfRange { n, f: failures } => write!(
                f,
                "f = {failures} does not fit n = {n}: with {n} nodes, f is from 1 to {}",
                (n - 1) / 2
            ),
            Self::TooFew { n } => write!(f, "n = {n} is too few: one failure takes three nodes"),
            Self::TooMany { n } => write!(f, "n = {n} is too many: at most {}", Quorums::N_MAX),
        }
    }
}

impl std::error::Error for QuorumsInvalid {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a recovery could miss a fast commit, or two quorums could miss each other.
    #[test]
    fn every_legal_pair_has_its_intersections() {
        for n in 3..=9 {
            for f in 1..=(n - 1) / 2 {
                let quorums = Quorums::new(n, f).unwrap();
                // Exhaustively, a deliberately dumb twin of the arithmetic: any fast quorum Q with
                // its concluding voter i, any phase-1 quorum P without i.
                let sets = |size: usize| {
                    (0u32..1 << n).filter(move |set| set.count_ones() as usize == size)
                };
                for q in sets(quorums.fast()) {
                    for p in sets(quorums.phase1()) {
                        for i in (0..n).filter(|i| q >> i & 1 == 1 && p >> i & 1 == 0) {
                            let known = (q & p) | 1 << i;
                            assert!(known.count_ones() as usize >= quorums.dependency());
                        }
                    }
                }
                for p in sets(quorums.phase1()) {
                    assert!(sets(quorums.phase2()).all(|votes| votes & p != 0));
                }
            }
        }
    }

    #[test]
    fn sizes_out_of_range_are_named() {
        assert_eq!(
            Quorums::new(5, 3).unwrap_err().to_string(),
            "f = 3 does not fit n = 5: with 5 nodes, f is from 1 to 2"
        );
        assert!(Quorums::new(2, 1).is_err() && Quorums::new(65, 1).is_err());
    }
}
