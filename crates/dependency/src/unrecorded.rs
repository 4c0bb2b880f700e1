//! Dependencies for a read, of which nothing is recorded (`protocol` section 8).

use crate::ConflictIndex;
use althing_model::{Command, Commands, DepSet, Footprint, Operation};
use althing_wire::{ReadDepend, ReadDepended, ReadScope};

impl ConflictIndex {
    /// What a command with the read's footprint would depend on: every conflicting vertex that was
    /// entered, and the floor. Nothing is entered, so nothing comes to depend on the read.
    pub fn answer_read(&self, read: ReadDepend) -> ReadDepended {
        let ReadDepend { read, scope } = read;
        ReadDepended { read, deps: self.unrecorded(scope) }
    }

    fn unrecorded(&self, scope: ReadScope) -> DepSet {
        let footprint = match scope {
            ReadScope::Resource(resource, mode) => Footprint::of([(resource, mode)]),
            ReadScope::Everything => Footprint::Everything,
        };
        // What it does is nothing to the index.
        let command = Command { operation: Operation::OpenSession, footprint };
        self.dependencies(&Commands::Batch([command].into()))
    }
}
