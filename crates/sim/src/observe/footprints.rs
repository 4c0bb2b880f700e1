//! What the checker calls things: columns by number, sets by column, footprints by bytes.

use crate::app::Seen;
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
pub(crate) fn with_footprint<T>(
    commands: &Commands,
    seen: &Seen,
    then: impl FnOnce(Touched<'_>) -> T,
) -> T {
    let commands = commands.as_slice();
    if let [command] = commands {
        return with_footprint_of(command, seen, then);
    }
    if commands.iter().any(|command| command.footprint == Footprint::Everything) {
        return then(Touched::Everything);
    }
    if commands.iter().any(|command| !is_of_resources(command)) {
        return with_linked(commands.iter().map(|command| &command.footprint), seen, then);
    }
    let resources: Vec<(&[u8], u8)> = commands.iter().flat_map(resources).collect();
    then(Touched::Resources(&resources))
}

/// Nearly all commands touch no more than this.
const FEW: usize = 4;

/// Calls `then` with what the command touches.
pub(crate) fn with_footprint_of<T>(
    command: &Command,
    seen: &Seen,
    then: impl FnOnce(Touched<'_>) -> T,
) -> T {
    with_touched(&command.footprint, seen, then)
}

/// Calls `then` with what a footprint touches.
pub(crate) fn with_touched<T>(
    footprint: &Footprint,
    seen: &Seen,
    then: impl FnOnce(Touched<'_>) -> T,
) -> T {
    if *footprint == Footprint::Everything {
        return then(Touched::Everything);
    }
    if !matches!(footprint, Footprint::Resources(_)) {
        return with_linked(std::iter::once(footprint), seen, then);
    }
    let mut few: [(&[u8], u8); FEW] = [(&[], 0); FEW];
    let touched = || named_resources(footprint);
    let len = touched().count();
    if let Some(few) = few.get_mut(..len) {
        few.iter_mut().zip(touched()).for_each(|(slot, resource)| *slot = resource);
        return then(Touched::Resources(few));
    }
    let resources: Vec<(&[u8], u8)> = touched().collect();
    then(Touched::Resources(&resources))
}

fn is_of_resources(command: &Command) -> bool {
    matches!(command.footprint, Footprint::Resources(_))
}

/// Ranges and what a predicate is shown come to resources here, as the application sees them; a
/// range is a link of the chain by its own name.
fn with_linked<'a, T>(
    footprints: impl Iterator<Item = &'a Footprint> + Clone,
    seen: &Seen,
    then: impl FnOnce(Touched<'_>) -> T,
) -> T {
    let seen: Vec<_> = footprints.clone().flat_map(|footprint| seen(footprint)).collect();
    let resources: Vec<_> = seen.iter().map(|(name, mode)| (&name[..], mode.0)).collect();
    let ranges: Vec<String> = footprints
        .clone()
        .flat_map(|footprint| footprint.ranges())
        .map(|(range, _)| format!("range {range:?}"))
        .collect();
    let mut links: Vec<&[u8]> = footprints
        .flat_map(|footprint| footprint.resources())
        .map(|(name, _)| &name[..])
        .chain(ranges.iter().map(String::as_bytes))
        .collect();
    links.sort_unstable();
    links.dedup();
    then(Touched::Linked { resources: &resources, links: &links })
}

fn resources(command: &Command) -> impl Iterator<Item = (&[u8], u8)> {
    named_resources(&command.footprint)
}

fn named_resources(footprint: &Footprint) -> impl Iterator<Item = (&[u8], u8)> {
    footprint.resources().iter().map(|(resource, mode)| (resource.as_ref(), mode.0))
}

fn column_number(column: Column) -> u64 {
    u64::from(column.epoch.0) << 32 | u64::from(column.proposer.0)
}
