//! What the clients of each example do in a simulation.

use althing_bench::sim::{Application, Request};
use althing_examples::everything::Everything;
use althing_examples::{bank, crdt, documents, encode, inventory, lease, order_book};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::sync::Arc;

/// An example, and what its clients do.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    conflicts: fn(everything: bool) -> Arc<dyn Conflicts>,
    machine: fn() -> Box<dyn StateMachine>,
    command: fn(&mut Turn) -> Bytes,
}

/// Whose turn it is.
struct Turn {
    client: u32,
    /// How many commands it sent before.
    sequence: u32,
    /// Whether it is about what all share.
    is_shared: bool,
    rng: Xoshiro256PlusPlus,
}

impl Turn {
    /// 0 for what is shared, another number for each client.
    fn subject(&self) -> u32 {
        if self.is_shared { 0 } else { 1 + self.client }
    }

    fn percent(&mut self) -> u32 {
        self.rng.random_range(0..100)
    }
}

/// An example in the simulator.
pub(crate) struct Simulated {
    pub(crate) example: &'static Example,
    /// Whether every command conflicts with every other.
    pub(crate) everything: bool,
}

impl Application for Simulated {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        (self.example.conflicts)(self.everything)
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        (self.example.machine)()
    }

    fn command(&self, request: &Request) -> Bytes {
        let (client, sequence) = (request.id.client, request.id.sequence);
        let rng = Xoshiro256PlusPlus::seed_from_u64(u64::from(client) << 32 | u64::from(sequence));
        // The pool of shared keys has one.
        let is_shared = request.key == 0;
        (self.example.command)(&mut Turn { client, sequence, is_shared, rng })
    }
}

fn either<C: Conflicts + 'static>(own: C, everything: bool) -> Arc<dyn Conflicts> {
    if everything { Arc::new(Everything(own)) } else { Arc::new(own) }
}

/// All of them.
pub(crate) static ALL: &[Example] = &[
    Example {
        name: "bank: 60 % deposits, 20 % transfers in, 10 % out, 10 % balances",
        conflicts: |everything| either(bank::ByAccount::default(), everything),
        machine: || Box::<bank::Bank>::default(),
        command: |turn| {
            let (subject, own) = (turn.subject(), 1 + turn.client);
            encode(&match turn.percent() {
                0..60 => bank::Command::Deposit { to: subject, amount: 10 },
                60..80 => bank::Command::Transfer { from: own, to: subject, amount: 1 },
                80..90 => bank::Command::Transfer { from: subject, to: own, amount: 1 },
                _ => bank::Command::Balance { of: subject },
            })
        },
    },
    Example {
        name: "lease: 80 % acquire or renew, 20 % ask who holds it",
        conflicts: |everything| either(lease::ByLock::default(), everything),
        machine: || Box::<lease::Leases>::default(),
        command: |turn| {
            let lock = turn.subject().to_string();
            let stamp_ms = 200 * u64::from(turn.sequence);
            let owner = turn.client.to_string();
            encode(&match turn.percent() {
                0..80 => lease::Command::Acquire { lock, owner, stamp_ms, hold_ms: 1_000 },
                _ => lease::Command::Holder { lock, stamp_ms },
            })
        },
    },
    Example {
        name: "inventory: 92 % reserve, 6 % restock, 2 % level",
        conflicts: |everything| either(inventory::ByShare::default(), everything),
        machine: || Box::<inventory::Inventory>::default(),
        command: |turn| {
            let item = turn.subject();
            let share = (turn.client % u32::from(inventory::SHARES)) as u8;
            encode(&match turn.percent() {
                0..92 => inventory::Command::Reserve { item, share, count: 1 },
                92..98 => inventory::Command::Restock { item, share, count: 50 },
                _ => inventory::Command::Level { item },
            })
        },
    },
    Example {
        name: "crdt: a quarter each of counting, inserting, removing, assigning",
        conflicts: |everything| either(crdt::Updates::default(), everything),
        machine: || Box::<crdt::Types>::default(),
        command: |turn| {
            let name = turn.subject().to_string();
            let tag = format!("{}-{}", turn.client, turn.sequence);
            let element = turn.rng.random_range(0..10).to_string();
            encode(&match turn.percent() {
                0..25 => crdt::Command::Add { name, by: 1 },
                25..50 => crdt::Command::Insert { name, element, tag },
                50..75 => crdt::Command::Remove { name, element, tags: vec![tag] },
                _ => {
                    let stamp = (u64::from(turn.sequence), turn.client.to_string());
                    crdt::Command::Assign { name, key: element, value: tag, stamp }
                }
            })
        },
    },
    Example {
        name: "documents: 80 % write one of 50 in a folder, 18 % read one, 2 % list it",
        conflicts: |everything| either(documents::ByPath::default(), everything),
        machine: || Box::<documents::Documents>::default(),
        command: |turn| {
            let folder = format!("/{}/", turn.subject());
            let path = format!("{folder}{}", turn.rng.random_range(0..50));
            encode(&match turn.percent() {
                0..80 => documents::Command::Write { path, text: turn.sequence.to_string() },
                80..98 => documents::Command::Read { path },
                _ => documents::Command::List { folder },
            })
        },
    },
    Example {
        name: "order book: 75 % offer, 15 % take large ones, 10 % withdraw",
        conflicts: |everything| either(order_book::ByReach::default(), everything),
        machine: || Box::<order_book::Book>::default(),
        command: |turn| {
            let symbol = turn.subject().to_string();
            let percent = turn.percent();
            // Withdraws what it offered before, if that was an offer.
            let back = if percent >= 90 { 1 } else { 0 };
            let number = turn.sequence.saturating_sub(back);
            let place = order_book::Place {
                price: 90 + number * 7 % 20,
                stamp_ms: u64::from(number),
                id: u64::from(turn.client) << 32 | u64::from(number),
            };
            let quantity = 1 + number * 13 % 100;
            encode(&match percent {
                75..90 => {
                    order_book::Command::Take { symbol, price: 95, quantity: 20, at_least: 80 }
                }
                90.. => order_book::Command::Withdraw { symbol, place, quantity },
                _ => order_book::Command::Offer { symbol, place, quantity },
            })
        },
    },
];
