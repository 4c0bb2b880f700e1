//! What is encoded is what is decoded.

mod strategy;

use althing_wire::{Message, NodeRecord, frame};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Broken: a message arrives as another one, or not at all.
    #[test]
    fn messages(message in strategy::message()) {
        let body = message.encode();
        prop_assert!(body.len() <= frame::BODY_LEN_MAX as usize);
        prop_assert_eq!(Message::decode(message.kind(), body), Ok(message));
    }

    /// Broken: a node is another one after a restart.
    #[test]
    fn records(record in strategy::record()) {
        prop_assert_eq!(NodeRecord::decode(record.kind(), record.encode()), Ok(record));
    }
}
