//! One file on its way: which parts are here, and what to ask for.

use std::collections::BTreeSet;

use althing_journal::disk::Disk;
use althing_model::NodeId;

use crate::error::SnapshotError;
use crate::format::Layout;
use crate::incoming::Incoming;
use crate::limits::{CHECKS_MAX, CHUNK_BYTES};
use crate::message::{Ask, Chunk, Offer};
use crate::window::Window;

/// First the tail, the hashes and the footer, which the offer's digest proves as
/// a whole; then the chunks of the body, each proven by its hash.
pub(crate) struct Transfer<D: Disk> {
    pub(crate) offer: Offer,
    layout: Layout,
    pub(crate) source: NodeId,
    pub(crate) incoming: Incoming<D>,
    pub(crate) window: Window,
    pub(crate) received: u64,
    /// The file's end as far as it came, and of whom, while it is not proven.
    tail: Vec<u8>,
    tail_of: BTreeSet<NodeId>,
}

impl<D: Disk> Transfer<D> {
    pub(crate) fn new(offer: Offer, layout: Layout, source: NodeId, incoming: Incoming<D>) -> Self {
        let mut transfer = Self {
            offer,
            layout,
            source,
            incoming,
            window: Window::new(0),
            received: 0,
            tail: Vec::new(),
            tail_of: BTreeSet::new(),
        };
        if transfer.incoming.has_tail() {
            transfer.begin_body();
        } else {
            transfer.begin_tail();
        }
        transfer
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.incoming.has_tail() && self.window.is_complete()
    }

    fn begin_tail(&mut self) {
        let len = self.incoming.tail_len();
        self.received = 0;
        self.tail = vec![0; len];
        self.window = Window::new(len.div_ceil(CHUNK_BYTES) as u64);
    }

    fn begin_body(&mut self) {
        self.received = self.incoming.tail_len() as u64;
        self.tail = Vec::new();
        self.window = Window::new(self.layout.chunks());
    }

    /// Where a part is in the file, and how long.
    fn place(&self, part: u64) -> (u64, usize) {
        let start = part * CHUNK_BYTES as u64;
        if self.incoming.has_tail() {
            (start, self.layout.chunk_len(part))
        } else {
            let len = (self.tail.len() - start as usize).min(CHUNK_BYTES);
            (self.layout.body_len + start, len)
        }
    }

    /// Which awaited part a chunk claims to be.
    pub(crate) fn part(&self, chunk: &Chunk) -> Option<u64> {
        let start = if self.incoming.has_tail() { 0 } else { self.layout.body_len };
        let part = chunk.offset.checked_sub(start)? / CHUNK_BYTES as u64;
        let awaited = chunk.number == self.offer.number && self.window.awaits(part);
        (awaited && self.place(part).0 == chunk.offset).then_some(part)
    }

    /// As many asks as there is room for. What an earlier life wrote is skipped,
    /// after a look at it.
    pub(crate) fn asks(&mut self, now: u64) -> Result<Vec<(NodeId, Ask)>, SnapshotError> {
        let mut asks = Vec::new();
        let mut checks = 0;
        let resumed = self.incoming.has_tail() && self.incoming.is_resumed();
        while !(resumed && checks == CHECKS_MAX)
            && let Some(part) = self.window.take()
        {
            let (offset, len) = self.place(part);
            if resumed {
                checks += 1;
                if self.incoming.holds(part)? {
                    self.received += len as u64;
                    continue;
                }
            }
            self.window.asked(part, self.source, now);
            let len = u32::try_from(len).expect("a part is at most a chunk");
            asks.push((self.source, Ask { number: self.offer.number, offset, len }));
        }
        Ok(asks)
    }

    pub(crate) fn take(
        &mut self,
        from: NodeId,
        part: u64,
        chunk: &Chunk,
    ) -> Result<Verdict, SnapshotError> {
        let (_, len) = self.place(part);
        if chunk.bytes.len() != len || !chunk.is_whole() {
            self.window.ask_again(part);
            return Ok(Verdict::Changed);
        }
        if !self.incoming.has_tail() {
            return self.take_tail(from, part, chunk);
        }
        if !self.incoming.put(part, &chunk.bytes)? {
            self.window.ask_again(part);
            return Ok(Verdict::Wrong { of: BTreeSet::from([from]) });
        }
        self.window.came(part);
        self.received += len as u64;
        Ok(Verdict::Kept { proven: true })
    }

    /// Takes a part of the tail, which only the whole of it proves.
    fn take_tail(
        &mut self,
        from: NodeId,
        part: u64,
        chunk: &Chunk,
    ) -> Result<Verdict, SnapshotError> {
        let at = part as usize * CHUNK_BYTES;
        self.tail[at..at + chunk.bytes.len()].copy_from_slice(&chunk.bytes);
        self.tail_of.insert(from);
        self.received += chunk.bytes.len() as u64;
        self.window.came(part);
        if !self.window.is_complete() {
            return Ok(Verdict::Kept { proven: false });
        }
        let of = std::mem::take(&mut self.tail_of);
        if !self.incoming.put_tail(std::mem::take(&mut self.tail))? {
            self.begin_tail();
            return Ok(Verdict::Wrong { of });
        }
        self.begin_body();
        Ok(Verdict::Kept { proven: true })
    }
}

/// What a chunk tells of who sent it.
pub(crate) enum Verdict {
    /// Written, or kept until the tail is whole.
    Kept {
        /// It is certainly what was offered.
        proven: bool,
    },
    /// Changed on the way.
    Changed,
    /// Not what was offered.
    Wrong {
        /// The peers that it may be of.
        of: BTreeSet<NodeId>,
    },
}
