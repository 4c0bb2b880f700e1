//! What a watcher should have been told: from its tokens, and what is committed where.

use super::{Observer, digest};
use althing_checker::{Violation, Watched};
use althing_model::{DepSet, Filter, Footprint, ModeTable, NodeId, RequestId, VertexId};

/// A request, as a watcher may be told of it.
#[derive(Debug)]
pub(super) struct Watchable {
    request: RequestId,
    footprint: Footprint,
    /// The vertices that hold it.
    vertices: Vec<VertexId>,
}

impl Observer {
    /// A vertex that holds the request is committed.
    pub(super) fn may_be_watched(
        &mut self,
        vertex: VertexId,
        request: RequestId,
        footprint: &Footprint,
    ) {
        let known = self.watchable.entry(digest(&request)).or_insert_with(|| Watchable {
            request,
            footprint: footprint.clone(),
            vertices: Vec::new(),
        });
        known.vertices.push(vertex);
    }

    /// A watcher was told what took effect between two tokens, of what its filter lets through, where
    /// the replica executed everything. A request that took effect lies behind the first token if none of
    /// its vertices is in it, and before the second if one is.
    pub(crate) fn check_watched(
        &self,
        replica: NodeId,
        (from, to): (&DepSet, &DepSet),
        filter: &Filter,
        modes: &ModeTable,
        watched: &Watched,
    ) -> Result<(), Violation> {
        let is_between = |id: &u128| {
            let it = &self.watchable[id];
            let is_in = |token: &DepSet| it.vertices.iter().any(|vertex| token.contains(*vertex));
            filter.matches(&it.footprint) && !is_in(from) && is_in(to)
        };
        let expected = self.order.log(replica.0).filter(is_between);
        let conflict = |a: u128, b: u128| {
            self.watchable[&a].footprint.conflicts_with(&self.watchable[&b].footprint, modes)
        };
        let words = |id: u128| match self.watchable.get(&id) {
            Some(it) => format!("{} in {:?}", it.request, it.vertices),
            None => format!("{id:032x}"),
        };
        watched.finish(expected, conflict, words)
    }
}
