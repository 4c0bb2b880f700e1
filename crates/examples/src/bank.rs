//! A bank: deposits commute, transfers and balances do not.
//!
//! The question for every two commands is: can anyone tell in which order they were executed, by a
//! reply or by what is left? On one account:
//!
//! | | read: `Balance` | add: `Deposit`, the receiving end of a `Transfer` | take: the giving end |
//! | --- | --- | --- | --- |
//! | read | commute | | |
//! | add | the balance tells | commute: a sum is a sum, and the reply does not tell it | |
//! | take | the balance tells | whether there was enough may tell | whether there was enough for both |
//!
//! A transfer takes from one account and adds to the other. Whether it takes place depends on the
//! first alone; so salaries paid from a hundred accounts into one do not wait for each other. These are
//! the standard modes [`Mode::READ`], [`Mode::ADD`] and [`Mode::WRITE`].
//!
//! What makes deposits commute was decided with the commands: a deposit answers `Done` and not the new
//! balance, and no balance can overflow, since an overflow would have to be refused, and which deposit
//! is refused depends on the order.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Pieces, StateMachine,
    Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// What one command may move, in the smallest unit of money: so little that no sum of commands
/// overflows a balance of 128 bits.
pub const AMOUNT_MAX: u64 = 1 << 60;

/// What clients ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Puts money into an account: [`Reply::Done`].
    Deposit {
        /// The account.
        to: u32,
        /// How much.
        amount: u64,
    },
    /// Moves money: [`Reply::Done`], or [`Reply::NotEnough`].
    Transfer {
        /// The account that gives.
        from: u32,
        /// The account that receives.
        to: u32,
        /// How much.
        amount: u64,
    },
    /// Asks what is in an account: [`Reply::Balance`].
    Balance {
        /// The account.
        of: u32,
    },
}

/// What the bank answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// There was not enough in the account, and nothing was moved.
    NotEnough,
    /// So much is in it, in decimal.
    Balance(String),
}

/// The conflict function.
#[derive(Debug, Clone)]
pub struct ByAccount {
    modes: ModeTable,
}

impl Default for ByAccount {
    fn default() -> Self {
        Self { modes: ModeTable::standard() }
    }
}

impl Conflicts for ByAccount {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let account = |number: u32| Bytes::from(number.to_string());
        let check = |amount| match amount {
            0..=AMOUNT_MAX => Ok(()),
            _ => {
                Err(CommandInvalid(format!("{amount} is over the {AMOUNT_MAX} allowed at a time")))
            }
        };
        Ok(match crate::decode(payload)? {
            Command::Deposit { to, amount } => {
                check(amount)?;
                Footprint::of([(account(to), Mode::ADD)])
            }
            Command::Transfer { from, to, amount } => {
                check(amount)?;
                Footprint::of([(account(from), Mode::WRITE), (account(to), Mode::ADD)])
            }
            Command::Balance { of } => Footprint::of([(account(of), Mode::READ)]),
        })
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/bank", 1, &self.modes)
    }
}

/// The state machine: what is in each account.
#[derive(Debug, Clone, Default)]
pub struct Bank {
    balances: OrdMap<u32, u128>,
}

impl Bank {
    fn balance(&self, account: u32) -> u128 {
        self.balances.get(&account).copied().unwrap_or_default()
    }

    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Deposit { to, amount } => self.add(to, amount),
            Command::Transfer { from, to, amount } => {
                let Some(left) = self.balance(from).checked_sub(amount.into()) else {
                    return Reply::NotEnough;
                };
                self.balances.insert(from, left);
                self.add(to, amount);
            }
            Command::Balance { of } => return Reply::Balance(self.balance(of).to_string()),
        }
        Reply::Done
    }

    fn add(&mut self, to: u32, amount: u64) {
        *self.balances.entry(to).or_default() += u128::from(amount);
    }
}

impl StateMachine for Bank {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = crate::decode(payload).ok()?;
        let reads = matches!(command, Command::Balance { .. });
        // A clone shares the state.
        reads.then(|| crate::encode(&self.clone().execute(command)))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.balances)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.balances.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.balances = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::{Audit, Law};
    use proptest::prelude::*;

    fn command() -> impl Strategy<Value = Command> {
        let account = || 0u32..3;
        let amount = || prop_oneof![4 => 0u64..4, 1 => Just(AMOUNT_MAX)];
        prop_oneof![
            (account(), amount()).prop_map(|(to, amount)| Command::Deposit { to, amount }),
            (account(), account(), amount()).prop_map(|(from, to, amount)| Command::Transfer {
                from,
                to,
                amount
            }),
            account().prop_map(|of| Command::Balance { of }),
        ]
    }

    /// Broken: money depends on the region from which one looks.
    #[test]
    fn the_bank_keeps_the_laws() {
        let report = Audit::new(Bank::default, ByAccount::default())
            .commands(command(), crate::encode)
            .cases(1_000)
            .assert();
        assert_eq!(report.lost().count(), 0, "{report}");
    }

    /// As [`ByAccount`], by somebody who thought that what a transfer adds is all that it does.
    struct TransfersAdd(ByAccount);

    impl Conflicts for TransfersAdd {
        fn modes(&self) -> &ModeTable {
            self.0.modes()
        }

        fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
            let footprint = self.0.footprint(payload)?;
            let all = footprint.resources().iter().map(|(name, mode)| match *mode {
                Mode::WRITE => (name.clone(), Mode::ADD),
                mode => (name.clone(), mode),
            });
            Ok(Footprint::of(all))
        }
    }

    /// Broken: the audit of this example passes whatever is written.
    #[test]
    fn transfers_that_only_add_are_found_out() {
        let found = Audit::new(Bank::default, TransfersAdd(ByAccount::default()))
            .commands(command(), crate::encode)
            .run()
            .unwrap_err();
        assert_eq!(found.law, Law::Commute);
    }

    /// Broken: a refused command would meet the state machine.
    #[test]
    fn too_much_at_a_time_is_refused() {
        let command = Command::Deposit { to: 1, amount: AMOUNT_MAX + 1 };
        let refused = ByAccount::default().footprint(&crate::encode(&command)).unwrap_err();
        assert!(refused.0.contains("over the"), "{refused}");
        assert!(ByAccount::default().footprint(b"{}").is_err());
    }
}
