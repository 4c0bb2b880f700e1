//! Stock that must not go below nothing: a counter with a bound, in shares.
//!
//! `Reserve` answers whether there was enough, so two reservations of one item do not commute: of the
//! last piece only the first gets it. They would commute as long as there is plenty, but a conflict
//! function sees the command, not the state. So the stock of an item is cut into [`SHARES`] shares,
//! and a reservation names the one that it takes from:
//!
//! | command | touches | conflicts with |
//! | --- | --- | --- |
//! | `Restock` | adds to one share | reservations from this share, `Level`, `Stock` |
//! | `Reserve` | takes from one share | all of this share |
//! | `Level` | all shares of the item, a range | all of the item |
//! | `Stock` | reads all shares, a range | all that changes the item |
//!
//! Clients of one region use a share of their own, so that regions do not wait for each other, until a
//! share is empty: then `Reserve` says so, and the client sends `Level`, which makes the shares equal
//! again and waits for everybody. This is escrow (O'Neil, TODS '86), and its limits are its own:
//! - `NotHere` does not say that there is none elsewhere; only `Stock` and `Level` know that.
//! - Near the end of the stock, shares are empty all the time and everything conflicts again. It pays
//!   where stock is large against what one command takes.
//! - `Restock` does not tell how much there is now: it would conflict with other restocks.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Pieces, Range,
    StateMachine, Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// Shares of an item: as many as there are regions, or a few more.
pub const SHARES: u8 = 8;

/// What one command may move: so little that sums do not overflow.
pub const COUNT_MAX: u32 = 1 << 30;

/// What clients ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Adds to a share: [`Reply::Done`].
    Restock {
        /// The item.
        item: u32,
        /// Which share, below [`SHARES`].
        share: u8,
        /// How many.
        count: u32,
    },
    /// Takes from a share: [`Reply::Done`], or [`Reply::NotHere`].
    Reserve {
        /// The item.
        item: u32,
        /// Which share, below [`SHARES`].
        share: u8,
        /// How many.
        count: u32,
    },
    /// Makes the shares equal, as far as whole pieces can be: [`Reply::Stock`].
    Level {
        /// The item.
        item: u32,
    },
    /// Asks how much there is: [`Reply::Stock`].
    Stock {
        /// The item.
        item: u32,
    },
}

/// What the inventory answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// The share has fewer, and was left as it is.
    NotHere,
    /// All shares together.
    Stock(u64),
}

/// The conflict function.
#[derive(Debug, Clone)]
pub struct ByShare {
    modes: ModeTable,
}

impl Default for ByShare {
    fn default() -> Self {
        Self { modes: ModeTable::standard() }
    }
}

/// All shares' names begin with this: fixed lengths, so that no item's name begins another's.
fn name(item: u32) -> Bytes {
    Bytes::copy_from_slice(&item.to_be_bytes())
}

fn share_name(item: u32, share: u8) -> Bytes {
    [&item.to_be_bytes()[..], &[share]].concat().into()
}

impl Conflicts for ByShare {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let check = |share, count| match (share, count) {
            (SHARES.., _) => Err(CommandInvalid(format!("there are shares 0 to {}", SHARES - 1))),
            (_, count) if count > COUNT_MAX => {
                Err(CommandInvalid(format!("{count} pieces are over the {COUNT_MAX} allowed")))
            }
            _ => Ok(()),
        };
        let all = |item, mode| Footprint::with_ranges([], [(Range::prefix(name(item)), mode)]);
        Ok(match crate::decode(payload)? {
            Command::Restock { item, share, count } => {
                check(share, count)?;
                Footprint::of([(share_name(item, share), Mode::ADD)])
            }
            Command::Reserve { item, share, count } => {
                check(share, count)?;
                Footprint::of([(share_name(item, share), Mode::WRITE)])
            }
            Command::Level { item } => all(item, Mode::WRITE),
            Command::Stock { item } => all(item, Mode::READ),
        })
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/inventory", 1, &self.modes)
    }
}

/// The state machine: how much each share of each item has; what has nothing is not there.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    shares: OrdMap<(u32, u8), u64>,
}

impl Inventory {
    fn set(&mut self, item: u32, share: u8, count: u64) {
        match count {
            0 => self.shares.remove(&(item, share)),
            _ => self.shares.insert((item, share), count),
        };
    }

    fn share(&self, item: u32, share: u8) -> u64 {
        self.shares.get(&(item, share)).copied().unwrap_or_default()
    }

    fn stock(&self, item: u32) -> u64 {
        (0..SHARES).map(|share| self.share(item, share)).sum()
    }

    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Restock { item, share, count } => {
                self.set(item, share, self.share(item, share) + u64::from(count));
                Reply::Done
            }
            Command::Reserve { item, share, count } => {
                match self.share(item, share).checked_sub(count.into()) {
                    Some(left) => {
                        self.set(item, share, left);
                        Reply::Done
                    }
                    None => Reply::NotHere,
                }
            }
            Command::Level { item } => {
                let stock = self.stock(item);
                let shares = u64::from(SHARES);
                for share in 0..SHARES {
                    let more = u64::from(u64::from(share) < stock % shares);
                    self.set(item, share, stock / shares + more);
                }
                Reply::Stock(stock)
            }
            Command::Stock { item } => Reply::Stock(self.stock(item)),
        }
    }
}

impl StateMachine for Inventory {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = crate::decode(payload).ok()?;
        let reads = matches!(command, Command::Stock { .. });
        // A clone shares the state.
        reads.then(|| crate::encode(&self.clone().execute(command)))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.shares)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.shares.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.shares = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::Audit;
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        let item = || prop_oneof![3 => Just(0u32), 1 => Just(u32::MAX)];
        let share = || prop_oneof![3 => Just(0u8), 1 => Just(SHARES - 1)];
        prop_oneof![
            (item(), share(), 0u32..20).prop_map(|(item, share, count)| Command::Restock {
                item,
                share,
                count
            }),
            (item(), share(), 0u32..6).prop_map(|(item, share, count)| Command::Reserve {
                item,
                share,
                count
            }),
            item().prop_map(|item| Command::Level { item }),
            item().prop_map(|item| Command::Stock { item }),
        ]
    }

    /// Broken: more is sold than there is, in one region or another.
    #[test]
    fn the_inventory_keeps_the_laws() {
        let report = Audit::new(Inventory::default, ByShare::default())
            .commands(command(), crate::encode)
            .cases(2_000)
            .assert();
        // Two levels of one item commute, and nobody sends two at a time.
        let lost: Vec<_> = report.lost().map(|(a, b, _)| (a, b)).collect();
        assert!(lost.iter().all(|kinds| matches!(kinds, ("Level", "Level" | "Stock"))), "{report}");
    }

    /// Broken: pieces come from nowhere, or get lost, when shares are made equal.
    #[test]
    fn level_keeps_the_stock() {
        let mut inventory = Inventory::default();
        inventory.execute(Command::Restock { item: 1, share: 3, count: 2 * u32::from(SHARES) + 3 });
        let reserve = |share| Command::Reserve { item: 1, share, count: 3 };
        assert_eq!(inventory.execute(reserve(0)), Reply::NotHere);
        let stock = Reply::Stock(2 * u64::from(SHARES) + 3);
        assert_eq!(inventory.execute(Command::Level { item: 1 }), stock);
        assert_eq!(inventory.execute(reserve(0)), Reply::Done);
        assert_eq!(inventory.execute(reserve(3)), Reply::NotHere);
        assert_eq!(
            inventory.execute(Command::Stock { item: 1 }),
            Reply::Stock(2 * u64::from(SHARES))
        );
    }

    /// Broken: a share that does not exist takes stock that nobody finds again.
    #[test]
    fn shares_that_do_not_exist_are_refused() {
        let command = Command::Restock { item: 1, share: SHARES, count: 1 };
        assert!(ByShare::default().footprint(&crate::encode(&command)).is_err());
    }
}
