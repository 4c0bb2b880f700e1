//! StrictSerializability: whether one order of transactions that append to lists and read them
//! explains everything that they saw, and respects real time.
//!
//! A read of a list that is only ever appended to tells its whole history: which transactions wrote
//! before, and in which order. So nothing has to be searched for (the idea is that of Elle: Kingsbury
//! and Alvaro, VLDB 2020). What was read says in which order a list's elements came, and with it
//!
//! - `ww`: whose element comes right after whose;
//! - `wr`: whose element a read saw last;
//! - `rw`: whose element comes right after the last that a read saw, so that it was not there yet;
//! - `rt`: who returned before whom was invoked.
//!
//! Each says who comes first in every order that explains the history. **A cycle of them says that
//! there is none**, and its edges say what went wrong ([`Class`]). **Without a cycle there is one**:
//! any order along the edges. Take a list and a read of its first n elements. The transactions that
//! appended them are before the read, by `wr` and the `ww` before it; all others are after it, by
//! `rw` and the `ww` after it; elements that nobody read come last, by an edge from the last that was
//! read. So along the order the read sees these n elements in their order, and nothing else. That
//! order is handed out, after it was replayed: that a history is right rests on no part of this but
//! the replay.
//!
//! An operation of unknown outcome took effect if one of its elements was read, and then it is held
//! to all of them; otherwise it may be left out, since nobody can tell. Its input has to say what it
//! would append: a transaction with alternatives must append in one of them only.
//!
//! Some findings need no graph: elements that come twice, that nobody appended, or that were appended
//! by a transaction that failed; reads that contradict their own transaction; two reads of one list
//! of which neither begins the other. They are looked for first.
//!
//! **Cost.** Linear in what was read, but for lists of which much was never read: there each read of
//! all that was is compared with each append that was not.
//!
//! ```
//! use althing_checker::History;
//! use althing_checker::list_append::{Class, Step, check};
//!
//! let mut history = History::new();
//! // Each of two transactions reads the list that the other appends to, and sees nothing.
//! let one = history.invoked(1, 0, vec![("x".into(), 1)]);
//! let other = history.invoked(2, 0, vec![("y".into(), 2)]);
//! history.returned(one, 10, vec![Step::read("y", []), Step::append("x", 1)]);
//! history.returned(other, 10, vec![Step::read("x", []), Step::append("y", 2)]);
//! let anomaly = check(&history).unwrap_err();
//! assert_eq!(anomaly.class, Class::G2);
//! ```

mod account;
mod cycle;
mod graph;
mod lists;
mod witness;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::register_map::Blob;
use crate::{History, OperationId};

/// What a transaction would append, in its order. No two append the same element to one list.
pub type Appends = Vec<(Blob, u64)>;

/// Transactions by what they would append, and, of those that returned, what they did.
pub type ListHistory = History<Appends, Vec<Step>>;

/// What a transaction did to one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Step {
    /// Put an element to the list's end.
    Append { key: Blob, element: u64 },
    /// Saw the whole list.
    Read { key: Blob, list: Vec<u64> },
}

impl Step {
    /// An append.
    pub fn append(key: impl Into<Blob>, element: u64) -> Self {
        Self::Append { key: key.into(), element }
    }

    /// A read.
    pub fn read(key: impl Into<Blob>, list: impl Into<Vec<u64>>) -> Self {
        Self::Read { key: key.into(), list: list.into() }
    }
}

/// What is wrong with a history; the names are those of Adya's and Elle's, where they have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// An element is in a list twice.
    DuplicateAppend,
    /// An element was appended by nobody.
    Garbage,
    /// G1a: an element was read that its transaction did not append: it failed, or took another way.
    G1a,
    /// A transaction does not see what it did itself, or sees two states.
    Internal,
    /// Of two reads of a list neither begins the other, or the elements of one transaction are in
    /// another order than it appended them.
    IncompatibleOrders,
    /// G1b: a read saw some, and not all, of what a transaction appended to the list.
    G1b,
    /// An append returned, and no other transaction ever saw it, not even one that began later.
    LostAppend,
    /// A cycle of `ww`: transactions overwrite each other.
    G0,
    /// A cycle of `ww` and `wr`: information goes round in a circle.
    G1c,
    /// A cycle with one `rw`: a transaction missed something, and saw what came after it.
    GSingle,
    /// A cycle with several `rw`, such as write skew.
    G2,
    /// A cycle of `ww` with real time.
    G0RealTime,
    /// A cycle of `ww` and `wr` with real time: something was read before it was asked for.
    G1cRealTime,
    /// A cycle with one `rw` and real time, such as a stale read.
    GSingleRealTime,
    /// A cycle with several `rw` and real time.
    G2RealTime,
}

impl Class {
    /// Its name in accounts.
    pub fn name(self) -> &'static str {
        match self {
            Self::DuplicateAppend => "duplicate append",
            Self::Garbage => "garbage",
            Self::G1a => "G1a (aborted read)",
            Self::Internal => "internal inconsistency",
            Self::IncompatibleOrders => "incompatible orders",
            Self::G1b => "G1b (intermediate read)",
            Self::LostAppend => "lost append",
            Self::G0 => "G0 (write cycle)",
            Self::G1c => "G1c (circular information flow)",
            Self::GSingle => "G-single (read skew)",
            Self::G2 => "G2 (anti-dependency cycle)",
            Self::G0RealTime => "G0-realtime",
            Self::G1cRealTime => "G1c-realtime",
            Self::GSingleRealTime => "G-single-realtime (stale read)",
            Self::G2RealTime => "G2-realtime",
        }
    }
}

/// Why no order explains a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// Of which kind.
    pub class: Class,
    /// The operations that show it; those of a cycle in its order.
    pub operations: Vec<OperationId>,
    /// What they did, and what is wrong with it.
    pub account: String,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.name(), self.account)
    }
}

impl std::error::Error for Anomaly {}

/// Decides whether the history is strictly serializable. The answer is an order that explains it, of
/// all transactions that are known to have taken effect.
///
/// # Errors
/// Why there is none: what needs no graph first, then the smallest cycle of the gravest class.
///
/// # Panics
/// When two transactions append the same element to one list, which would make them
/// indistinguishable: that is a mistake of who made the history.
pub fn check(history: &ListHistory) -> Result<Vec<OperationId>, Box<Anomaly>> {
    let lists = lists::Lists::read(history)?;
    let graph = graph::Graph::new(history, &lists);
    match graph.order() {
        Some(order) => {
            if let Err(account) = witness::replay(history, &order) {
                unreachable!("an acyclic history's order explains it: {account}");
            }
            Ok(order)
        }
        None => Err(Box::new(cycle::anomaly(history, &graph))),
    }
}
