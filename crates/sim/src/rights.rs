//! Who may send what to whom, looked up once: it is asked for every message.

use althing_model::{Membership, NodeId};
use althing_wire::{Kind, Party};

/// The table of `althing_wire::Kind` for the nodes of a run.
#[derive(Debug)]
pub(crate) struct Rights {
    /// By kind, by node: whether it may send such messages, and which role of it receives them.
    kinds: Vec<Vec<(bool, Option<Party>)>>,
}

impl Rights {
    pub(crate) fn new(membership: &Membership) -> Self {
        let nodes = membership.nodes().map(|node| node.0 + 1).max().unwrap_or(0);
        let kinds = Kind::ALL.iter().map(|kind| *kind as usize + 1).max().unwrap_or(0);
        let mut table = vec![Vec::new(); kinds];
        for kind in Kind::ALL {
            let at =
                |node| (kind.may_come_from(membership, node), kind.receiver_at(membership, node));
            table[*kind as usize] = (0..nodes).map(NodeId).map(at).collect();
        }
        Self { kinds: table }
    }

    /// Whether that node may send messages of this kind.
    pub(crate) fn may_come_from(&self, kind: Kind, node: NodeId) -> bool {
        self.kinds[kind as usize][node.0 as usize].0
    }

    /// Which role of that node receives messages of this kind.
    pub(crate) fn receiver_at(&self, kind: Kind, node: NodeId) -> Option<Party> {
        self.kinds[kind as usize][node.0 as usize].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::Path;

    /// Broken: a run would let pass, or lose, what a node would not.
    #[test]
    fn the_table_says_what_kinds_say() {
        for path in [Path::Fast, Path::Classic] {
            let membership = Membership::colocated(3, 1, path).unwrap();
            let rights = Rights::new(&membership);
            for (kind, node) in
                Kind::ALL.iter().flat_map(|it| membership.nodes().map(move |n| (it, n)))
            {
                assert_eq!(
                    rights.may_come_from(*kind, node),
                    kind.may_come_from(&membership, node)
                );
                assert_eq!(rights.receiver_at(*kind, node), kind.receiver_at(&membership, node));
            }
        }
    }
}
