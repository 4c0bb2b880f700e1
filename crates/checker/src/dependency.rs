//! DependencyConflicts: two conflicting commands, each answered by a dependency quorum, and one is
//! in the other's set.
//!
//! A value with a command, whoever proposes it and in whatever ballot, carries the union of what a
//! dependency quorum answered about that command. Any two such quorums share a node, and it saw one
//! of the two commands first. So this holds of *every* proposed pair, also of values that are never
//! committed; noops, which nobody is asked about, are exempt. It is asked as soon as the second
//! union exists, long before a commit or an execution could show the damage.
//!
//! **What compaction leaves.** A node names, per column and resource, the highest vertex only. In
//! place of x itself a set may therefore hold a later vertex u of x's column that *leads* to x: by
//! the chain rule a vertex names its own proposer's previous vertex on each resource that it touches
//! (whatever the modes), and one over everything counts on every resource. A vertex that nobody was
//! ever asked about can only become a noop, which names its whole column below it: it leads too. A
//! set *covers* x when it holds x or a vertex that leads to it.
//!
//! A range is a link of its own: it leads to earlier ones of the same range, and not to vertices on
//! the resources inside. What only a predicate can judge is no link at all.
//!
//! **What is asked.** Two conflicting vertices: one's set covers the other. Two of one column that
//! share a link: the later one's set covers the earlier one, since that is the chain rule, on which
//! all of the above hangs.
//!
//! **Cost.** Per resource, column and mode the answered vertices are kept by sequence. A new one
//! looks down each column that conflicts with it, from the highest vertex to the first that its own
//! set reaches: those are the vertices that were on their way at the same time. In its own column it
//! looks at its two neighbours; the others follow from those.

use rustc_hash::FxHashMap;

use crate::footprint::{Resources, Touched};
use crate::{ColumnDependencies, Commutes, Footprint, Vertex, Violation};

/// Of two conflicting commands with a dependency quorum's answers, one is in the other's set.
#[derive(Debug)]
pub struct DependencyConflicts {
    commutes: Commutes,
    resources: Resources,
    column_numbers: FxHashMap<u64, u32>,
    column_names: Vec<u64>,
    numbers: FxHashMap<Vertex, u32>,
    vertices: Vec<Requested>,
    /// By resource: the answered vertices that touch it.
    by_resource: FxHashMap<u32, Vec<Line>>,
    /// By column and link: the answered vertices that have it.
    by_link: FxHashMap<(u32, u32), Sequence>,
    /// Whether all links were resources, so far: then the latest on a resource leads to all earlier
    /// ones on it.
    are_links_resources: bool,
    /// By column: the answered vertices over everything, and all answered ones.
    everything: Vec<Sequence>,
    all: Vec<Sequence>,
}

#[derive(Debug)]
struct Requested {
    vertex: Vertex,
    command: u128,
    column: u32,
    touched: Touched,
    /// By what it is linked to others of its column.
    links: Vec<u32>,
    /// The unions of quorums; mostly one, others after recoveries.
    answers: Vec<Set>,
}

/// The answered vertices of one column that touch a resource in one mode.
#[derive(Debug)]
struct Line {
    column: u32,
    mode: u8,
    members: Sequence,
}

/// Vertices of one column by their place in it.
#[derive(Debug, Default)]
struct Sequence(Vec<Member>);

/// Its place, and its number among the vertices.
type Member = (u64, u32);

/// A dependency set; few columns, in no order.
#[derive(Debug)]
struct Set(Vec<Row>);

#[derive(Debug)]
struct Row {
    column: u32,
    prefix: u64,
    extras: Box<[u64]>,
}

impl DependencyConflicts {
    /// Modes on one resource commute as the function says.
    pub fn new(commutes: Commutes) -> Self {
        Self {
            commutes,
            resources: Resources::default(),
            column_numbers: FxHashMap::default(),
            column_names: Vec::new(),
            numbers: FxHashMap::default(),
            vertices: Vec::new(),
            by_resource: FxHashMap::default(),
            by_link: FxHashMap::default(),
            are_links_resources: true,
            everything: Vec::new(),
            all: Vec::new(),
        }
    }

    /// Dependency nodes are asked about a command under that vertex, for the first time or again.
    /// To be told before any of them can have answered. The digest covers the command.
    pub fn requested(
        &mut self,
        vertex: Vertex,
        command: u128,
        footprint: Footprint<'_>,
    ) -> Result<(), Violation> {
        if let Some(number) = self.numbers.get(&vertex) {
            let known = &self.vertices[*number as usize];
            if known.command == command {
                return Ok(());
            }
            return Err(violation(format!(
                "two commands were asked about under {vertex:?}: {:032x}, then {command:032x}",
                known.command
            )));
        }
        let number = self.vertices.len() as u32;
        self.are_links_resources &= !matches!(footprint, Footprint::Linked { .. });
        let touched = self.resources.touched(footprint);
        let links = self.resources.links(footprint);
        let column = self.column(vertex.column);
        self.numbers.insert(vertex, number);
        let answers = Vec::new();
        self.vertices.push(Requested { vertex, command, column, touched, links, answers });
        Ok(())
    }

    /// The command of the vertex is proposed with these dependencies: the union over a dependency
    /// quorum. To be told once for each union; again does no harm.
    pub fn answered<'a>(
        &mut self,
        vertex: Vertex,
        dependencies: impl IntoIterator<Item = ColumnDependencies<'a>>,
    ) -> Result<(), Violation> {
        let rows = dependencies.into_iter().map(|part| Row {
            column: self.column(part.column),
            prefix: part.prefix,
            extras: part.extras.into(),
        });
        let set = Set(rows.collect());
        let Some(number) = self.numbers.get(&vertex).copied() else {
            return Err(violation(format!(
                "{vertex:?} is proposed with a command that no dependency node was asked about"
            )));
        };
        let asked = &self.vertices[number as usize];
        if let Some(other) = self.uncovered(asked, &set) {
            return Err(self.account(asked, &set, &self.vertices[other as usize]));
        }
        if self.vertices[number as usize].answers.is_empty() {
            self.enter(number);
        }
        self.vertices[number as usize].answers.push(set);
        Ok(())
    }

    /// How many vertices have a quorum's answers.
    pub fn answered_len(&self) -> usize {
        self.all.iter().map(|sequence| sequence.0.len()).sum()
    }

    fn enter(&mut self, number: u32) {
        let Requested { vertex, column, touched, links, .. } = &self.vertices[number as usize];
        self.all[*column as usize].insert(vertex.seq, number);
        let Touched::Resources(list) = touched else {
            self.everything[*column as usize].insert(vertex.seq, number);
            return;
        };
        for (resource, mode) in list {
            let lines = self.by_resource.entry(*resource).or_default();
            let line = lines.iter().position(|line| line.column == *column && line.mode == *mode);
            let line = line.unwrap_or_else(|| {
                let members = Sequence::default();
                lines.push(Line { column: *column, mode: *mode, members });
                lines.len() - 1
            });
            lines[line].members.insert(vertex.seq, number);
        }
        for link in links {
            self.by_link.entry((*column, *link)).or_default().insert(vertex.seq, number);
        }
    }

    fn column(&mut self, column: u64) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.column_numbers.entry(column).or_insert(next);
        if number == next {
            self.column_names.push(column);
            self.all.push(Sequence::default());
            self.everything.push(Sequence::default());
        }
        number
    }
}

/// Asking.
impl DependencyConflicts {
    /// An answered vertex that must be ordered with this one and is not.
    fn uncovered(&self, asked: &Requested, set: &Set) -> Option<u32> {
        let own = asked.column;
        match &asked.touched {
            Touched::Everything => {
                for (column, all) in (0u32..).zip(&self.all) {
                    let missed = self.uncovered_above(asked, set, set.prefix(column), all);
                    if missed.is_some() {
                        return missed;
                    }
                }
                self.unchained(asked, set, &self.all[own as usize])
            }
            Touched::Resources(list) => {
                for (resource, mode) in list {
                    for line in self.by_resource.get(resource).into_iter().flatten() {
                        // In its own column the links say it, where there are no others.
                        if line.column == own && self.are_links_resources
                            || self.commutes.commute(*mode, line.mode)
                        {
                            continue;
                        }
                        let from = self.reach(set, line.column, *resource);
                        let missed = self.uncovered_above(asked, set, from, &line.members);
                        if missed.is_some() {
                            return missed;
                        }
                    }
                }
                for link in &asked.links {
                    let linked = self.by_link.get(&(own, *link));
                    let missed = linked.and_then(|linked| self.unchained(asked, set, linked));
                    if missed.is_some() {
                        return missed;
                    }
                }
                let columns = (0u32..).zip(&self.everything);
                for (column, barriers) in columns.filter(|(_, barriers)| !barriers.0.is_empty()) {
                    let missed = self.uncovered_above(asked, set, set.prefix(column), barriers);
                    if missed.is_some() {
                        return missed;
                    }
                }
                self.unchained(asked, set, &self.everything[own as usize])
            }
        }
    }

    /// One of a column's vertices from a place on up, none of which this set is known to reach.
    fn uncovered_above(
        &self,
        asked: &Requested,
        set: &Set,
        from: u64,
        others: &Sequence,
    ) -> Option<u32> {
        let above = others.0.iter().rev().take_while(|(seq, _)| *seq >= from);
        above.map(|(_, number)| *number).find(|number| {
            let other = &self.vertices[*number as usize];
            other.vertex != asked.vertex
                && !self.covers(set, asked, other)
                && !other.answers.iter().all(|theirs| self.covers(theirs, other, asked))
        })
    }

    /// Its neighbour in its own column, if the chain is broken between them.
    fn unchained(&self, asked: &Requested, set: &Set, own: &Sequence) -> Option<u32> {
        if !asked.is_link() {
            return None;
        }
        let is_link = |number: &u32| self.vertices[*number as usize].is_link();
        let (before, after) = own.around(asked.vertex.seq);
        let before = before.iter().rev().map(|(_, number)| *number).find(is_link);
        let after = after.iter().map(|(_, number)| *number).find(is_link);
        // Links alone, ascending: all other coverage rests on these.
        let before = before.filter(|n| !self.leads(set, asked, &self.vertices[*n as usize], false));
        before.or(after.filter(|n| {
            let other = &self.vertices[*n as usize];
            !other.answers.iter().all(|theirs| self.leads(theirs, other, asked, false))
        }))
    }

    /// One above the highest vertex on the resource in that column that the set reaches.
    fn reach(&self, set: &Set, column: u32, resource: u32) -> u64 {
        let Some(row) = set.row(column) else { return 0 };
        let on = |seq: &&u64| match self.requested_as(column, **seq).map(|it| &it.touched) {
            Some(Touched::Resources(list)) => {
                self.are_links_resources && list.iter().any(|(r, _)| *r == resource)
            }
            Some(Touched::Everything) | None => true,
        };
        let extra = row.extras.iter().filter(on).max().map_or(0, |seq| seq + 1);
        extra.max(row.prefix)
    }

    /// Whether the set, which is `owner`'s, holds `other` or a vertex that leads to it.
    fn covers(&self, set: &Set, owner: &Requested, other: &Requested) -> bool {
        self.leads(set, owner, other, true)
    }

    /// The same; `may_pass` says whether in the owner's own column a later vertex counts too whose
    /// chain leads past the owner.
    fn leads(&self, set: &Set, owner: &Requested, other: &Requested, may_pass: bool) -> bool {
        let Some(row) = set.row(other.column) else { return false };
        let seq = other.vertex.seq;
        if seq < row.prefix || row.extras.contains(&seq) {
            return true;
        }
        // A later one of its own column may name this one in place of `other`, if it is in the chain
        // between the two.
        let is_before = |extra: u64| owner.column != other.column || extra < owner.vertex.seq;
        row.extras.iter().filter(|extra| **extra > seq).any(|extra| {
            match self.requested_as(other.column, *extra) {
                // It names all of its column below it, also what touches nothing.
                Some(later) if later.touched == Touched::Everything => {
                    may_pass || is_before(*extra)
                }
                None => is_before(*extra),
                Some(later) if is_before(*extra) => later.is_linked(other),
                Some(later) => may_pass && later.is_linked_without(owner, other),
            }
        })
    }

    fn requested_as(&self, column: u32, seq: u64) -> Option<&Requested> {
        let column = self.column_names[column as usize];
        let number = self.numbers.get(&Vertex { column, seq })?;
        Some(&self.vertices[*number as usize])
    }

    fn account(&self, asked: &Requested, set: &Set, other: &Requested) -> Violation {
        let is_link = asked.column == other.column && asked.is_linked(other);
        let on = match is_link {
            true => asked.links.iter().find(|link| other.links.contains(link)).copied(),
            false => asked.touched.conflict(&other.touched, &self.commutes).flatten(),
        };
        let words = |vertex: &Requested, set: &Set| {
            format!("{:?} depends on [{}]", vertex.vertex, self.words(set))
        };
        let theirs: Vec<String> = other.answers.iter().map(|set| words(other, set)).collect();
        let rule = match is_link {
            true => "of one column, share",
            false => "conflict on",
        };
        violation(format!(
            "{:?} and {:?} {rule} {} and were each answered by a dependency quorum, and the sets \
             do not order them: {}; {}",
            other.vertex,
            asked.vertex,
            self.resources.name(on),
            theirs.join("; "),
            words(asked, set)
        ))
    }

    fn words(&self, set: &Set) -> String {
        let rows = set.0.iter().map(|row| {
            let column = self.column_names[row.column as usize];
            format!("{column}: below {} and {:?}", row.prefix, row.extras)
        });
        rows.collect::<Vec<_>>().join("; ")
    }
}

impl Requested {
    /// Whether it is linked to others of its column at all: not if it touches nothing, say.
    fn is_link(&self) -> bool {
        self.touched == Touched::Everything || !self.links.is_empty()
    }

    /// Whether the chain leads from one to the other, if both are of one column.
    fn is_linked(&self, other: &Self) -> bool {
        let is_over_all = |it: &Self| it.touched == Touched::Everything;
        (is_over_all(self) || is_over_all(other)) && self.is_link() && other.is_link()
            || self.links.iter().any(|link| other.links.contains(link))
    }

    /// Whether the chain leads from one to the other by a link that a third does not have, so that
    /// the third cannot stand in between.
    fn is_linked_without(&self, third: &Self, other: &Self) -> bool {
        third.touched != Touched::Everything
            && self
                .links
                .iter()
                .any(|link| other.links.contains(link) && !third.links.contains(link))
    }
}

impl Sequence {
    fn insert(&mut self, seq: u64, number: u32) {
        let at = self.0.partition_point(|(s, _)| *s < seq);
        if self.0.get(at).is_none_or(|(s, _)| *s != seq) {
            self.0.insert(at, (seq, number));
        }
    }

    /// Those below and those above.
    fn around(&self, seq: u64) -> (&[Member], &[Member]) {
        let at = self.0.partition_point(|(s, _)| *s < seq);
        let after = at + usize::from(self.0.get(at).is_some_and(|(s, _)| *s == seq));
        (&self.0[..at], &self.0[after..])
    }
}

impl Set {
    fn row(&self, column: u32) -> Option<&Row> {
        self.0.iter().find(|row| row.column == column)
    }

    fn prefix(&self, column: u32) -> u64 {
        self.row(column).map_or(0, |row| row.prefix)
    }
}

fn violation(account: String) -> Violation {
    Violation::new("DependencyConflicts", account)
}

#[cfg(test)]
mod tests;
