//! A few commands of the bank: `cargo run -p althing-examples --example bank`.

use althing_examples::bank::{Bank, ByAccount, Command, Reply};
use althing_examples::story::tell;

fn main() {
    let commands = [
        Command::Deposit { to: 1, amount: 100 },
        Command::Deposit { to: 1, amount: 20 },
        Command::Deposit { to: 2, amount: 50 },
        // Into one account from two: they commute.
        Command::Transfer { from: 1, to: 3, amount: 80 },
        Command::Transfer { from: 2, to: 3, amount: 50 },
        Command::Transfer { from: 1, to: 2, amount: 80 },
        Command::Balance { of: 3 },
    ];
    print!("{}", tell::<_, Reply>(Bank::default(), &ByAccount::default(), &commands));
}
