//! Footprints within what messages may hold.

use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable};
use althing_wire::limits::{RESOURCE_LEN_MAX, RESOURCES_PER_COMMAND_MAX};
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
        if let Footprint::Resources(resources) = &footprint {
            let count = resources.len();
            if count > RESOURCES_PER_COMMAND_MAX {
                return Err(CommandInvalid(format!(
                    "it touches {count} resources, over the {RESOURCES_PER_COMMAND_MAX} allowed: \
                     split it"
                )));
            }
            if let Some((name, _)) =
                resources.iter().find(|(name, _)| name.len() > RESOURCE_LEN_MAX)
            {
                let len = name.len();
                return Err(CommandInvalid(format!(
                    "it touches a resource with a name of {len} bytes, over the \
                     {RESOURCE_LEN_MAX} allowed"
                )));
            }
        }
        Ok(footprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::Mode;
    use bytes::Bytes;

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
}
