//! A lock that changes hands: `cargo run -p althing-examples --example lease`.

use althing_examples::lease::{ByLock, Command, Leases, Reply};
use althing_examples::story::tell;

fn main() {
    let acquire = |lock: &str, owner: &str, stamp_ms| {
        let (lock, owner) = (lock.to_owned(), owner.to_owned());
        Command::Acquire { lock, owner, stamp_ms, hold_ms: 1_000 }
    };
    let commands = [
        acquire("printer", "ann", 10_000),
        acquire("scanner", "bob", 10_000),
        acquire("printer", "bob", 10_500),
        // Its time is over: bob gets a higher token, and ann's is refused from then on.
        acquire("printer", "bob", 11_000),
        Command::Release { lock: "printer".into(), token: 1, stamp_ms: 11_100 },
        Command::Holder { lock: "printer".into(), stamp_ms: 11_100 },
    ];
    print!("{}", tell::<_, Reply>(Leases::default(), &ByLock::default(), &commands));
}
