//! The conflict function of a replicated log: every command waits for every other.
//!
//! It is always right, and what the others are compared with.

use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable};

/// Lets all commands of another conflict function conflict.
pub struct Everything<C>(pub C);

impl<C: Conflicts> Conflicts for Everything<C> {
    fn modes(&self) -> &ModeTable {
        self.0.modes()
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        self.0.footprint(payload).map(|_| Footprint::Everything)
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/everything", 1, self.modes())
    }
}
