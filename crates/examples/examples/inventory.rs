//! Stock in shares: `cargo run -p althing-examples --example inventory`.

use althing_examples::inventory::{ByShare, Command, Inventory, Reply};
use althing_examples::story::tell;

fn main() {
    let reserve = |share, count| Command::Reserve { item: 7, share, count };
    let commands = [
        Command::Restock { item: 7, share: 0, count: 24 },
        Command::Level { item: 7 },
        // From two regions: they commute.
        reserve(0, 2),
        reserve(1, 2),
        // Not here, though there is enough elsewhere.
        reserve(1, 2),
        Command::Level { item: 7 },
        reserve(1, 2),
        Command::Stock { item: 7 },
    ];
    print!("{}", tell::<_, Reply>(Inventory::default(), &ByShare::default(), &commands));
}
