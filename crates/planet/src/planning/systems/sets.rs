//! A quorum system as explicit sets of nodes, bits of a word.

use super::Survives;

/// The least quorums of each kind; whatever holds one is a quorum too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sets {
    n: usize,
    pub(super) phase1: Vec<u16>,
    pub(super) phase2: Vec<u16>,
    pub(super) dependency: Vec<u16>,
}

/// Two quorums that must meet do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disjoint(pub(super) u16, pub(super) u16);

/// All sets of so many of n nodes.
pub(super) fn subsets(n: usize, size: usize) -> Vec<u16> {
    (0..1 << n).filter(|set: &u16| set.count_ones() as usize == size).collect()
}

fn holds(set: u16, quorums: &[u16]) -> bool {
    quorums.iter().any(|quorum| quorum & !set == 0)
}

impl Sets {
    /// # Errors
    /// The first two that must meet and do not.
    pub(super) fn new(
        n: usize,
        phase1: Vec<u16>,
        phase2: Vec<u16>,
        dependency: Vec<u16>,
    ) -> Result<Self, Disjoint> {
        for (some, others) in [(&phase1, &phase2), (&dependency, &dependency)] {
            for &one in some {
                if let Some(&other) = others.iter().find(|other| *other & one == 0) {
                    return Err(Disjoint(one, other));
                }
            }
        }
        Ok(Self { n, phase1, phase2, dependency })
    }

    /// Whether node i may conclude a fast commit from the answers of this set.
    pub(super) fn is_fast(&self, i: usize, set: u16) -> bool {
        let own = 1 << i;
        set & own != 0
            && holds(set, &self.dependency)
            && self
                .phase1
                .iter()
                .filter(|promises| *promises & own == 0)
                .all(|promises| holds(promises & set | own, &self.dependency))
    }

    /// How long a node waits for its nearest fast quorum; `near` has all nodes by distance from it.
    /// None if even all of them are none. A larger set than a quorum is one too, so that the nearest
    /// so many nodes decide.
    pub(super) fn fast_us(&self, near: &[(u64, usize)], node: usize) -> Option<u64> {
        nearest(near, |set| self.is_fast(node, set))
    }

    /// How long a node waits for dependencies and then for votes.
    pub(super) fn classic_us(&self, near: &[(u64, usize)]) -> Option<u64> {
        let dependencies = nearest(near, |set| holds(set, &self.dependency))?;
        let votes = nearest(near, |set| holds(set, &self.phase2))?;
        Some(dependencies + votes)
    }

    pub(super) fn survives(&self) -> Survives {
        let failures = |works: &dyn Fn(u16) -> bool| {
            let all_left = |failed: &usize| subsets(self.n, self.n - failed).into_iter().all(works);
            (0..self.n).take_while(all_left).last().unwrap_or_default()
        };
        let each = |left: u16| (0..self.n).filter(move |node| left >> node & 1 == 1);
        Survives {
            fast: failures(&|left| each(left).all(|node| self.is_fast(node, left))),
            commit: failures(&|left| holds(left, &self.dependency) && holds(left, &self.phase2)),
            recovery: failures(&|left| holds(left, &self.dependency) && holds(left, &self.phase1)),
        }
    }
}

/// The distance at which the nearest nodes are enough.
fn nearest(near: &[(u64, usize)], is_enough: impl Fn(u16) -> bool) -> Option<u64> {
    let mut set = 0;
    near.iter().find_map(|&(us, node)| {
        set |= 1 << node;
        is_enough(set).then_some(us)
    })
}
