//! Messages between nodes that were sent and not delivered, and how a script names them.

use crate::show;
use althing_model::{NodeId, VertexId};
use althing_wire::{Kind, Message};
use std::collections::BTreeSet;

/// A message on its way from one node to another.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: Message,
}

/// What is on its way, in the order in which it was sent.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    pub(crate) sent: Vec<Sent>,
    /// Out of reach of `deliver`.
    pub(crate) held: Vec<Sent>,
    /// Ways on which nothing is delivered.
    cuts: BTreeSet<Hop>,
}

/// From one node, or any, to another, or any.
pub(crate) type Hop = (Option<NodeId>, Option<NodeId>);

/// Which messages a command is about. An empty list means any.
#[derive(Debug, Default)]
pub(crate) struct Selector {
    kinds: Vec<Kind>,
    hops: Vec<Hop>,
    vertices: Vec<VertexId>,
    pub(crate) is_all: bool,
    pub(crate) is_first: bool,
    is_reversed: bool,
}

impl Flight {
    pub(crate) fn cut(&mut self, hop: Hop) {
        self.cuts.insert(hop);
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    /// Takes the messages that can be delivered and match.
    pub(crate) fn take(&mut self, selector: &Selector) -> Vec<Sent> {
        let cuts = &self.cuts;
        let mut left = if selector.is_first { 1 } else { usize::MAX };
        let mut taken: Vec<Sent> = self
            .sent
            .extract_if(.., |sent| {
                let goes =
                    left > 0 && selector.matches(sent) && !cuts.iter().any(|hop| is_on(*hop, sent));
                left -= usize::from(goes);
                goes
            })
            .collect();
        if selector.is_reversed {
            taken.reverse();
        }
        taken
    }

    /// Takes the held messages that match.
    pub(crate) fn take_held(&mut self, selector: &Selector) -> Vec<Sent> {
        self.held.extract_if(.., |sent| selector.matches(sent)).collect()
    }
}

impl Selector {
    pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut selector = Self::default();
        for word in words {
            if word == "all" {
                selector.is_all = true;
            } else if word == "first" {
                selector.is_first = true;
            } else if word == "reversed" {
                selector.is_reversed = true;
            } else if let Some(hop) = parse_hop(word) {
                selector.hops.push(hop);
            } else if let Some(vertex) = show::parse_vertex(word) {
                selector.vertices.push(vertex);
            } else if let Some(kind) = Kind::ALL.iter().find(|kind| kind.name() == word) {
                selector.kinds.push(*kind);
            } else {
                return Err(format!("{word} is no message kind, hop or vertex"));
            }
        }
        Ok(selector)
    }

    fn matches(&self, sent: &Sent) -> bool {
        let any = |is_empty: bool, found: bool| is_empty || found;
        any(self.kinds.is_empty(), self.kinds.contains(&sent.message.kind()))
            && any(self.hops.is_empty(), self.hops.iter().any(|hop| is_on(*hop, sent)))
            && any(
                self.vertices.is_empty(),
                sent.message.vertex().is_some_and(|vertex| self.vertices.contains(&vertex)),
            )
    }
}

/// `n0->n1`, `n0->*`, `*->n1`.
pub(crate) fn parse_hop(word: &str) -> Option<Hop> {
    let end = |word: &str| match word {
        "*" => Some(None),
        word => show::parse_node(word).map(Some),
    };
    let (from, to) = word.split_once("->")?;
    Some((end(from)?, end(to)?))
}

fn is_on((from, to): Hop, sent: &Sent) -> bool {
    from.is_none_or(|from| from == sent.from) && to.is_none_or(|to| to == sent.to)
}
