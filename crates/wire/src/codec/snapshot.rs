//! The first piece of a snapshot to and from its bytes.

use super::{DecodeError, Fault, count, encode, parse, to_bytes};
use crate::SnapshotHeader;
use crate::generated as pb;
use crate::limits::{COLUMNS_MAX, SEQ_END};
use althing_model::{Column, Epoch, NodeId, SeqSet};
use bytes::Bytes;
use std::collections::BTreeMap;

impl SnapshotHeader {
    /// The header's bytes.
    pub fn encode(&self) -> Bytes {
        let executed = self.executed.iter().map(|(column, set)| {
            let mut ranges = Vec::with_capacity(2 * set.fragments());
            let mut end = set.below();
            for (from, to) in set.ranges() {
                ranges.extend([from - end, to - from]);
                end = to;
            }
            let (epoch, proposer, below) = (column.epoch.0, column.proposer.0, set.below());
            pb::SeqColumn { epoch, proposer, below, ranges }
        });
        to_bytes(&pb::SnapshotHeader {
            number: self.number,
            cut: encode::deps(&self.cut),
            executed: executed.collect(),
        })
    }

    /// The header in these bytes.
    ///
    /// # Errors
    /// When they are no header, or break a rule that replicas rely on.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (body, header): (_, pb::SnapshotHeader) =
            parse("SnapshotHeader", bytes, count::HEADER)?;
        if header.executed.len() > COLUMNS_MAX {
            let found = header.executed.len();
            return body.fault("executed", Fault::TooMany { found, max: COLUMNS_MAX });
        }
        let mut executed = BTreeMap::new();
        for coded in header.executed {
            let column = Column { epoch: Epoch(coded.epoch), proposer: NodeId(coded.proposer) };
            if executed.last_key_value().is_some_and(|(last, _)| *last >= column) {
                return body.fault("executed", Fault::NotAscending);
            }
            let mut set = SeqSet::default();
            let mut end = body.number("below", coded.below, SEQ_END)?;
            set.insert_below(end);
            let (pairs, rest) = coded.ranges.as_chunks::<2>();
            if !rest.is_empty() {
                let (found, expected) = (coded.ranges.len(), 2 * pairs.len());
                return body.fault("ranges", Fault::Uneven { found, expected });
            }
            for [distance, len] in pairs {
                if *distance == 0 || *len == 0 {
                    return body.fault("ranges", Fault::NotAscending);
                }
                let from = body.number("ranges", end.saturating_add(*distance), SEQ_END)?;
                end = body.number("ranges", from.saturating_add(*len), SEQ_END)?;
                set.insert_range(from, end);
            }
            executed.insert(column, set);
        }
        let cut = body.floor("cut", header.cut)?;
        Ok(Self { number: header.number, cut, executed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::DepSet;
    use proptest::prelude::*;

    proptest! {
        /// Broken: a replica that starts from a snapshot would execute a vertex again, or never.
        #[test]
        fn a_header_comes_back(
            number: u64,
            seqs in prop::collection::vec((0u32..3, 0u64..60), 0..60),
        ) {
            let mut executed: BTreeMap<Column, SeqSet> = BTreeMap::new();
            let mut cut = DepSet::default();
            for (proposer, seq) in seqs {
                let column = Column { epoch: Epoch(0), proposer: NodeId(proposer) };
                executed.entry(column).or_default().insert(seq);
                cut.insert_below(column, seq / 2);
            }
            let header = SnapshotHeader { number, cut, executed };
            prop_assert_eq!(SnapshotHeader::decode(header.encode()), Ok(header));
        }

        /// Broken: a damaged snapshot would end the process.
        #[test]
        fn garbage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = SnapshotHeader::decode(bytes.into());
        }
    }
}
