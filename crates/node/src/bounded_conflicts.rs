//! Footprints within what messages may hold.

use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable};
use althing_wire::limits::{
    NAMES_LEN_MAX, RANGES_PER_COMMAND_MAX, RESOURCE_LEN_MAX, RESOURCES_PER_COMMAND_MAX,
    SHOWN_LEN_MAX, names_len,
};
use bytes::Bytes;
use std::sync::Arc;

/// The user's conflict function, with commands refused whose footprint no message can carry. Encoding
/// does not look, and the peers would close the connection of whoever sent one.
pub(crate) struct BoundedConflicts(pub(crate) Arc<dyn Conflicts>);

impl Conflicts for BoundedConflicts {
    fn modes(&self) -> &ModeTable {
        self.0.modes()
    }

    fn id(&self) -> ConflictsId {
        self.0.id()
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let footprint = self.0.footprint(payload)?;
        match check(&footprint) {
            Ok(()) => Ok(footprint),
            Err(over) => Err(CommandInvalid(over.to_string())),
        }
    }
}

/// What no message can carry of a footprint, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum OverLimit {
    #[error("it touches {0} resources, over the {RESOURCES_PER_COMMAND_MAX} allowed: split it")]
    Resources(usize),
    #[error(
        "it touches {0} ranges, over the {RANGES_PER_COMMAND_MAX} allowed: split it, or touch a wider one"
    )]
    Ranges(usize),
    #[error("it touches a resource with a name of {0} bytes, over the {RESOURCE_LEN_MAX} allowed")]
    Name(usize),
    #[error(
        "it touches a range that begins or ends at a name of {0} bytes, over the {RESOURCE_LEN_MAX} allowed"
    )]
    Bound(usize),
    #[error(
        "the names of what it touches have {0} bytes together, over the {NAMES_LEN_MAX} allowed: split it"
    )]
    Names(usize),
    #[error("it shows the predicate {0} bytes, over the {SHOWN_LEN_MAX} allowed: show less of it")]
    Shown(usize),
    #[error(
        "its footprint is not in its one form: make it with Footprint::of or Footprint::with_ranges"
    )]
    Form,
}

fn check(footprint: &Footprint) -> Result<(), OverLimit> {
    let (resources, ranges) = (footprint.resources(), footprint.ranges());
    if resources.len() > RESOURCES_PER_COMMAND_MAX {
        return Err(OverLimit::Resources(resources.len()));
    }
    if ranges.len() > RANGES_PER_COMMAND_MAX {
        return Err(OverLimit::Ranges(ranges.len()));
    }
    let is_long = |name: &&Bytes| name.len() > RESOURCE_LEN_MAX;
    if let Some(name) = resources.iter().map(|(name, _)| name).find(is_long) {
        return Err(OverLimit::Name(name.len()));
    }
    let mut bounds = ranges.iter().flat_map(|(range, _)| [Some(range.begin()), range.end()]);
    if let Some(bound) = bounds.find_map(|bound| bound.filter(|name| is_long(name))) {
        return Err(OverLimit::Bound(bound.len()));
    }
    let names = names_len(footprint);
    if names > NAMES_LEN_MAX {
        return Err(OverLimit::Names(names));
    }
    match footprint {
        Footprint::Predicate(shown) if shown.len() > SHOWN_LEN_MAX => {
            Err(OverLimit::Shown(shown.len()))
        }
        // The variants are public, and peers take the one form only.
        Footprint::Ranges { ranges, .. } if ranges.is_empty() => Err(OverLimit::Form),
        _ if !resources.is_sorted_by(|a, b| a < b) || !ranges.is_sorted_by(|a, b| a < b) => {
            Err(OverLimit::Form)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Mode, Range};

    /// Touches as many resources as the payload has bytes, each with a name of as many.
    struct Square(ModeTable);

    impl Conflicts for Square {
        fn modes(&self) -> &ModeTable {
            &self.0
        }

        fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
            let name = |index: usize| format!("{index:0width$}", width = payload.len());
            Ok(Footprint::of((0..payload.len()).map(|index| (Bytes::from(name(index)), Mode(1)))))
        }
    }

    /// Broken: one command of a client takes this node's links to all others down.
    #[test]
    fn a_footprint_that_no_message_holds_is_the_client_s_error() {
        let bounded = BoundedConflicts(Arc::new(Square(ModeTable::read_write())));
        assert!(bounded.footprint(&[0; 1024]).is_ok());
        let refused = bounded.footprint(&[0; 1025]).unwrap_err();
        assert!(refused.0.contains("1025"), "{refused}");
    }

    /// Broken: the same by ranges, by all names together, by what is shown, or by a footprint that
    /// its function put together by hand.
    #[test]
    fn each_limit_is_named() {
        let long = |len: usize| Bytes::from(vec![b'x'; len]);
        let over = |range| Footprint::with_ranges([], [(range, Mode(0))]);
        let many = |count: u32| {
            let range = |i: u32| (Range::from(i.to_be_bytes().to_vec()), Mode(0));
            Footprint::with_ranges([], (0..count).map(range))
        };
        let wide = Footprint::with_ranges(
            (0..1024u32)
                .map(|i| (Bytes::from([&i.to_be_bytes()[..], &[0; 1020]].concat()), Mode(0))),
            [(Range::from("x"), Mode(0))],
        );
        let twice = vec![(long(1), Mode(0)); 2];
        for (footprint, expected) in [
            (many(257), OverLimit::Ranges(257)),
            (over(Range::from(long(1025))), OverLimit::Bound(1025)),
            (over(Range::between("a", long(1025)).unwrap()), OverLimit::Bound(1025)),
            (wide, OverLimit::Names((1 << 20) + 1)),
            (Footprint::predicate(long(4097)), OverLimit::Shown(4097)),
            (Footprint::Resources(twice), OverLimit::Form),
            (Footprint::Ranges { resources: vec![], ranges: vec![] }, OverLimit::Form),
        ] {
            assert_eq!(check(&footprint), Err(expected));
        }
        for fits in [many(256), over(Range::from(long(1024))), Footprint::predicate(long(4096))] {
            assert_eq!(check(&fits), Ok(()));
        }
    }
}
