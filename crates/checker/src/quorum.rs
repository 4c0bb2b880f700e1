//! CommittedHasQuorum: what anyone holds as committed is on disk at a quorum.
//!
//! A value is *chosen* when a crash of any f nodes cannot make it unchosen. On disk that looks like
//! one of two things, and one of them must be there when the value is first held as committed
//! anywhere:
//!
//! - **by votes**: f + 1 nodes have synced votes for it in one ballot above the fast one;
//! - **fast**: every member of the fast quorum Q, which is the same in all their votes and holds the
//!   anchor and at least floor(n/2) + f members, has synced a fast
//!   vote for these commands; the dependencies are the union of what they reported, each reported by
//!   at least f of them; and the anchor's own record of the commit is synced, since nobody else may
//!   conclude and it must not forget that it did (trap T1), and was written before any promise of a
//!   higher ballot, on which a recovery relies (trap T15).
//!
//! What is held later, by whomever, follows from the first: that all are equal is
//! [`ConsensusConsistency`](crate::ConsensusConsistency)'s matter. Votes of a chosen vertex are let
//! go, so that memory and work stay those of the vertices on their way.

use std::fmt::Debug;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::{ColumnDependencies, Violation};

/// Each committed value is on disk at a quorum when it is first held as committed.
#[derive(Debug)]
pub struct CommittedHasQuorum<V, B> {
    n: usize,
    f: usize,
    vertices: FxHashMap<V, State<B>>,
}

/// A fast vote: a dependency answer and a vote in one.
#[derive(Debug, Clone, Copy)]
pub struct FastVote<'a> {
    /// The digest of the commands alone.
    pub commands: u128,
    /// What the voter reported.
    pub dependencies: &'a [ColumnDependencies<'a>],
    /// The fast quorum that the vote names.
    pub members: &'a [u32],
    /// The voter that alone may conclude.
    pub anchor: u32,
}

/// A value that a node holds as committed. Dependencies are canonical: a prefix takes in all that
/// is adjacent to it.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// The digest of commands and dependencies.
    pub value: u128,
    /// The digest of the commands alone.
    pub commands: u128,
    /// The dependencies.
    pub dependencies: &'a [ColumnDependencies<'a>],
    /// Whether the node has a synced record of the commit.
    pub is_on_disk: bool,
}

#[derive(Debug)]
enum State<B> {
    Open(Votes<B>),
    /// Found to be on disk at a quorum.
    Chosen,
}

#[derive(Debug)]
struct Votes<B> {
    /// By ballot and value: who.
    cast: Vec<(B, u128, Vec<u32>)>,
    fast: Vec<Fast>,
    /// Who has promised a ballot above the fast one.
    promised: Vec<u32>,
}

#[derive(Debug)]
struct Fast {
    node: u32,
    commands: u128,
    dependencies: Vec<(u64, u64, Box<[u64]>)>,
    members: Box<[u32]>,
    anchor: u32,
}

impl<B> Default for Votes<B> {
    fn default() -> Self {
        Self { cast: Vec::new(), fast: Vec::new(), promised: Vec::new() }
    }
}

impl<V: Copy + Eq + Hash + Debug, B: Copy + Eq + Debug> CommittedHasQuorum<V, B> {
    /// Of n voters or acceptors f may fail.
    pub fn new(n: usize, f: usize) -> Self {
        Self { n, f, vertices: FxHashMap::default() }
    }

    /// The node's vote for the value in a ballot above the fast one is synced.
    pub fn voted(&mut self, node: u32, vertex: V, ballot: B, value: u128) {
        let Some(votes) = self.votes(vertex) else { return };
        match votes.cast.iter_mut().find(|(b, v, _)| *b == ballot && *v == value) {
            None => votes.cast.push((ballot, value, vec![node])),
            Some((_, _, nodes)) if nodes.contains(&node) => {}
            Some((_, _, nodes)) => nodes.push(node),
        }
    }

    /// The node's fast vote is synced. The first counts: a voter never changes it.
    pub fn voted_fast(&mut self, node: u32, vertex: V, vote: FastVote<'_>) {
        let Some(votes) = self.votes(vertex) else { return };
        if votes.fast.iter().any(|known| known.node == node) {
            return;
        }
        let rows = vote.dependencies.iter().map(|d| (d.column, d.prefix, d.extras.into()));
        votes.fast.push(Fast {
            node,
            commands: vote.commands,
            dependencies: rows.collect(),
            members: vote.members.into(),
            anchor: vote.anchor,
        });
    }

    /// The node's promise of a ballot above the fast one is synced; a vote there is one too.
    pub fn promised(&mut self, node: u32, vertex: V) {
        let Some(votes) = self.votes(vertex) else { return };
        if !votes.promised.contains(&node) {
            votes.promised.push(node);
        }
    }

    /// A node holds the value as committed. To be told before anyone else can hear of it.
    pub fn committed(&mut self, node: u32, vertex: V, held: Held<'_>) -> Result<(), Violation> {
        let (n, f) = (self.n, self.f);
        let Some(votes) = self.votes(vertex) else { return Ok(()) };
        let voters = votes.cast.iter().filter(|(_, value, _)| *value == held.value);
        let most = voters.map(|(_, _, nodes)| nodes.len()).max().unwrap_or(0);
        if most <= f
            && let Err(why) = votes.has_fast_quorum(n, f, node, held)
        {
            return Err(Violation::new(
                "CommittedHasQuorum",
                format!(
                    "node {node} holds {vertex:?} as committed with value {:032x}; in no ballot \
                     more than {most} nodes have a synced vote for it, of {} that it takes, and \
                     {why}",
                    held.value,
                    f + 1
                ),
            ));
        }
        self.vertices.insert(vertex, State::Chosen);
        Ok(())
    }

    /// How many committed vertices were found on disk at a quorum.
    pub fn chosen(&self) -> usize {
        self.vertices.values().filter(|state| matches!(state, State::Chosen)).count()
    }

    fn votes(&mut self, vertex: V) -> Option<&mut Votes<B>> {
        match self.vertices.entry(vertex).or_insert_with(|| State::Open(Votes::default())) {
            State::Open(votes) => Some(votes),
            State::Chosen => None,
        }
    }
}

impl<B> Votes<B> {
    /// Why not, in words.
    fn has_fast_quorum(
        &self,
        n: usize,
        f: usize,
        holder: u32,
        held: Held<'_>,
    ) -> Result<(), String> {
        let Some(first) = self.fast.first() else {
            return Err("nobody has a fast vote".into());
        };
        let Fast { members, anchor, .. } = first;
        if members.len() < n / 2 + f || !members.contains(anchor) {
            return Err(format!(
                "{members:?} with anchor {anchor} is no fast quorum of {n} nodes and {f} failures"
            ));
        }
        let mut votes = Vec::new();
        for member in members {
            let Some(vote) = self.fast.iter().find(|vote| vote.node == *member) else {
                return Err(format!("member {member} of the fast quorum has no synced fast vote"));
            };
            if vote.commands != held.commands {
                return Err(format!("member {member} voted fast for other commands"));
            }
            if vote.members != *members || vote.anchor != *anchor {
                return Err(format!(
                    "{} and {member} voted fast with different fast quorums",
                    first.node
                ));
            }
            votes.push(vote);
        }
        for vote in &votes {
            for (column, prefix, extras) in &vote.dependencies {
                let row = held.dependencies.iter().find(|row| row.column == *column);
                let has = |seq: &u64| {
                    row.is_some_and(|row| *seq < row.prefix || row.extras.contains(seq))
                };
                let is_prefix_there = row.map_or(0, |row| row.prefix) >= *prefix;
                if !is_prefix_there || !extras.iter().all(has) {
                    return Err(format!(
                        "member {} reported dependencies in column {column} that the value lacks",
                        vote.node
                    ));
                }
            }
        }
        for row in held.dependencies {
            if let Some(seq) = reported_too_rarely(&votes, row, f) {
                return Err(format!(
                    "fewer than {f} members of the fast quorum reported ({}, {seq})",
                    row.column
                ));
            }
        }
        if self.promised.contains(anchor) {
            return Err(format!("the anchor {anchor} had promised a higher ballot before"));
        }
        if holder != *anchor || !held.is_on_disk {
            return Err(format!("the fast commit is not on the disk of its anchor {anchor}"));
        }
        Ok(())
    }
}

/// A dependency in the row that fewer than `threshold` of the votes hold: counted one by one above
/// the prefix that so many of them have.
fn reported_too_rarely(
    votes: &[&Fast],
    row: &ColumnDependencies<'_>,
    threshold: usize,
) -> Option<u64> {
    let rows = votes
        .iter()
        .filter_map(|vote| vote.dependencies.iter().find(|(column, ..)| *column == row.column));
    let rows: Vec<(u64, &[u64])> = rows.map(|(_, prefix, extras)| (*prefix, &extras[..])).collect();
    let mut prefixes: Vec<u64> = rows.iter().map(|(prefix, _)| *prefix).collect();
    prefixes.sort_unstable_by_key(|prefix| std::cmp::Reverse(*prefix));
    let settled = threshold.checked_sub(1).and_then(|at| prefixes.get(at).copied()).unwrap_or(0);
    let count = |seq: u64| {
        rows.iter().filter(|(prefix, extras)| seq < *prefix || extras.contains(&seq)).count()
    };
    let above = row.extras.iter().copied().filter(|seq| *seq >= settled);
    (settled..row.prefix).chain(above).find(|seq| count(*seq) < threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Oracle = CommittedHasQuorum<u32, u64>;

    fn on(column: u64, prefix: u64, extras: &[u64]) -> [ColumnDependencies<'_>; 1] {
        [ColumnDependencies { column, prefix, extras }]
    }

    fn fast<'a>(deps: &'a [ColumnDependencies<'a>], members: &'a [u32]) -> FastVote<'a> {
        FastVote { commands: 70, dependencies: deps, members, anchor: 1 }
    }

    fn held<'a>(deps: &'a [ColumnDependencies<'a>]) -> Held<'a> {
        Held { value: 7, commands: 70, dependencies: deps, is_on_disk: true }
    }

    fn refused(oracle: &mut Oracle, node: u32, held: Held<'_>, why: &str) {
        let told = oracle.committed(node, 9, held).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }

    /// A value with f votes, or with f + 1 votes of different ballots, would pass for chosen.
    #[test]
    fn votes_count_by_ballot_and_value() {
        let mut oracle = Oracle::new(5, 2);
        let held = Held { is_on_disk: false, ..held(&[]) };
        oracle.voted(1, 9, 1, 7);
        oracle.voted(2, 9, 1, 7);
        oracle.voted(2, 9, 1, 7);
        oracle.voted(3, 9, 2, 7);
        oracle.voted(3, 9, 1, 8);
        refused(&mut oracle, 1, held, "more than 2 nodes");
        oracle.voted(4, 9, 1, 7);
        oracle.committed(1, 9, held).unwrap();
        assert_eq!(oracle.chosen(), 1);
        // Later holders need no quorum of their own.
        oracle.committed(5, 9, held).unwrap();
    }

    /// Five voters, f = 2: the fast quorum is four.
    fn five(reports: [&[u64]; 4]) -> Oracle {
        let mut oracle = Oracle::new(5, 2);
        for (node, extras) in (1..).zip(reports) {
            oracle.voted_fast(node, 9, fast(&on(3, 2, extras), &[1, 2, 3, 4]));
        }
        oracle
    }

    /// A fast commit on a dependency that one voter alone reported: its crash would lose it.
    #[test]
    fn each_dependency_of_a_fast_commit_has_f_reporters() {
        let all = [5];
        let mut oracle = five([&[], &[5], &[5], &[]]);
        oracle.committed(1, 9, held(&on(3, 2, &all))).unwrap();
        let mut oracle = five([&[], &[5], &[], &[]]);
        refused(&mut oracle, 1, held(&on(3, 2, &all)), "fewer than 2 members");
        // Nor may a reported one be left out, or one be added.
        refused(&mut oracle, 1, held(&on(3, 2, &[])), "that the value lacks");
        let mut oracle = five([&[]; 4]);
        refused(&mut oracle, 1, held(&on(3, 3, &[])), "reported (3, 2)");
        refused(&mut oracle, 1, held(&on(4, 1, &[])), "that the value lacks");
    }

    /// An answer from outside the quorum, or one of another quorum, would count (trap T2).
    #[test]
    fn a_fast_commit_is_by_all_of_its_quorum() {
        let deps = on(3, 2, &[]);
        let mut oracle = Oracle::new(5, 2);
        refused(&mut oracle, 1, held(&deps), "nobody has a fast vote");
        for node in [1, 2, 3, 5] {
            oracle.voted_fast(node, 9, fast(&deps, &[1, 2, 3, 4]));
        }
        refused(&mut oracle, 1, held(&deps), "member 4 of the fast quorum has no");
        oracle.voted_fast(4, 9, fast(&deps, &[1, 2, 3, 5]));
        refused(&mut oracle, 1, held(&deps), "different fast quorums");
        let mut oracle = Oracle::new(5, 2);
        for node in [1, 2, 3] {
            oracle.voted_fast(node, 9, fast(&deps, &[1, 2, 3]));
        }
        refused(&mut oracle, 1, held(&deps), "is no fast quorum");
        let other = Held { commands: 71, ..held(&deps) };
        refused(&mut five([&[]; 4]), 1, other, "other commands");
    }

    /// The anchor would forget a fast commit that others heard of (trap T1), or another than the
    /// anchor would conclude (trap T12).
    #[test]
    fn a_fast_commit_is_first_on_the_anchor_s_disk() {
        let deps = on(3, 2, &[]);
        let told = Held { is_on_disk: false, ..held(&deps) };
        refused(&mut five([&[]; 4]), 1, told, "disk of its anchor 1");
        refused(&mut five([&[]; 4]), 2, held(&deps), "disk of its anchor 1");
        five([&[]; 4]).committed(1, 9, held(&deps)).unwrap();
    }

    /// Broken: the fence of recovery's case d1: an anchor that promised a recovery, which takes it
    /// that there is no fast commit, would conclude all the same (trap T15).
    #[test]
    fn an_anchor_that_promised_concludes_no_more() {
        let deps = on(3, 2, &[]);
        let mut oracle = five([&[]; 4]);
        oracle.promised(2, 9);
        oracle.committed(1, 9, held(&deps)).unwrap();
        let mut oracle = five([&[]; 4]);
        oracle.promised(1, 9);
        refused(&mut oracle, 1, held(&deps), "had promised a higher ballot");
        // By votes the value may be committed yet.
        (1..=3).for_each(|node| oracle.voted(node, 9, 2, 7));
        oracle.committed(1, 9, held(&deps)).unwrap();
    }
}
