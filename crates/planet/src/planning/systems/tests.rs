//! The systems against their definitions, set by set, and against the sizes that the engine uses.

use super::sets::Disjoint;
use super::*;
use crate::planet::Planet;
use crate::planning::{By, Weight};

/// The best placement of n nodes among the first `candidates` regions of the larger AWS planet.
fn placed(candidates: usize, n: usize, f: usize) -> (Question, Placement) {
    let planet = Planet::named("aws-2020-06-05").unwrap();
    let clients: Vec<_> = planet.regions().iter().map(|it| (it.clone(), Weight::ONE)).collect();
    let regions = planet.regions()[..candidates].to_vec();
    let question = Question::new(planet, &regions, n, f, &clients).unwrap();
    let found = question.search(Protocol::Fast, By::Mean, 1, |_| ());
    (question, found.placements[0].clone())
}

fn all_sets(n: usize, f: usize) -> Vec<Sets> {
    let flexible = (majority(n)..=n).map(|phase1| {
        Sets::new(n, subsets(n, phase1), subsets(n, n - phase1 + 1), subsets(n, majority(n)))
    });
    let mut all: Vec<Sets> = flexible.map(Result::unwrap).collect();
    if n.is_multiple_of(2) {
        let core = subsets(n, majority(n - 1)).into_iter().filter(|set| set & 1 == 0);
        let dependency = subsets(n, majority(n)).into_iter().chain(core).collect();
        all.push(Sets::new(n, subsets(n, n - f), subsets(n, f + 1), dependency).unwrap());
    }
    for rows in (2..=n / 2).filter(|rows| n.is_multiple_of(*rows)) {
        all.push(grid_sets(&(0..n).collect::<Vec<_>>(), n / rows));
    }
    all
}

/// Broken: a recovery of two conflicting fast commits could find that neither has seen the other, or
/// two quorums of a system do not meet.
#[test]
fn what_recovery_sees_of_any_two_commits_meets() {
    for n in 3..=SYSTEM_NODES_MAX {
        for sets in (1..=(n - 1) / 2).flat_map(|f| all_sets(n, f)) {
            let every: Vec<u16> = (0..1 << n).collect();
            let quorums = |of: &[u16]| -> Vec<u16> {
                let holds = |set: u16| of.iter().any(|quorum| quorum & set == *quorum);
                every.iter().copied().filter(|&set| holds(set)).collect()
            };
            let (phase1, phase2) = (quorums(&sets.phase1), quorums(&sets.phase2));
            assert!(phase1.iter().all(|one| phase2.iter().all(|other| one & other != 0)));
            // Of each fast quorum, what any recovery with its node silent may know of its answers;
            // and every set that a slow path may have its dependencies from.
            let mut known = std::collections::BTreeSet::from_iter(quorums(&sets.dependency));
            for i in 0..n {
                for &fast in every.iter().filter(|&&set| sets.is_fast(i, set)) {
                    let without = phase1.iter().filter(|promises| *promises >> i & 1 == 0);
                    known.extend(without.map(|promises| promises & fast | 1 << i));
                    known.insert(fast);
                }
            }
            let least = known
                .iter()
                .filter(|set| known.range(..**set).all(|smaller| smaller & !**set != 0));
            let least: Vec<u16> = least.copied().collect();
            for one in &least {
                assert!(least.iter().all(|other| one & other != 0), "{sets:?}");
            }
        }
    }
}

/// Broken: sets and sizes disagree about what is a fast quorum, so that one of them is unsafe or
/// slower than need be.
#[test]
fn fast_quorums_of_flexible_sizes_are_those_of_the_rule() {
    for n in 3..=SYSTEM_NODES_MAX {
        for phase1 in majority(n)..=n {
            let phase2 = n - phase1 + 1;
            let sets =
                Sets::new(n, subsets(n, phase1), subsets(n, phase2), subsets(n, majority(n)));
            let sets = sets.unwrap();
            // F - f >= n / 2, f being the nodes that a recovery does without.
            let size = (n / 2 + n - phase1).max(majority(n));
            for set in (0..1 << n).filter(|set: &u16| set & 1 == 1) {
                assert_eq!(sets.is_fast(0, set), set.count_ones() as usize >= size, "{n} {phase1}");
            }
            assert_eq!(sets.survives().commit, (n - majority(n)).min(n - phase2));
            assert_eq!(sets.survives().recovery, n - phase1);
            assert_eq!(sets.survives().fast, n.saturating_sub(size));
        }
    }
}

/// Broken: the first row of the table is not what the other tables predict.
#[test]
fn the_current_system_costs_what_is_predicted() {
    for (n, f) in [(3, 1), (4, 1), (5, 1), (5, 2), (6, 2), (8, 3), (9, 4)] {
        let (question, placement) = placed(10, n, f);
        let systems = question.systems(&placement).unwrap();
        let current = &systems[0];
        assert!(current.is_current && current.runs_today);
        assert_eq!(systems.iter().filter(|it| it.is_current).count(), 1);
        assert_eq!(current.fast.as_ref(), Some(&question.predict(&placement, Protocol::Fast)));
        assert_eq!(current.classic, question.predict(&placement, Protocol::Classic));
        assert_eq!(current.survives.recovery, f);
    }
}

/// Broken: an even cluster is credited with less than it can do, or with more.
#[test]
fn an_even_cluster_commits_fast_with_one_node_less() {
    let core = [0b0110, 0b1010, 0b1100];
    let sets = Sets::new(4, subsets(4, 3), subsets(4, 2), core.to_vec()).unwrap();
    assert!(sets.is_fast(1, 0b0110) && !sets.is_fast(1, 0b0011));
    assert!(sets.is_fast(0, 0b0111) && !sets.is_fast(0, 0b0011));
    assert_eq!(sets.survives(), Survives { fast: 1, commit: 1, recovery: 1 });

    let (question, placement) = placed(10, 4, 1);
    let systems = question.systems(&placement).unwrap();
    let even = systems.iter().find(|it| matches!(it.kind, Kind::Even { .. })).unwrap();
    let means = |system: &System| (system.fast.as_ref().unwrap().mean_us, system.classic.mean_us);
    assert!(means(even) < means(&systems[0]));
    assert!(!even.runs_today && even.survives.recovery == 1);
}

/// Broken: a grid is credited with fast quorums that recovery could not tell from none, or a better
/// arrangement is passed over.
#[test]
fn a_grid_of_two_rows_is_fast_with_the_whole_other_row() {
    let sets = grid_sets(&[0, 1, 2, 3, 4, 5], 3);
    for set in 0..1 << 6 {
        assert_eq!(sets.is_fast(0, set), set & 0b111_001 == 0b111_001, "{set:b}");
    }
    // A failure in the other row ends a node's fast path, one in each row ends recovery.
    assert_eq!(sets.survives(), Survives { fast: 0, commit: 1, recovery: 1 });
    assert!(!grid_sets(&[0, 1, 2, 3, 4, 5, 6, 7, 8], 3).is_fast(0, 0x1ff));

    let mut seen = std::collections::BTreeSet::new();
    arrangements(3, 3, &mut Vec::new(), &mut |cells| assert!(seen.insert(cells.to_vec())));
    // 9! but for the orders of three rows and three columns.
    assert_eq!(seen.len(), 362_880 / 36);

    let (question, placement) = placed(10, 6, 1);
    let systems = question.systems(&placement).unwrap();
    let grids: Vec<_> = systems.iter().filter(|it| matches!(it.kind, Kind::Grid { .. })).collect();
    assert_eq!(grids.len(), 2);
    assert!(grids[0].fast.is_some() && grids[1].fast.is_none());
    let best = grids[0].fast.as_ref().unwrap();
    let loads = question.loads(&placement);
    arrangements(2, 3, &mut Vec::new(), &mut |cells| {
        let sets = grid_sets(cells, 3);
        let kind = Kind::Even { without: placement.regions[0].clone() };
        let other = question.system(&placement, kind, &sets).fast.unwrap();
        assert!(best.mean_us <= other.mean_us);
    });
    assert_eq!(loads.iter().sum::<u128>(), 19_000);
}

/// Broken: sets that do not meet are taken for quorums.
#[test]
fn quorums_that_miss_each_other_are_refused() {
    assert_eq!(Sets::new(4, vec![0b0011], vec![0b1100], vec![0b0111]), Err(Disjoint(3, 12)));
    assert_eq!(Sets::new(4, vec![0b0111], vec![0b1100], vec![3, 12]), Err(Disjoint(3, 12)));
    let (question, placement) = placed(12, 10, 1);
    assert_eq!(question.systems(&placement), None);
}
