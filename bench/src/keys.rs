//! Which key each command touches.

use crate::{Keys, Workload};
use althing_kv::KvCommand;
use bytes::Bytes;
use rand::RngExt;
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The keys of a workload, by number: those that all clients share first, then one of each client.
pub(crate) struct KeySpace {
    choice: Choice,
    names: Vec<Bytes>,
    read_share: f64,
    additions: bool,
    payload_len: usize,
}

enum Choice {
    Pool { conflict_share: f64, len: u32 },
    Zipf(Zipf<f64>),
}

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) key: u32,
    pub(crate) is_read: bool,
}

impl KeySpace {
    /// For so many clients in all. Every key's name begins with `prefix`.
    pub(crate) fn new(workload: &Workload, clients: usize, prefix: &str) -> Self {
        let shared = |len: usize| (0..len).map(|key| Bytes::from(format!("{prefix}shared-{key}")));
        let (choice, names) = match workload.keys {
            Keys::Pool { conflict_percent, len } => {
                let own = (0..clients).map(|client| Bytes::from(format!("{prefix}own-{client}")));
                let conflict_share = conflict_percent / 100.0;
                (Choice::Pool { conflict_share, len: len as u32 }, shared(len).chain(own).collect())
            }
            Keys::Zipf { exponent, len } => {
                let zipf = Zipf::new(len as f64, exponent).expect("checked with the workload");
                (Choice::Zipf(zipf), shared(len).collect())
            }
        };
        let (read_share, payload_len) = (workload.read_percent / 100.0, workload.payload_len);
        let additions = workload.additions;
        Self { choice, names, read_share, additions, payload_len }
    }

    pub(crate) fn names(&self) -> &[Bytes] {
        &self.names
    }

    pub(crate) fn draw(&self, client: u32, rng: &mut Xoshiro256PlusPlus) -> Access {
        let key = match &self.choice {
            Choice::Pool { conflict_share, len } => match rng.random::<f64>() < *conflict_share {
                true => rng.random_range(0..*len),
                false => len + client,
            },
            Choice::Zipf(zipf) => zipf.sample(rng) as u32 - 1,
        };
        Access { key, is_read: rng.random::<f64>() < self.read_share }
    }

    /// The command; a write stores `number`, so that no two write the same, and fills up, or it adds 1.
    pub(crate) fn command(&self, access: Access, number: u64) -> KvCommand {
        let key = self.names[access.key as usize].clone();
        if access.is_read {
            return KvCommand::Get { key };
        }
        if self.additions {
            return KvCommand::Add { key, by: 1 };
        }
        let mut value = vec![0; self.payload_len];
        let len = self.payload_len.min(8);
        value[..len].copy_from_slice(&number.to_le_bytes()[..len]);
        KvCommand::Put { key, value: value.into() }
    }
}
