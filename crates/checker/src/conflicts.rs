//! CommittedConflicts (I2): of two conflicting committed vertices, one is reachable from the other.
//!
//! Reachable over *committed* dependencies, through any vertex, noops too. A direct edge is enough;
//! a path is what compaction leaves.
//!
//! **When a pair is decided.** A vertex is *closed* once all that it reaches is committed; its
//! reach never changes afterwards. If x is closed and y is not, x cannot reach y, and whether y
//! reaches x may still hang on a vertex that is not committed: the pair stays open. When both are
//! closed, the answer is final.
//!
//! **Closing.** A pass runs Tarjan's algorithm (own stack, no recursion) over the committed vertices
//! that are not closed, stopping at uncommitted ones. It closes components in an order in which
//! everything reached comes first, so a vertex can only reach what was closed before it or with
//! it: each newly closed vertex must reach *every* conflicting vertex closed before. A pass runs
//! when as many vertices were committed since the last one as that left open: at every commit
//! while nothing is blocked, and never more than a constant amount of work per commit.
//!
//! **Not all pairs are asked.** Per resource and mode there is a *frontier*: vertices which,
//! between them, are known to reach every earlier vertex that conflicts with the mode. To reach the
//! frontier is to reach them all. For writes alone it is the last write.
//!
//! **Asking.** A direct edge first; else a search from the new vertex that never looks at components
//! closed before the oldest target.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::footprint::{Resources, Touched};
use crate::{Commutes, Footprint, Violation};

/// Names a vertex: a column (one proposer's sequence in one epoch, say) and a place in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vertex {
    /// The column.
    pub column: u64,
    /// The place in the column, counted from 0.
    pub seq: u64,
}

impl std::fmt::Debug for Vertex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {})", self.column, self.seq)
    }
}

/// The part of a vertex's dependencies that lies in one column.
#[derive(Debug, Clone, Copy)]
pub struct ColumnDependencies<'a> {
    /// The column.
    pub column: u64,
    /// Every `seq` below it is a dependency.
    pub prefix: u64,
    /// Further ones, in any order. A vertex's own name among them (or under the prefix) is
    /// ignored.
    pub extras: &'a [u64],
}

/// How many of a frontier's newest vertices are tried for a direct edge when a commuting vertex
/// joins them: a chain per proposer keeps the frontier short, without it joining stays cheap.
const FRONTIER_SHORTENED_LEN: usize = 8;

const NONE: u32 = u32::MAX;

/// Any two committed, conflicting, non-noop vertices are ordered by committed dependencies.
#[derive(Debug)]
pub struct CommittedConflicts {
    commutes: Commutes,
    resources: Resources,
    column_numbers: FxHashMap<u64, u32>,
    columns: Vec<Column>,
    nodes: Vec<Node>,
    /// Committed and not closed.
    open: Vec<u32>,
    open_after_pass: usize,
    committed_since_pass: usize,
    passes: u32,
    components: u32,
    searches: u32,
    barriers: Barriers,
    by_resource: FxHashMap<u32, Resource>,
}

#[derive(Debug, Default)]
struct Column {
    members: BTreeMap<u64, u32>,
    /// All below are committed.
    committed_below: u64,
    /// All below are closed.
    closed_below: u64,
    /// The highest component below `closed_below`.
    component_max: u32,
}

#[derive(Debug)]
struct Node {
    vertex: Vertex,
    column: u32,
    /// `None`: a noop.
    touched: Option<Touched>,
    /// Sorted by column number; extras sorted.
    deps: Vec<Deps>,
    /// The position of its component in the order of closing; `NONE` while open.
    component: u32,
    /// The highest component in its column up to it, once all up to it are closed: lets a search
    /// stop on its way down a prefix.
    component_max: u32,
    // Scratch of a pass.
    pass: u32,
    index: u32,
    low: u32,
    is_blocked: bool,
    // Scratch of a search.
    search: u32,
}

#[derive(Debug)]
struct Deps {
    column: u32,
    prefix: u64,
    extras: Box<[u64]>,
}

/// The vertices that touch everything, and what came after the last of them.
#[derive(Debug, Default)]
struct Barriers {
    /// Reaches all that was closed before it, so no frontier goes back beyond it.
    last: Option<u32>,
    /// The frontier for the next one.
    since: Vec<u32>,
}

/// The closed vertices on one resource since the last barrier.
#[derive(Debug, Default)]
struct Resource {
    history: Vec<(u32, u8)>,
    frontiers: Vec<(u8, Frontier)>,
}

/// What a vertex of a certain mode must reach, by mode.
type Frontier = Vec<(u8, Vec<u32>)>;

impl CommittedConflicts {
    /// Modes on one resource commute as the function says.
    pub fn new(commutes: Commutes) -> Self {
        Self {
            commutes,
            resources: Resources::default(),
            column_numbers: FxHashMap::default(),
            columns: Vec::new(),
            nodes: Vec::new(),
            open: Vec::new(),
            open_after_pass: 0,
            committed_since_pass: 0,
            passes: 0,
            components: 0,
            searches: 0,
            barriers: Barriers::default(),
            by_resource: FxHashMap::default(),
        }
    }

    /// The vertex is committed with this footprint (`None`: as a noop) and these dependencies.
    ///
    /// To be told once or often, by any node: the first counts, since that all are equal is
    /// [`ConsensusConsistency`](crate::ConsensusConsistency)'s matter.
    pub fn committed<'a>(
        &mut self,
        vertex: Vertex,
        footprint: Option<Footprint<'_>>,
        dependencies: impl IntoIterator<Item = ColumnDependencies<'a>>,
    ) -> Result<(), Violation> {
        let column = self.column(vertex.column);
        let number = self.nodes.len() as u32;
        let slot = &mut self.columns[column as usize];
        if slot.members.contains_key(&vertex.seq) {
            return Ok(());
        }
        slot.members.insert(vertex.seq, number);
        while slot.members.contains_key(&slot.committed_below) {
            slot.committed_below += 1;
        }
        let mut deps: Vec<Deps> = dependencies
            .into_iter()
            .map(|d| {
                let mut extras: Box<[u64]> = d.extras.into();
                extras.sort_unstable();
                let (column, prefix) = (self.column(d.column), d.prefix);
                Deps { column, prefix, extras }
            })
            .collect();
        deps.sort_unstable_by_key(|d| d.column);
        self.nodes.push(Node {
            vertex,
            column,
            touched: footprint.map(|f| self.resources.touched(f)),
            deps,
            component: NONE,
            component_max: 0,
            pass: 0,
            index: 0,
            low: 0,
            is_blocked: false,
            search: 0,
        });
        self.open.push(number);
        self.committed_since_pass += 1;
        if self.committed_since_pass >= self.open_after_pass {
            return self.pass();
        }
        Ok(())
    }

    /// The run is over: decides what can be decided, and returns how many committed vertices are
    /// still blocked by an uncommitted one, their pairs undecided.
    pub fn finish(&mut self) -> Result<usize, Violation> {
        self.pass()?;
        Ok(self.open.len())
    }

    /// How many vertices are committed.
    pub fn vertices(&self) -> usize {
        self.nodes.len()
    }

    fn column(&mut self, column: u64) -> u32 {
        let next = self.columns.len() as u32;
        let number = *self.column_numbers.entry(column).or_insert(next);
        if number == next {
            self.columns.push(Column::default());
        }
        number
    }
}

/// Closing.
impl CommittedConflicts {
    fn pass(&mut self) -> Result<(), Violation> {
        self.passes += 1;
        let mut tarjan = Tarjan::default();
        let mut result = Ok(());
        let open = std::mem::take(&mut self.open);
        for root in &open {
            if self.nodes[*root as usize].pass != self.passes {
                let outcome = self.close_from(*root, &mut tarjan);
                result = result.and(outcome);
            }
        }
        self.open = open;
        let nodes = &self.nodes;
        self.open.retain(|number| nodes[*number as usize].component == NONE);
        self.open_after_pass = self.open.len();
        self.committed_since_pass = 0;
        result
    }

    /// Tarjan's algorithm from one root. At the first uncommitted dependency everything on the stack
    /// is blocked: all of it reaches the vertex at hand.
    fn close_from(&mut self, root: u32, tarjan: &mut Tarjan) -> Result<(), Violation> {
        let mut result = Ok(());
        if !self.enter(root, tarjan) {
            self.block(tarjan);
            return result;
        }
        while let Some(frame) = tarjan.frames.last_mut() {
            let at = frame.node;
            if frame.next < tarjan.successors.len() {
                let successor = tarjan.successors[frame.next];
                frame.next += 1;
                let node = &self.nodes[successor as usize];
                if node.pass != self.passes {
                    if !self.enter(successor, tarjan) {
                        self.block(tarjan);
                        return result;
                    }
                } else if node.is_blocked {
                    self.block(tarjan);
                    return result;
                } else if node.component == NONE {
                    let index = node.index;
                    let node = &mut self.nodes[at as usize];
                    node.low = node.low.min(index);
                }
                continue;
            }
            tarjan.successors.truncate(frame.start);
            tarjan.frames.pop();
            let Node { low, index, .. } = self.nodes[at as usize];
            if let Some(parent) = tarjan.frames.last() {
                let parent = &mut self.nodes[parent.node as usize];
                parent.low = parent.low.min(low);
            }
            if low == index {
                let from = tarjan.stack.iter().rposition(|n| *n == at);
                let members = tarjan.stack.split_off(from.expect("entered and not yet closed"));
                let outcome = self.close(members);
                result = result.and(outcome);
            }
        }
        result
    }

    /// Puts the vertex on the stack and lists the open vertices that it depends on, or says that
    /// one is not committed.
    fn enter(&mut self, number: u32, tarjan: &mut Tarjan) -> bool {
        let node = &mut self.nodes[number as usize];
        node.pass = self.passes;
        node.index = tarjan.index;
        node.low = tarjan.index;
        node.is_blocked = false;
        tarjan.index += 1;
        tarjan.stack.push(number);
        let start = tarjan.successors.len();
        let node = &self.nodes[number as usize];
        for deps in &node.deps {
            let column = &self.columns[deps.column as usize];
            // Its own name under its own prefix is committed: itself.
            if deps.prefix > column.committed_below {
                return false;
            }
            let from_prefix = column
                .members
                .range(column.closed_below.min(deps.prefix)..deps.prefix)
                .map(|(_, number)| *number);
            for dep in from_prefix {
                if self.nodes[dep as usize].component == NONE {
                    tarjan.successors.push(dep);
                }
            }
            let first = deps.extras.partition_point(|s| *s < column.closed_below);
            for seq in &deps.extras[first..] {
                match column.members.get(seq) {
                    None => return false,
                    Some(dep) if self.nodes[*dep as usize].component == NONE => {
                        tarjan.successors.push(*dep);
                    }
                    Some(_) => {}
                }
            }
        }
        tarjan.frames.push(Frame { node: number, start, next: start });
        true
    }

    fn block(&mut self, tarjan: &mut Tarjan) {
        for number in tarjan.stack.drain(..) {
            self.nodes[number as usize].is_blocked = true;
        }
        tarjan.frames.clear();
        tarjan.successors.clear();
    }

    /// A component is closed: each of its vertices must reach the frontiers, then joins them.
    fn close(&mut self, mut members: Vec<u32>) -> Result<(), Violation> {
        let component = self.components;
        self.components += 1;
        members.sort_unstable_by_key(|n| self.nodes[*n as usize].vertex);
        for number in &members {
            self.nodes[*number as usize].component = component;
        }
        for number in &members {
            self.advance(self.nodes[*number as usize].column);
        }
        let mut result = Ok(());
        for number in &members {
            let outcome = self.must_reach(*number);
            result = result.and(outcome);
        }
        // Barriers last: they wipe the frontiers which the others of the component have joined.
        let is_barrier = |n: &u32| self.nodes[*n as usize].touched == Some(Touched::Everything);
        let (barriers, others): (Vec<u32>, Vec<u32>) = members.iter().partition(|n| is_barrier(n));
        for number in others {
            self.join(number);
        }
        if let Some(last) = barriers.last() {
            self.barriers.last = Some(*last);
            self.barriers.since.clear();
            self.by_resource.clear();
        }
        result
    }

    /// Moves the column's closed prefix up.
    fn advance(&mut self, column: u32) {
        let column = &mut self.columns[column as usize];
        while let Some(number) = column.members.get(&column.closed_below) {
            let node = &mut self.nodes[*number as usize];
            if node.component == NONE {
                break;
            }
            column.component_max = column.component_max.max(node.component);
            node.component_max = column.component_max;
            column.closed_below += 1;
        }
    }
}

/// The state of one run of Tarjan's algorithm.
#[derive(Debug, Default)]
struct Tarjan {
    index: u32,
    stack: Vec<u32>,
    frames: Vec<Frame>,
    /// The successors of all frames, one list behind the other.
    successors: Vec<u32>,
}

#[derive(Debug)]
struct Frame {
    node: u32,
    start: usize,
    next: usize,
}

/// Frontiers.
impl CommittedConflicts {
    fn must_reach(&mut self, number: u32) -> Result<(), Violation> {
        let mut targets: Vec<u32> = Vec::new();
        match &self.nodes[number as usize].touched {
            None => return Ok(()),
            Some(Touched::Everything) => targets.extend(&self.barriers.since),
            Some(Touched::Resources(list)) => {
                for (resource, mode) in list {
                    let resource = self.by_resource.entry(*resource).or_default();
                    for (other, frontier) in resource.frontier(*mode, &self.nodes, &self.commutes) {
                        // Kept by mode, so that a mode that commutes is never in it.
                        debug_assert!(!self.commutes.commute(*mode, *other));
                        targets.extend(frontier.iter());
                    }
                }
            }
        }
        targets.extend(self.barriers.last);
        let component = self.nodes[number as usize].component;
        targets.retain(|target| {
            self.nodes[*target as usize].component != component
                && !is_direct(&self.nodes, number, *target)
        });
        if targets.is_empty() {
            return Ok(());
        }
        match self.search(number, &targets) {
            None => Ok(()),
            Some(missed) => Err(self.account(number, missed)),
        }
    }

    /// The closed vertex joins the frontiers, in place of those that it reaches.
    fn join(&mut self, number: u32) {
        let Some(Touched::Resources(list)) = &self.nodes[number as usize].touched else {
            return;
        };
        for (resource, mode) in list {
            let resource = self.by_resource.entry(*resource).or_default();
            resource.history.push((number, *mode));
            for (observer, frontier) in &mut resource.frontiers {
                if !self.commutes.commute(*observer, *mode) {
                    join_frontier(frontier, number, *mode, &self.nodes, &self.commutes);
                }
            }
        }
        shorten(&mut self.barriers.since, number, &self.nodes);
        self.barriers.since.push(number);
    }

    /// The first target that the vertex does not reach, if there is one.
    fn search(&mut self, from: u32, targets: &[u32]) -> Option<u32> {
        self.searches += 1;
        let component = |nodes: &[Node], n: u32| nodes[n as usize].component;
        let oldest = targets.iter().map(|t| component(&self.nodes, *t)).min()?;
        let mut wanted: Vec<u32> = targets.to_vec();
        let mut stack = vec![from];
        self.nodes[from as usize].search = self.searches;
        let mut found: Vec<u32> = Vec::new();
        while let Some(at) = stack.pop() {
            let reached = component(&self.nodes, at);
            wanted.retain(|t| component(&self.nodes, *t) != reached);
            if wanted.is_empty() {
                return None;
            }
            for deps in &self.nodes[at as usize].deps {
                let column = &self.columns[deps.column as usize];
                let down = column.members.range(..deps.prefix).rev();
                let extras = deps.extras.iter().filter_map(|s| column.members.get(s));
                found.extend(
                    down.map(|(_, number)| *number)
                        .take_while(|n| self.nodes[*n as usize].component_max >= oldest),
                );
                found.extend(extras);
            }
            for number in found.drain(..) {
                let node = &mut self.nodes[number as usize];
                if node.search != self.searches && node.component >= oldest {
                    node.search = self.searches;
                    stack.push(number);
                }
            }
        }
        wanted.first().copied()
    }

    fn account(&self, from: u32, missed: u32) -> Violation {
        let [from, missed] = [from, missed].map(|n| &self.nodes[n as usize]);
        let resource = match (&from.touched, &missed.touched) {
            (Some(a), Some(b)) => a.conflict(b, &self.commutes).flatten(),
            _ => None,
        };
        let words = |node: &Node| {
            let parts: Vec<String> = node
                .deps
                .iter()
                .map(|d| {
                    let column = self.column_numbers.iter().find(|(_, n)| **n == d.column);
                    let column = column.map_or(0, |(c, _)| *c);
                    format!("{column}: below {} and {:?}", d.prefix, d.extras)
                })
                .collect();
            format!("{:?} depends on [{}]", node.vertex, parts.join("; "))
        };
        Violation::new(
            "CommittedConflicts",
            format!(
                "{:?} and {:?} conflict on {}, are committed with all that they reach, and neither \
                 reaches the other; {}; {}",
                missed.vertex,
                from.vertex,
                self.resources.name(resource),
                words(missed),
                words(from)
            ),
        )
    }
}

impl Resource {
    /// What a vertex of the mode must reach; made from the history at the mode's first use.
    fn frontier(&mut self, mode: u8, nodes: &[Node], commutes: &Commutes) -> &Frontier {
        let position = self.frontiers.iter().position(|(m, _)| *m == mode);
        let position = position.unwrap_or_else(|| {
            let mut frontier = Frontier::new();
            for (number, other) in &self.history {
                if !commutes.commute(mode, *other) {
                    join_frontier(&mut frontier, *number, *other, nodes, commutes);
                }
            }
            self.frontiers.push((mode, frontier));
            self.frontiers.len() - 1
        });
        &self.frontiers[position].1
    }
}

/// Adds a vertex to a frontier. It reaches every earlier vertex that its mode conflicts with, so
/// those go; among commuting ones, those to which it has a direct edge.
fn join_frontier(
    frontier: &mut Frontier,
    number: u32,
    mode: u8,
    nodes: &[Node],
    commutes: &Commutes,
) {
    for (other, members) in frontier.iter_mut() {
        if !commutes.commute(mode, *other) {
            members.clear();
        } else {
            shorten(members, number, nodes);
        }
    }
    match frontier.iter_mut().find(|(m, _)| *m == mode) {
        Some((_, members)) => members.push(number),
        None => frontier.push((mode, vec![number])),
    }
}

/// Takes out of the newest ones those that the vertex depends on directly.
fn shorten(members: &mut Vec<u32>, number: u32, nodes: &[Node]) {
    let start = members.len().saturating_sub(FRONTIER_SHORTENED_LEN);
    for position in (start..members.len()).rev() {
        if is_direct(nodes, number, members[position]) {
            members.remove(position);
        }
    }
}

fn is_direct(nodes: &[Node], from: u32, to: u32) -> bool {
    let to = &nodes[to as usize];
    let deps = &nodes[from as usize].deps;
    // A caller may split a column into several parts.
    let start = deps.partition_point(|d| d.column < to.column);
    let seq = to.vertex.seq;
    deps[start..]
        .iter()
        .take_while(|d| d.column == to.column)
        .any(|d| seq < d.prefix || d.extras.binary_search(&seq).is_ok())
}

#[cfg(test)]
mod tests;
