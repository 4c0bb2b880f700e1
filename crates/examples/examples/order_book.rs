//! Offers and takes: `cargo run -p althing-examples --example order_book`.

use althing_examples::order_book::{Book, ByReach, Command, Place, Reply};
use althing_examples::story::tell;

fn main() {
    let symbol = || "ALTH".to_owned();
    let place = |price, id| Place { price, stamp_ms: id, id };
    let offer = |price, id, quantity| Command::Offer {
        symbol: symbol(),
        place: place(price, id),
        quantity,
    };
    let take =
        |price, quantity, at_least| Command::Take { symbol: symbol(), price, quantity, at_least };
    let commands = [
        offer(100, 1, 5),
        offer(101, 2, 50),
        offer(99, 3, 1),
        // Reaches the cheap and the large ones alone.
        take(100, 3, 0),
        take(105, 20, 20),
        Command::Withdraw { symbol: symbol(), place: place(101, 2), quantity: 50 },
        take(105, 20, 0),
    ];
    print!("{}", tell::<_, Reply>(Book::default(), &ByReach::default(), &commands));
}
