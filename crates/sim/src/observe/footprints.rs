//! What the checker calls things: columns by number, sets by column, footprints by bytes.

use althing_checker::footprint::Footprint as Touched;
use althing_checker::{ColumnDependencies, Vertex};
use althing_model::{Column, Command, Commands, DepSet, Footprint, VertexId};

pub(crate) fn named(vertex: VertexId) -> Vertex {
    Vertex { column: column_number(vertex.column()), seq: vertex.seq }
}

pub(crate) fn columns(deps: &DepSet) -> Vec<ColumnDependencies<'_>> {
    let columns = deps.columns().map(|(column, row)| ColumnDependencies {
        column: column_number(column),
        prefix: row.below(),
        extras: row.extras(),
    });
    columns.collect()
}

/// Calls `then` with what the commands touch together.
pub(crate) fn with_footprint<T>(commands: &Commands, then: impl FnOnce(Touched<'_>) -> T) -> T {
    let commands = commands.as_slice();
    if let [command] = commands {
        return with_footprint_of(command, then);
    }
    if commands.iter().any(|command| command.footprint == Footprint::Everything) {
        return then(Touched::Everything);
    }
    let resources: Vec<(&[u8], u8)> = commands.iter().flat_map(resources).collect();
    then(Touched::Resources(&resources))
}

/// Nearly all commands touch no more than this.
const FEW: usize = 4;

/// Calls `then` with what the command touches.
pub(crate) fn with_footprint_of<T>(command: &Command, then: impl FnOnce(Touched<'_>) -> T) -> T {
    if command.footprint == Footprint::Everything {
        return then(Touched::Everything);
    }
    let mut few: [(&[u8], u8); FEW] = [(&[], 0); FEW];
    let len = resources(command).count();
    if let Some(few) = few.get_mut(..len) {
        few.iter_mut().zip(resources(command)).for_each(|(slot, resource)| *slot = resource);
        return then(Touched::Resources(few));
    }
    let resources: Vec<(&[u8], u8)> = resources(command).collect();
    then(Touched::Resources(&resources))
}

fn resources(command: &Command) -> impl Iterator<Item = (&[u8], u8)> {
    command.footprint.resources().iter().map(|(resource, mode)| (resource.as_ref(), mode.0))
}

fn column_number(column: Column) -> u64 {
    u64::from(column.epoch.0) << 32 | u64::from(column.proposer.0)
}
