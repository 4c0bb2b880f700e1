//! What the commands of [`super::Modes`] touch, in bytes, and the three levels at which their conflict
//! function says so.

use crate::Workload;
use althing_model::{Footprint, Mode, ModeTable, Predicate, Range};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use rand::{Rng, RngExt};

/// How a conflict function says what commands touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// By single resources.
    Resources,
    /// By resources and ranges of them.
    Ranges,
    /// By bytes for a predicate.
    Predicate,
    /// Half of the commands as with ranges, the others by the predicate.
    Mixed,
}

impl Level {
    /// Whether commands touch ranges: where they do not, they are drawn as if there were none.
    fn has_ranges(self) -> bool {
        self != Self::Resources
    }

    /// Whether the table needs a predicate.
    pub(super) fn has_predicate(self) -> bool {
        matches!(self, Self::Predicate | Self::Mixed)
    }

    /// The footprint of the command of that number.
    pub(super) fn footprint(self, number: u64, touched: &[Touch]) -> Footprint {
        let is_shown = match self {
            Self::Predicate => true,
            Self::Mixed => number.is_multiple_of(2),
            Self::Resources | Self::Ranges => false,
        };
        if is_shown && !touched.is_empty() {
            return Footprint::Predicate(encoded(touched));
        }
        let (single, wide): (Vec<Touch>, Vec<Touch>) =
            touched.iter().partition(|touch| touch.first == touch.last);
        Footprint::with_ranges(
            single.iter().map(|touch| (name(touch.first), Mode(touch.mode))),
            wide.iter().map(|touch| (touch.range(), Mode(touch.mode))),
        )
    }
}

/// Resources by number, from the first to the last, in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) mode: u8,
}

impl Touch {
    fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn range(&self) -> Range {
        match self.last.checked_add(1) {
            Some(next) => Range::between(name(self.first), name(next)).expect("it ascends"),
            None => Range::from(name(self.first)),
        }
    }
}

/// What an operation of that client touches: each resource at most once.
pub(super) fn draw(
    level: Level,
    workload: &Workload,
    modes: usize,
    client: usize,
    rng: &mut dyn Rng,
) -> Vec<Touch> {
    // Some touch nothing, some several resources.
    let count = if workload.has_multi_key { rng.random_range(0..4) } else { 1 };
    let mut touched: Vec<Touch> = Vec::new();
    for _ in 0..count {
        let is_hot = rng.random_range(0..100) < workload.hot_percent;
        let first = match is_hot {
            true => rng.random_range(0..workload.hot_keys) as u16,
            false => 1000 + 10 * client as u16 + rng.random_range(0..3),
        };
        let mode = rng.random_range(0..modes) as u8;
        let wide = level.has_ranges() && rng.random_bool(0.4);
        // Often the same two ranges, so that one follows another.
        let touch = match wide {
            true if rng.random_bool(0.5) => Touch { first: first & !3, last: first | 3, mode },
            true => Touch { first, last: first + rng.random_range(1..6), mode },
            false => Touch { first, last: first, mode },
        };
        match level.has_ranges() {
            true if touched.iter().any(|other| other.overlaps(&touch)) => continue,
            true => {}
            // The last word counts.
            false => touched.retain(|other| other.first != touch.first),
        }
        touched.push(touch);
    }
    touched.sort_by_key(|touch| touch.first);
    touched
}

/// The oracles' view: every resource inside.
pub(super) fn seen(footprint: &Footprint) -> Vec<(Bytes, Mode)> {
    let number = |name: &Bytes| u16::from_be_bytes([name[0], name[1]]);
    let each = |touch: Touch| {
        (touch.first..=touch.last).map(move |resource| (name(resource), Mode(touch.mode)))
    };
    match footprint {
        Footprint::Predicate(shown) => {
            parse(shown).expect("a footprint shows it").into_iter().flat_map(each).collect()
        }
        Footprint::Resources(_) | Footprint::Ranges { .. } | Footprint::Everything => {
            let wide = footprint.ranges().iter().map(|(range, mode)| Touch {
                first: number(range.begin()),
                last: range.end().map_or(u16::MAX, |end| number(end) - 1),
                mode: mode.0,
            });
            footprint.resources().iter().cloned().chain(wide.flat_map(each)).collect()
        }
    }
}

fn name(resource: u16) -> Bytes {
    Bytes::copy_from_slice(&resource.to_be_bytes())
}

pub(super) fn encoded(touched: &[Touch]) -> Bytes {
    let mut bytes = BytesMut::new();
    for touch in touched {
        bytes.put_u16(touch.first);
        bytes.put_u16(touch.last);
        bytes.put_u8(touch.mode);
    }
    bytes.freeze()
}

/// None if the bytes are no list.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Vec<Touch>> {
    let mut touched = Vec::with_capacity(bytes.len() / 5);
    while !bytes.is_empty() {
        let first = bytes.try_get_u16().ok()?;
        let last = bytes.try_get_u16().ok()?;
        touched.push(Touch { first, last, mode: bytes.try_get_u8().ok()? });
    }
    touched.iter().all(|touch| touch.first <= touch.last).then_some(touched)
}

/// Says of two lists whether they clash on some resource.
#[derive(Debug, Clone)]
pub(super) struct Clash(pub(super) ModeTable);

impl Predicate for Clash {
    fn name(&self) -> &str {
        "clash"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        let (Some(ours), Some(theirs)) = (parse(a), parse(b)) else { return true };
        ours.iter().any(|a| {
            theirs.iter().any(|b| a.overlaps(b) && !self.0.commute(Mode(a.mode), Mode(b.mode)))
        })
    }
}
