//! The oracle beside a transitive closure, and histories that it must accuse.

use proptest::prelude::*;

use super::*;

const READ: u8 = 0;
const WRITE: u8 = 1;
const ADD: u8 = 2;

fn commutes(a: u8, b: u8) -> bool {
    a == b && a != WRITE
}

fn vertex(column: u64, seq: u64) -> Vertex {
    Vertex { column, seq }
}

fn on_key(mode: u8) -> [(&'static [u8], u8); 1] {
    [(b"k", mode)]
}

fn commit(
    oracle: &mut CommittedConflicts,
    at: (u64, u64),
    mode: u8,
    deps: &[(u64, u64, &[u64])],
) -> Result<(), Violation> {
    oracle.committed(vertex(at.0, at.1), Some(Footprint::Resources(&on_key(mode))), columns(deps))
}

fn columns<'a>(deps: &'a [(u64, u64, &'a [u64])]) -> impl Iterator<Item = ColumnDependencies<'a>> {
    deps.iter().map(|(column, prefix, extras)| ColumnDependencies {
        column: *column,
        prefix: *prefix,
        extras,
    })
}

/// Two writes to one key that no replica can order would pass.
#[test]
fn an_unordered_pair_is_told() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), WRITE, &[]).unwrap();
    let told = commit(&mut oracle, (2, 0), WRITE, &[]).unwrap_err();
    let told = told.to_string();
    assert!(told.contains("(1, 0) and (2, 0) conflict on resource \"k\""), "{told}");
}

/// Dependencies shortened by transitivity would raise false alarms, or a path through a vertex
/// that was recovered as a noop without dependencies would count.
#[test]
fn a_path_counts_and_a_noop_that_lost_its_dependencies_breaks_it() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), WRITE, &[]).unwrap();
    commit(&mut oracle, (2, 0), WRITE, &[(1, 0, &[0])]).unwrap();
    commit(&mut oracle, (3, 0), WRITE, &[(2, 1, &[])]).unwrap();
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), WRITE, &[]).unwrap();
    oracle.committed(vertex(2, 0), None, []).unwrap();
    assert!(commit(&mut oracle, (3, 0), WRITE, &[(2, 1, &[])]).is_err());
}

/// A pair would be condemned although a vertex that is still to be committed orders it, or
/// forgotten when that vertex does not.
#[test]
fn a_pair_stays_open_while_a_path_may_yet_appear() {
    for is_ordered in [true, false] {
        let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
        commit(&mut oracle, (3, 0), WRITE, &[(2, 0, &[0])]).unwrap();
        commit(&mut oracle, (1, 0), WRITE, &[]).unwrap();
        assert_eq!(oracle.finish().unwrap(), 1);
        let deps: &[(u64, u64, &[u64])] = if is_ordered { &[(1, 1, &[])] } else { &[] };
        let outcome = oracle.committed(vertex(2, 0), None, columns(deps));
        assert_eq!(outcome.is_ok(), is_ordered);
    }
}

/// Mutual dependencies, the normal case of two concurrent commands, would never be decided.
#[test]
fn a_cycle_closes_as_one() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), WRITE, &[(2, 1, &[])]).unwrap();
    commit(&mut oracle, (2, 0), WRITE, &[(3, 1, &[])]).unwrap();
    commit(&mut oracle, (3, 0), WRITE, &[(1, 1, &[])]).unwrap();
    assert_eq!(oracle.finish().unwrap(), 0);
    assert!(commit(&mut oracle, (4, 0), WRITE, &[]).is_err());
}

/// Commuting commands, which need no order, would be condemned.
#[test]
fn commuting_and_unrelated_vertices_need_no_path() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), ADD, &[]).unwrap();
    commit(&mut oracle, (2, 0), ADD, &[]).unwrap();
    let other: [(&[u8], u8); 1] = [(b"other", WRITE)];
    let other = Some(Footprint::Resources(&other));
    oracle.committed(vertex(3, 0), other, []).unwrap();
    // A read must reach both increments.
    assert!(commit(&mut oracle, (4, 0), READ, &[(1, 1, &[])]).is_err());
}

/// A barrier that misses a command, or a command that misses the barrier, would pass.
#[test]
fn everything_conflicts_with_all_and_nothing() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    commit(&mut oracle, (1, 0), WRITE, &[]).unwrap();
    let nothing = Some(Footprint::Resources(&[]));
    oracle.committed(vertex(2, 0), nothing, []).unwrap();
    let everything = Some(Footprint::Everything);
    let deps: &[(u64, u64, &[u64])] = &[(1, 1, &[]), (2, 1, &[])];
    oracle.committed(vertex(3, 0), everything, columns(deps)).unwrap();
    commit(&mut oracle, (4, 0), WRITE, &[(3, 1, &[])]).unwrap();
    assert!(oracle.committed(vertex(5, 0), nothing, []).is_err());
    assert!(oracle.committed(vertex(6, 0), everything, columns(&[(4, 1, &[])])).is_err());
}

/// A chain of vertices that become committed from its far end overflows the stack.
#[test]
fn a_long_chain_closes_without_recursion() {
    let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
    let len = 200_000;
    for seq in (0..len).rev() {
        commit(&mut oracle, (1, seq), WRITE, &[(1, seq, &[])]).unwrap();
    }
    assert_eq!(oracle.finish().unwrap(), 0);
}

/// One random vertex: column, mode (3: noop, 4: everything), edges to earlier or later ones.
type Plan = Vec<(u64, u8, Vec<prop::sample::Index>)>;

fn plans() -> impl Strategy<Value = Plan> {
    let one = (0..3u64, 0..5u8, prop::collection::vec(any::<prop::sample::Index>(), 0..6));
    prop::collection::vec(one, 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Frontiers, passes or bounded searches would let a pair slip through, or invent one: a
    /// transitive closure of the whole graph decides the same.
    #[test]
    fn agrees_with_a_transitive_closure(plan in plans(), order in any::<u64>(), dense in any::<bool>()) {
        let mut len = [0u64; 3];
        let names: Vec<Vertex> = plan.iter().map(|(column, ..)| {
            len[*column as usize] += 1;
            vertex(*column, len[*column as usize] - 1)
        }).collect();
        let n = names.len();
        let mut edge = vec![vec![false; n]; n];
        for (i, (_, _, targets)) in plan.iter().enumerate() {
            for target in targets {
                edge[i][target.index(n)] = true;
            }
            for (j, edge) in edge[i].iter_mut().enumerate().take(i) {
                // Otherwise nearly every plan is unordered somewhere.
                *edge |= dense && (i + j) % 5 != 0;
            }
            edge[i][i] = false;
        }
        let mut reach = edge.clone();
        for k in 0..n { for i in 0..n { for j in 0..n {
            reach[i][j] |= reach[i][k] && reach[k][j];
        }}}
        let conflict = |i: usize, j: usize| match (plan[i].1, plan[j].1) {
            (3, _) | (_, 3) => false,
            (4, _) | (_, 4) => true,
            (a, b) => !commutes(a, b),
        };
        let expected = (0..n).all(|i| (0..i).all(|j| {
            !conflict(i, j) || reach[i][j] || reach[j][i]
        }));

        let mut commits: Vec<usize> = (0..n).collect();
        let mut random = order | 1;
        for i in (1..n).rev() {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            commits.swap(i, (random >> 33) as usize % (i + 1));
        }
        let mut oracle = CommittedConflicts::new(Commutes::new(commutes));
        let mut outcome = Ok(());
        for i in commits {
            // The longest prefix that the edges allow, the rest as extras.
            let parts: Vec<(u64, u64, Vec<u64>)> = (0..3u64).map(|column| {
                let mut seqs: Vec<u64> = (0..n)
                    .filter(|j| edge[i][*j] && names[*j].column == column)
                    .map(|j| names[j].seq)
                    .collect();
                seqs.sort_unstable();
                let prefix = (0..).zip(&seqs).take_while(|(a, b)| a == *b).count();
                (column, prefix as u64, seqs.split_off(prefix))
            }).collect();
            let parts: Vec<(u64, u64, &[u64])> =
                parts.iter().map(|(c, p, e)| (*c, *p, e.as_slice())).collect();
            let key = on_key(plan[i].1);
            let footprint = match plan[i].1 {
                3 => None,
                4 => Some(Footprint::Everything),
                _ => Some(Footprint::Resources(&key)),
            };
            outcome = outcome.and(oracle.committed(names[i], footprint, columns(&parts)));
        }
        let outcome = outcome.and(oracle.finish());
        prop_assert_eq!(outcome.is_ok(), expected);
        if let Ok(open) = outcome { prop_assert_eq!(open, 0); }
    }
}
