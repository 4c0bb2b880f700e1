//! Ranges, found by what they overlap: an AVL tree by their beginnings, each node of which knows the
//! highest end in its subtree.
//!
//! The interval trees on crates.io are for numbers that can be copied, cannot remove, or do not prune
//! by the highest end (`interavl` 0.6 looks at every range that begins before the query ends: 26 us
//! for a point among a thousand).

use althing_model::Range;
use bytes::Bytes;
use std::cmp::Ordering;

/// A set of ranges. To enter and to remove one takes logarithmic time; to visit those that overlap
/// takes logarithmic time, and at most as much again for each.
#[derive(Debug, Clone, Default)]
pub(super) struct Intervals {
    root: Tree,
}

type Tree = Option<Box<Node>>;

#[derive(Debug, Clone)]
struct Node {
    range: Range,
    /// The highest end in this subtree; none where one has no end.
    end_max: Option<Bytes>,
    height: u8,
    left: Tree,
    right: Tree,
}

/// Resources from one on, up to another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Query<'a> {
    /// One resource.
    Resource(&'a Bytes),
    /// All in a range.
    Range(&'a Range),
}

impl Query<'_> {
    /// Whether what ends there ends behind the query's beginning.
    fn is_reached_from(self, end: Option<&Bytes>) -> bool {
        let begin = match self {
            Self::Resource(resource) => resource,
            Self::Range(range) => range.begin(),
        };
        end.is_none_or(|end| end > begin)
    }

    /// Whether what begins there begins before the query's end.
    fn reaches(self, begin: &Bytes) -> bool {
        match self {
            Self::Resource(resource) => begin <= resource,
            Self::Range(range) => range.end().is_none_or(|end| begin < end),
        }
    }
}

impl Intervals {
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Enters a range; once more changes nothing.
    pub(super) fn insert(&mut self, range: &Range) {
        self.root = Some(insert(self.root.take(), range));
    }

    pub(super) fn remove(&mut self, range: &Range) {
        self.root = remove(self.root.take(), range);
    }

    /// Visits the ranges that overlap, ascending, until `then` says that it has seen enough; returns
    /// whether it did not.
    pub(super) fn visit<'a>(
        &'a self,
        query: Query<'_>,
        then: &mut impl FnMut(&'a Range) -> bool,
    ) -> bool {
        visit(&self.root, query, then)
    }
}

/// As deep as the tree is high, which is at most 1.44 times the logarithm of its size.
fn visit<'a>(tree: &'a Tree, query: Query<'_>, then: &mut impl FnMut(&'a Range) -> bool) -> bool {
    let Some(node) = tree else { return true };
    if !query.is_reached_from(node.end_max.as_ref()) {
        return true;
    }
    if !visit(&node.left, query, then) {
        return false;
    }
    // What is to the right begins no earlier.
    if !query.reaches(node.range.begin()) {
        return true;
    }
    let is_enough = query.is_reached_from(node.range.end()) && !then(&node.range);
    !is_enough && visit(&node.right, query, then)
}

fn insert(tree: Tree, range: &Range) -> Box<Node> {
    let Some(mut node) = tree else {
        let end_max = range.end().cloned();
        return Box::new(Node {
            range: range.clone(),
            end_max,
            height: 1,
            left: None,
            right: None,
        });
    };
    match range.cmp(&node.range) {
        Ordering::Less => node.left = Some(insert(node.left.take(), range)),
        Ordering::Greater => node.right = Some(insert(node.right.take(), range)),
        Ordering::Equal => return node,
    }
    balanced(node)
}

fn remove(tree: Tree, range: &Range) -> Tree {
    let mut node = tree?;
    match range.cmp(&node.range) {
        Ordering::Less => node.left = remove(node.left.take(), range),
        Ordering::Greater => node.right = remove(node.right.take(), range),
        Ordering::Equal => match (node.left.take(), node.right.take()) {
            (None, other) | (other, None) => return other,
            (left, Some(right)) => {
                let (rest, mut least) = without_least(right);
                (least.left, least.right) = (left, rest);
                return Some(balanced(least));
            }
        },
    }
    Some(balanced(node))
}

/// The tree without its least node, and that node.
fn without_least(mut node: Box<Node>) -> (Tree, Box<Node>) {
    match node.left.take() {
        None => (node.right.take(), node),
        Some(left) => {
            let (rest, least) = without_least(left);
            node.left = rest;
            (Some(balanced(node)), least)
        }
    }
}

/// The node with subtrees whose heights differ by one at most; they differed by two at most.
fn balanced(mut node: Box<Node>) -> Box<Node> {
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right + 1 {
        node.left = node.left.take().map(|left| match height(&left.left) < height(&left.right) {
            true => turned_left(left),
            false => left,
        });
        return turned_right(node);
    }
    if right > left + 1 {
        node.right =
            node.right.take().map(|right| match height(&right.right) < height(&right.left) {
                true => turned_right(right),
                false => right,
            });
        return turned_left(node);
    }
    node.update();
    node
}

fn turned_right(mut node: Box<Node>) -> Box<Node> {
    let mut top = node.left.take().expect("it is the higher side");
    node.left = top.right.take();
    node.update();
    top.right = Some(node);
    top.update();
    top
}

fn turned_left(mut node: Box<Node>) -> Box<Node> {
    let mut top = node.right.take().expect("it is the higher side");
    node.right = top.left.take();
    node.update();
    top.left = Some(node);
    top.update();
    top
}

fn height(tree: &Tree) -> u8 {
    tree.as_ref().map_or(0, |node| node.height)
}

impl Node {
    /// Sets what follows from the subtrees.
    fn update(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let mut end_max = self.range.end();
        for below in [&self.left, &self.right].into_iter().flatten() {
            end_max = match (end_max, below.end_max.as_ref()) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (None, _) | (_, None) => None,
            };
        }
        self.end_max = end_max.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn number(n: u16) -> Bytes {
        Bytes::copy_from_slice(&n.to_be_bytes())
    }

    fn range(from: u16, len: u16) -> Range {
        match len {
            0 => Range::from(number(from)),
            len => Range::between(number(from), number(from + len)).expect("it ascends"),
        }
    }

    fn found(intervals: &Intervals, query: Query<'_>) -> Vec<Range> {
        let mut found = Vec::new();
        intervals.visit(query, &mut |range| {
            found.push(range.clone());
            true
        });
        found
    }

    /// Heights, order and highest ends are what they must be.
    fn check(tree: &Tree) -> (u8, Option<Option<Bytes>>) {
        let Some(node) = tree else { return (0, None) };
        let ((left, left_end), (right, right_end)) = (check(&node.left), check(&node.right));
        assert!(left.abs_diff(right) <= 1 && node.height == 1 + left.max(right));
        let ends = [left_end, right_end, Some(node.range.end().cloned())];
        let highest = ends.into_iter().flatten().reduce(|a, b| Some(a?.max(b?)));
        assert_eq!(highest.as_ref(), Some(&node.end_max));
        (node.height, highest)
    }

    proptest! {
        /// Broken: a command would not be ordered with one whose range holds its resource, or a
        /// lookup would take time proportional to all ranges.
        #[test]
        fn what_overlaps_is_found(
            changes in prop::collection::vec((any::<bool>(), 0..40u16, 0..6u16), 0..120),
            (from, len) in (0..40u16, 0..6u16),
        ) {
            let (mut intervals, mut plain) = (Intervals::default(), BTreeSet::new());
            for (is_new, from, len) in changes {
                let range = range(from, len);
                match is_new {
                    true => intervals.insert(&range),
                    false => intervals.remove(&range),
                }
                if is_new { plain.insert(range); } else { plain.remove(&range); }
                check(&intervals.root);
            }
            prop_assert_eq!(intervals.is_empty(), plain.is_empty());
            let (resource, asked) = (number(from), range(from, len));
            let around: Vec<_> = plain.iter().filter(|it| it.contains(&resource)).cloned().collect();
            prop_assert_eq!(found(&intervals, Query::Resource(&resource)), around);
            let across: Vec<_> = plain.iter().filter(|it| it.overlaps(&asked)).cloned().collect();
            prop_assert_eq!(found(&intervals, Query::Range(&asked)), across);
        }
    }
}
