//! The cluster of a run: its quorums, its path, and who has which role.

use super::Profile;
use althing_model::{Epoch, Membership, NodeId, Path, Role};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// All roles on every node, or, on the classic path, now and then each on nodes of its own.
pub(super) fn draw(rng: &mut impl Rng, profile: &Profile) -> Membership {
    let drawn_n = if rng.random_bool(0.5) { 3 } else { 5 };
    let drawn_f = rng.random_range(1..=(drawn_n - 1) / 2);
    let drawn_path = if rng.random_bool(0.6) { Path::Fast } else { Path::Classic };
    let (n, f) = profile.quorums.unwrap_or((drawn_n, drawn_f));
    let path = profile.path.unwrap_or(drawn_path);
    let mut roles: BTreeMap<NodeId, Vec<Role>> = BTreeMap::new();
    if path == Path::Classic && rng.random_bool(0.5) {
        let counts = [
            (Role::Dependency, n),
            (Role::Acceptor, n),
            (Role::Proposer, f + rng.random_range(1..3)),
            (Role::Replica, f + rng.random_range(1..3)),
        ];
        for (role, count) in counts {
            for _ in 0..count {
                roles.insert(NodeId(roles.len() as u32), vec![role]);
            }
        }
    } else {
        roles.extend((0..n).map(|node| (NodeId(node), Role::ALL.to_vec())));
    }
    Membership::new(Epoch(0), path, f as usize, roles).expect("drawn to fit")
}
