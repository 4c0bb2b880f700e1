//! Power cuts: what of the unsynced survives.

use super::{Change, Content, MemoryDisk, State, write};
use crate::disk::SECTOR_BYTES;

/// How much there is that a crash may keep or lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsynced {
    /// Sectors of writes, and changed lengths: each survives or not.
    pub parts: usize,
    /// Changes of names: a prefix of them survives.
    pub names: usize,
}

impl MemoryDisk {
    /// Loses power. `choose(n)` answers with a number below n, which decides
    /// what of the unsynced survives: a prefix of the changed names; of each
    /// write nothing, all, a prefix of its bytes, or any subset of its sectors.
    /// A write over zeros may be cut at any byte, any other at a sector.
    pub fn crash(&self, choose: &mut dyn FnMut(u64) -> u64) {
        let mut state = self.state();
        let state = &mut *state;
        for content in state.contents.values_mut() {
            for change in std::mem::take(&mut content.pending) {
                content.survive(change, choose);
            }
        }
        let kept = choose(state.names_pending.len() as u64 + 1) as usize;
        state.lose_names_after(kept);
        state.restart();
    }

    /// Loses power when, of all unsynced writes in order of their files, just
    /// this many bytes had arrived. Changed names survive.
    pub fn crash_after_bytes(&self, bytes: u64) {
        let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut state = self.state();
        for content in state.contents.values_mut() {
            for change in std::mem::take(&mut content.pending) {
                match change {
                    Change::Write { offset, mut bytes } => {
                        bytes.truncate(left);
                        left -= bytes.len();
                        write(&mut content.durable, &bytes, offset);
                    }
                    length => length.apply(&mut content.durable),
                }
            }
        }
        let names = state.names_pending.len();
        state.lose_names_after(names);
        state.restart();
    }

    /// What a crash would keep or lose now.
    pub fn unsynced(&self) -> Unsynced {
        let state = self.state();
        let changes = state.contents.values().flat_map(|content| &content.pending);
        let parts = changes.map(|change| change.parts().count()).sum();
        Unsynced { parts, names: state.names_pending.len() }
    }

    /// Loses power: of the changed names the first `names` survive, and of the
    /// parts ([`Unsynced::parts`]) those that `keep` says, which is asked of each.
    /// The same part comes from the same changes, file by file in order of their
    /// making.
    pub fn crash_keeping(&self, names: usize, keep: &mut dyn FnMut(usize) -> bool) {
        let mut state = self.state();
        let mut part = 0;
        for content in state.contents.values_mut() {
            for change in std::mem::take(&mut content.pending) {
                for piece in change.parts() {
                    if keep(part) {
                        piece.apply(&mut content.durable);
                    }
                    part += 1;
                }
            }
        }
        state.lose_names_after(names);
        state.restart();
    }
}

impl State {
    fn lose_names_after(&mut self, kept: usize) {
        for change in std::mem::take(&mut self.names_pending).into_iter().take(kept) {
            change.apply(&mut self.names_durable);
        }
    }
}

impl Change {
    /// What of it survives by itself: a length, or a sector of a write.
    fn parts(&self) -> impl Iterator<Item = Self> + '_ {
        let (length, start, bytes): (Option<usize>, usize, &[u8]) = match self {
            Self::Length(len) => (Some(*len), 0, &[]),
            Self::Write { offset, bytes } => (None, *offset, bytes),
        };
        let mut at = 0;
        let sectors = std::iter::from_fn(move || {
            let offset = start + at;
            let len = (SECTOR_BYTES - offset % SECTOR_BYTES).min(bytes.len() - at);
            let part = Self::Write { offset, bytes: bytes[at..at + len].to_vec() };
            at += len;
            (len > 0).then_some(part)
        });
        length.map(Self::Length).into_iter().chain(sectors)
    }
}

impl Content {
    /// Lets the chosen part of an unsynced change become durable.
    fn survive(&mut self, change: Change, choose: &mut dyn FnMut(u64) -> u64) {
        let fate = choose(4);
        let (offset, bytes) = match change {
            Change::Write { offset, bytes } => (offset, bytes),
            length if fate.is_multiple_of(2) => return length.apply(&mut self.durable),
            Change::Length(_) => return,
        };
        match fate {
            0 => {}
            1 => write(&mut self.durable, &bytes, offset),
            2 => {
                let mut kept = choose(bytes.len() as u64 + 1) as usize;
                let sector = (offset + kept) / SECTOR_BYTES * SECTOR_BYTES;
                let old = self.durable.get(sector..).unwrap_or(&[]);
                if old.iter().take(SECTOR_BYTES).any(|byte| *byte != 0) {
                    kept = sector.saturating_sub(offset);
                }
                write(&mut self.durable, &bytes[..kept], offset);
            }
            _ => {
                let mut at = 0;
                while at < bytes.len() {
                    let len = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
                    let end = bytes.len().min(at + len);
                    if choose(2) == 1 {
                        write(&mut self.durable, &bytes[at..end], offset + at);
                    }
                    at = end;
                }
            }
        }
    }
}
