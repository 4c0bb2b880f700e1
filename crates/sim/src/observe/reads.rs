//! Reads: what each showed, what each client knew when it asked.

use super::footprints::with_touched;
use super::{Observer, digest};
use althing_checker::{Ending, Known, OperationId, Shown, Violation};
use althing_model::{Footprint, Micros, NodeId, RequestId};
use althing_wire::{ClientId, Consistency, Read};
use bytes::Bytes;
use rustc_hash::FxHashMap;

/// What the oracles of reads know.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// What each client has seen.
    known: FxHashMap<ClientId, Known>,
    /// Reads by client and ticket.
    asked: FxHashMap<(ClientId, u64), Asked>,
    /// The linearizable ones that ended, and what they showed.
    pub(super) done: Vec<(OperationId, Shown)>,
    /// Commands that were answered, and what the nodes' clocks showed then.
    answered: Vec<(u128, Vec<(NodeId, Micros)>)>,
    /// How far each node's clock jumped back, altogether.
    jumped_back: FxHashMap<NodeId, Micros>,
}

#[derive(Debug)]
struct Asked {
    footprint: Footprint,
    /// For a session's read, what its client had seen when it asked first.
    known: Option<Known>,
}

impl Reads {
    /// A client asks, for the first time or again.
    pub(crate) fn asked(&mut self, client: ClientId, read: &Read, footprint: Footprint) {
        let known = matches!(read.consistency, Consistency::Session(_))
            .then(|| self.known.get(&client).cloned().unwrap_or_default());
        self.asked.entry((client, read.ticket)).or_insert(Asked { footprint, known });
    }

    /// A client heard what a read showed.
    pub(crate) fn heard(&mut self, client: ClientId, shown: &Shown) {
        self.known.entry(client).or_default().add(shown);
    }

    /// A client was answered, when the clocks showed this.
    pub(crate) fn answered(
        &mut self,
        _client: ClientId,
        command: u128,
        clocks: impl Iterator<Item = (NodeId, Micros)>,
    ) {
        self.answered.push((command, clocks.collect()));
    }
}

impl Observer {
    /// A client knows that a request was executed.
    pub(crate) fn knows(&mut self, client: ClientId, request: RequestId) {
        let known = self.reads.known.entry(client).or_default();
        self.order.answered(digest(&request), known);
    }

    /// A node's clock jumps.
    pub(crate) fn clock_jumped(&mut self, node: NodeId, by: i64) {
        if by < 0 {
            *self.reads.jumped_back.entry(node).or_default() += by.unsigned_abs();
        }
    }

    /// A replica answers a read, when its clock shows that; what it shows.
    pub(crate) fn shown(
        &mut self,
        (node, now): (NodeId, Micros),
        asked: (ClientId, u64),
        lag: Option<Micros>,
    ) -> Result<Option<Shown>, Violation> {
        let Some(asked) = self.reads.asked.get(&asked) else { return Ok(None) };
        if let Some(known) = &asked.known {
            self.order.read_in_session(node.0, known)?;
        }
        if let Some(lag) = lag {
            // A lag is measured by the node's clock: one that jumped back in the meantime hides that much.
            let hidden = self.reads.jumped_back.get(&node).copied().unwrap_or_default();
            let since = now.saturating_sub(lag).saturating_sub(hidden);
            for (command, clocks) in &self.reads.answered {
                let is_older = |(other, at): &(NodeId, Micros)| *other == node && *at < since;
                if clocks.iter().any(is_older) {
                    self.order.read_with_lag(node.0, *command)?;
                }
            }
        }
        let order = &mut self.order;
        let shown = |footprint: althing_checker::Footprint<'_>| order.shown(node.0, footprint);
        Ok(Some(with_touched(&asked.footprint, &self.seen, shown)))
    }

    /// A linearizable read is done.
    pub(crate) fn read_done(
        &mut self,
        operation: OperationId,
        now: u64,
        reply: Bytes,
        shown: Shown,
    ) -> Result<(), Violation> {
        self.accounted.ended(operation.number() as u64, Ending::Done)?;
        self.history.returned(operation, now * 1000, reply);
        self.reads.done.push((operation, shown));
        Ok(())
    }

    /// A read that promises less is done: it is no part of the history.
    pub(crate) fn read_aside(&mut self, operation: OperationId) -> Result<(), Violation> {
        self.history.failed(operation);
        self.accounted.ended(operation.number() as u64, Ending::Done)
    }
}
