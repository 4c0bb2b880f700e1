//! A register whose written values are all different: decided by sorting, without a search.
//!
//! Each read then names its write. A value with its write and its reads is a *cluster*; all of it
//! must stand together in the order. Cluster A must stand before cluster B when some operation of
//! A returned before some operation of B was invoked, that is, when the earliest return in A is
//! before the latest invocation in B. An order exists exactly when no read returned before its
//! write was invoked and no two clusters must each stand before the other: a longer circle of
//! clusters always holds a circle of two. (Gibbons and Korach, Testing Shared Memories, 1997.)
//!
//! Two clusters that each must stand before the other are either two that both stretch from an
//! earliest return to a later latest invocation, and overlap; or one such and one that lies within
//! it. Sorting finds both.

use crate::partition::{NEVER, Part};
use crate::specification::Specification;

/// Whether the part is linearizable; `None` where it is no register with unique written values.
pub(crate) fn check<S: Specification>(part: &Part<'_, S>) -> Option<bool> {
    if part.keys.len() != 1 {
        return None;
    }
    let mut clusters = vec![Cluster::default(); part.cells_len()];
    // The initial value was there before everything.
    clusters[0].write = Some((0, 0));
    for op in &part.ops {
        if op.moves.is_some() {
            return None;
        }
        match (op.changes, &op.needs[..], &op.makes[..], &op.vague[..]) {
            (true, [], [(_, cell)], []) => {
                let cluster = &mut clusters[*cell as usize];
                if cluster.write.is_some() {
                    return None;
                }
                // Events count from 0, and the initial value's write is before them.
                cluster.write = Some((op.invoked.saturating_add(1), later(op.returned)));
            }
            (false, [(_, cell)], [], []) => {
                let cluster = &mut clusters[*cell as usize];
                let returned = later(op.returned);
                cluster.read_returned = cluster.read_returned.min(returned);
                cluster.read_invoked = cluster.read_invoked.max(op.invoked.saturating_add(1));
            }
            _ => return None,
        }
    }
    Some(is_ordered(&clusters))
}

fn later(returned: u64) -> u64 {
    match returned {
        NEVER => NEVER,
        at => at.saturating_add(1),
    }
}

#[derive(Clone)]
struct Cluster {
    /// Invoked and returned.
    write: Option<(u64, u64)>,
    /// The earliest return of a read.
    read_returned: u64,
    /// The latest invocation of a read; 0 without reads.
    read_invoked: u64,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { write: None, read_returned: NEVER, read_invoked: 0 }
    }
}

fn is_ordered(clusters: &[Cluster]) -> bool {
    // By earliest return: the clusters that stretch from there to a later invocation.
    let mut stretched: Vec<(u64, u64)> = Vec::new();
    // From latest invocation to a return that is not before it.
    let mut compact: Vec<(u64, u64)> = Vec::new();
    for cluster in clusters {
        let is_read = cluster.read_returned != NEVER || cluster.read_invoked != 0;
        let Some((invoked, returned)) = cluster.write else {
            if is_read {
                return false;
            }
            continue;
        };
        if returned == NEVER && !is_read {
            // A write of unknown outcome that nobody saw: it need not have happened.
            continue;
        }
        if cluster.read_returned < invoked {
            return false;
        }
        let first = returned.min(cluster.read_returned);
        let last = invoked.max(cluster.read_invoked);
        match first < last {
            true => stretched.push((first, last)),
            false => compact.push((last, first)),
        }
    }
    stretched.sort_unstable();
    if stretched.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        return false;
    }
    compact.iter().all(|(last, first)| {
        let after = stretched.partition_point(|(f, _)| f < last);
        after == 0 || *first >= stretched[after - 1].1
    })
}
