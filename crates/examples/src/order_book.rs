//! An order book whose conflicts are decided by a predicate.
//!
//! Sellers put offers into the book: a price and a quantity, which stay until somebody takes them, or
//! they are withdrawn. Buyers take: at most at a price, and only from offers of some least quantity,
//! as those do who trade in blocks. Who is served first is decided by price, then the offer's stamp,
//! then its id, and never by the order of execution. So:
//!
//! | | offer | take | withdraw |
//! | --- | --- | --- | --- |
//! | offer | if the places are equal | | |
//! | take | if the take may reach the offer: price and quantity | always | |
//! | withdraw | if the places are equal | if the take may reach what is withdrawn | |
//!
//! and only within one symbol. (That two withdrawals commute, the audit said: it had been written
//! otherwise, and was reported as speed lost.) Whether a take reaches an offer is two comparisons at once, price and
//! quantity, and that neither names nor ranges of names can say: a range is one comparison. Hence a
//! [`Predicate`]: it is asked for each two commands, and sees of each what the footprint shows, here
//! the whole command. It costs a call for every such vertex that is not pruned yet, so use it where
//! ranges would let too much conflict; with price alone they would do, and be faster.
//!
//! Takes conflict with takes whatever their prices: both may reach the same cheap offer. An earlier
//! version let two takes commute whose prices differ, and the audit found the two takes and the one
//! offer that they both want.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable, Pieces, Predicate, StateMachine,
    Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An offer's place in the book: the lowest is served first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// For one piece.
    pub price: u32,
    /// When it was made, as its client's clock has it.
    pub stamp_ms: u64,
    /// Another one for each offer of a symbol.
    pub id: u64,
}

/// What clients ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Puts an offer into the book, unless one has this place: [`Reply::Done`].
    Offer {
        /// What is offered.
        symbol: String,
        /// Where it stands.
        place: Place,
        /// How many pieces.
        quantity: u32,
    },
    /// Takes what there is, the best first: [`Reply::Taken`].
    Take {
        /// What is wanted.
        symbol: String,
        /// For one piece, at most.
        price: u32,
        /// How many pieces, at most.
        quantity: u32,
        /// From offers that still have so many pieces.
        at_least: u32,
    },
    /// Takes an offer back, or what is left of it: [`Reply::Done`].
    Withdraw {
        /// What was offered.
        symbol: String,
        /// Where it stands.
        place: Place,
        /// How many pieces it had.
        quantity: u32,
    },
}

/// What the book answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// What was taken: ids, prices and quantities, in this order.
    Taken(Vec<(u64, u32, u32)>),
}

/// The conflict function: every footprint is what the predicate sees.
#[derive(Debug, Clone)]
pub struct ByReach {
    modes: ModeTable,
}

impl Default for ByReach {
    fn default() -> Self {
        Self { modes: ModeTable::read_write().with_predicate(Arc::new(Reach)) }
    }
}

impl Conflicts for ByReach {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        crate::decode::<Command>(payload)?;
        Ok(Footprint::predicate(Bytes::copy_from_slice(payload)))
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/order book", 1, &self.modes)
    }
}

/// Whether two commands may meet in the book.
#[derive(Debug)]
struct Reach;

impl Predicate for Reach {
    fn name(&self) -> &str {
        "examples/order book: reach/1"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        let (Ok(a), Ok(b)) = (crate::decode(a), crate::decode(b)) else {
            // No footprint of ours: in doubt they conflict.
            return true;
        };
        // Asked in both directions, so that it cannot help being symmetric.
        reaches(&a, &b) || reaches(&b, &a)
    }
}

/// Whether the first may meet the second; the cases that this does not name are those of the other
/// direction.
fn reaches(a: &Command, b: &Command) -> bool {
    use Command::{Offer, Take, Withdraw};
    match (a, b) {
        (
            Take { symbol, price, at_least, .. },
            Offer { symbol: other, place, quantity } | Withdraw { symbol: other, place, quantity },
        ) => {
            // A withdrawal says the quantity that the offer had: what is left of it may be less,
            // and takes reach it no more than before. One that says otherwise does nothing.
            symbol == other && place.price <= *price && quantity >= at_least
        }
        (Take { symbol, .. }, Take { symbol: other, .. }) => symbol == other,
        (
            Offer { symbol, place, .. },
            Offer { symbol: other, place: theirs, .. }
            | Withdraw { symbol: other, place: theirs, .. },
        ) => symbol == other && place == theirs,
        _ => false,
    }
}

/// An offer: how many pieces it had, and how many are left. One that is taken whole stays, with
/// nothing left, so that its place is not used again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Standing {
    had: u32,
    left: u32,
}

/// The state machine: offers by symbol and place.
#[derive(Debug, Clone, Default)]
pub struct Book {
    offers: OrdMap<(String, Place), Standing>,
}

impl Book {
    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Offer { symbol, place, quantity } => {
                let standing = Standing { had: quantity, left: quantity };
                self.offers.entry((symbol, place)).or_insert(standing);
            }
            Command::Withdraw { symbol, place, quantity } => {
                if let Some(standing) = self.offers.get_mut(&(symbol, place))
                    && standing.had == quantity
                {
                    standing.left = 0;
                }
            }
            Command::Take { symbol, price, quantity, at_least } => {
                return self.take(&symbol, price, quantity, at_least);
            }
        }
        Reply::Done
    }

    fn take(&mut self, symbol: &str, price: u32, quantity: u32, at_least: u32) -> Reply {
        let mut wanted = quantity;
        let mut taken = Vec::new();
        let first = (symbol.to_owned(), Place { price: 0, stamp_ms: 0, id: 0 });
        let reached: Vec<_> = self
            .offers
            .range(first..)
            .take_while(|((of, place), _)| of == symbol && place.price <= price)
            .filter(|(_, standing)| standing.left > 0 && standing.left >= at_least)
            .map(|(key, standing)| (key.clone(), standing.clone()))
            .collect();
        for (key, mut standing) in reached {
            let pieces = wanted.min(standing.left);
            if pieces == 0 {
                break;
            }
            wanted -= pieces;
            standing.left -= pieces;
            taken.push((key.1.id, key.1.price, pieces));
            self.offers.insert(key, standing);
        }
        Reply::Taken(taken)
    }
}

impl StateMachine for Book {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.offers)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.offers.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.offers = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::{Audit, Law};
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        let symbol = || prop_oneof![4 => Just("A".to_owned()), 1 => Just("B".to_owned())];
        let place = || {
            (1u32..3, Just(0u64), 0u64..2).prop_map(|(price, stamp_ms, id)| Place {
                price,
                stamp_ms,
                id,
            })
        };
        let quantity = || 1u32..4;
        prop_oneof![
            3 => (symbol(), place(), quantity())
                .prop_map(|(symbol, place, quantity)| Command::Offer { symbol, place, quantity }),
            2 => (symbol(), 0u32..4, quantity(), 0u32..4).prop_map(
                |(symbol, price, quantity, at_least)| {
                    Command::Take { symbol, price, quantity, at_least }
                }
            ),
            1 => (symbol(), place(), quantity())
                .prop_map(|(symbol, place, quantity)| Command::Withdraw { symbol, place, quantity }),
        ]
    }

    /// Broken: two buyers are sold the same pieces, or a seller's offer is gone in one region.
    #[test]
    fn the_book_keeps_the_laws() {
        let report = Audit::new(Book::default, ByReach::default())
            .commands(command(), crate::encode)
            .cases(2_000)
            .assert();
        assert_eq!(report.lost().count(), 0, "{report}");
    }

    /// As [`ByReach`], with two takes that commute unless their prices are equal.
    struct TakesCommute(ModeTable);

    struct TakesCommuteBy;

    impl Predicate for TakesCommuteBy {
        fn name(&self) -> &str {
            "takes commute"
        }

        fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
            let price = |shown| match crate::decode(shown) {
                Ok(Command::Take { price, .. }) => Some(price),
                _ => None,
            };
            match (price(a), price(b)) {
                (Some(one), Some(other)) if one != other => false,
                _ => Reach.conflict(a, b),
            }
        }
    }

    impl Conflicts for TakesCommute {
        fn modes(&self) -> &ModeTable {
            &self.0
        }

        fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
            ByReach::default().footprint(payload)
        }
    }

    /// Broken: the audit of this example passes whatever is written.
    #[test]
    fn two_takes_that_want_the_same_are_found_out() {
        let modes = ModeTable::read_write().with_predicate(Arc::new(TakesCommuteBy));
        let found = Audit::new(Book::default, TakesCommute(modes))
            .commands(command(), crate::encode)
            .run()
            .unwrap_err();
        assert_eq!(found.law, Law::Commute);
        let kinds: Vec<_> = found.commands.iter().map(|it| it.command.split(' ').next()).collect();
        assert_eq!(kinds, [Some("Take"), Some("Take")], "{found}");
    }
}
