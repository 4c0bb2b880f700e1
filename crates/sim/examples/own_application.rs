//! Your own state machine under the swarm: accounts, deposits that commute, transfers that do not.
//!
//! ```text
//! cargo run --release -p althing-sim --example own_application
//! ```
//! Three things are needed. The [`StateMachine`] is the one that your nodes run. The [`Conflicts`]
//! function is theirs, too: it says of each command which resources it touches, and in which mode;
//! commands whose modes commute on all that both touch may be executed in any order. And an
//! [`Application`] says what clients ask in a simulated run. Everything else is as in
//! `althing sim`: the clusters, the faults, the oracles.
//!
//! To see what happens when the conflict function is wrong, let transfers commute in `modes` below.
//! Replicas then differ, and some oracle says so within a few seeds.

use althing_model::{
    CommandInvalid, Conflicts, Footprint, Mode, ModeTable, Pieces, StateMachine, Unrestorable,
};
use althing_sim::{Application, Plan, Totals, Workload, swarm_with};
use bytes::{Buf, Bytes};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let totals = soak(1..=200, 300);
    println!(
        "{} seeds, {} operations, {} violations, {} invalid",
        totals.seeds, totals.operations, totals.violations, totals.invalid
    );
    if totals.violations > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs the bank under these seeds, with so many operations each.
fn soak(seeds: RangeInclusive<u64>, operations: usize) -> Totals {
    swarm_with(
        seeds,
        |seed| Plan::draw(seed, operations),
        &Bank,
        |_, result| {
            // A failure tells what was violated; give its plan to `althing_sim::minimise`, with
            // your application, for a small run that fails in the same way.
            if let Err(failure) = result {
                eprintln!("{failure}");
            }
            true
        },
    )
}

/// A command of the bank, encoded in words.
enum Command {
    Deposit { to: u64, amount: u64 },
    Transfer { from: u64, to: u64, amount: u64 },
}

impl Command {
    fn encode(&self) -> Bytes {
        match self {
            Self::Deposit { to, amount } => format!("deposit {to} {amount}"),
            Self::Transfer { from, to, amount } => format!("transfer {from} {to} {amount}"),
        }
        .into()
    }

    fn decode(payload: &[u8]) -> Result<Self, CommandInvalid> {
        let invalid = || CommandInvalid("neither a deposit nor a transfer".into());
        let text = std::str::from_utf8(payload).map_err(|_| invalid())?;
        let words: Vec<&str> = text.split(' ').collect();
        let number = |word: &str| word.parse().map_err(|_| invalid());
        Ok(match words[..] {
            ["deposit", to, amount] => Self::Deposit { to: number(to)?, amount: number(amount)? },
            ["transfer", from, to, amount] => {
                Self::Transfer { from: number(from)?, to: number(to)?, amount: number(amount)? }
            }
            _ => return Err(invalid()),
        })
    }
}

/// Adds to an account; the reply tells nothing of what is in it, so that two of them commute.
const DEPOSIT: Mode = Mode(0);

/// Takes from an account, or adds to it what another had: whether there is enough depends on what
/// came before.
const TRANSFER: Mode = Mode(1);

/// The conflict function.
struct ByAccount(ModeTable);

fn modes() -> ModeTable {
    ModeTable::new(&["deposit", "transfer"]).commuting(DEPOSIT, DEPOSIT)
}

impl Conflicts for ByAccount {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let account = |number: u64| Bytes::from(number.to_string());
        Ok(match Command::decode(payload)? {
            Command::Deposit { to, .. } => Footprint::of([(account(to), DEPOSIT)]),
            Command::Transfer { from, to, .. } => {
                Footprint::of([(account(from), TRANSFER), (account(to), TRANSFER)])
            }
        })
    }
}

/// What is in each account.
#[derive(Default)]
struct Accounts(BTreeMap<u64, u64>);

impl StateMachine for Accounts {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        match Command::decode(payload).expect("the conflict function took it") {
            Command::Deposit { to, amount } => *self.0.entry(to).or_default() += amount,
            Command::Transfer { from, to, amount } => {
                let left = self.0.get(&from).and_then(|balance| balance.checked_sub(amount));
                let Some(left) = left else { return "not enough".into() };
                self.0.insert(from, left);
                *self.0.entry(to).or_default() += amount;
            }
        }
        "done".into()
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    fn snapshot(&self) -> Pieces {
        // A bank with more accounts than a simulated one keeps them in a persistent map, which is
        // cheap to clone.
        let mut accounts = self.0.clone().into_iter();
        Box::new(std::iter::from_fn(move || {
            let piece: Vec<u8> = accounts
                .by_ref()
                .take(1_000)
                .flat_map(|(account, balance)| [account.to_be_bytes(), balance.to_be_bytes()])
                .flatten()
                .collect();
            (!piece.is_empty()).then(|| piece.into())
        }))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.0.clear();
        for mut piece in pieces {
            while !piece.is_empty() {
                let number = |piece: &mut Bytes| {
                    piece.try_get_u64().map_err(|_| Unrestorable("an account is cut short".into()))
                };
                let (account, balance) = (number(&mut piece)?, number(&mut piece)?);
                if self.0.insert(account, balance).is_some() {
                    return Err(Unrestorable(format!("account {account} is there twice")));
                }
            }
        }
        Ok(())
    }
}

/// The bank, as the simulator sees it.
struct Bank;

impl Application for Bank {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(ByAccount(modes()))
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::<Accounts>::default()
    }

    fn operation(
        &self,
        workload: &Workload,
        client: usize,
        _number: u64,
        rng: &mut dyn Rng,
    ) -> Bytes {
        // Accounts that all clients use, and one of the client's own.
        let mut account = || match rng.random_range(0..100) < workload.hot_percent {
            true => rng.random_range(0..workload.hot_keys),
            false => 1_000 + client as u64,
        };
        let (from, to) = (account(), account());
        let amount = rng.random_range(1..100);
        match rng.random_bool(0.5) {
            true => Command::Deposit { to, amount },
            false => Command::Transfer { from, to, amount },
        }
        .encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: whoever follows this example holds a state machine of their own to nothing, or the
    /// oracles find fault with one that is right.
    #[test]
    fn the_bank_survives_the_swarm() {
        let totals = soak(1..=25, 150);
        assert_eq!((totals.seeds, totals.violations), (25, 0));
        assert!(totals.done > 25 * 100, "{totals:?}");
    }
}
