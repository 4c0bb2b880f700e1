//! Which key each command touches.

use crate::{Keys, Workload};
use althing_kv::KvCommand;
use bytes::Bytes;
use rand::RngExt;
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The keys of a workload, by number: those that all clients share first, then one of each client.
pub(super) struct KeySpace {
    choice: Choice,
    names: Vec<Bytes>,
    read_share: f64,
    payload_len: usize,
}

enum Choice {
    Pool { conflict_share: f64, len: u32 },
    Zipf(Zipf<f64>),
}

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) key: u32,
    pub(super) is_read: bool,
}

impl KeySpace {
    pub(super) fn new(workload: &Workload, clients: usize) -> Self {
        let shared = |len: usize| (0..len).map(|key| Bytes::from(format!("shared-{key}")));
        let (choice, names) = match workload.keys {
            Keys::Pool { conflict_percent, len } => {
                let own = (0..clients).map(|client| Bytes::from(format!("own-{client}")));
                let conflict_share = conflict_percent / 100.0;
                (Choice::Pool { conflict_share, len: len as u32 }, shared(len).chain(own).collect())
            }
            Keys::Zipf { exponent, len } => {
                let zipf = Zipf::new(len as f64, exponent).expect("checked with the workload");
                (Choice::Zipf(zipf), shared(len).collect())
            }
        };
        let (read_share, payload_len) = (workload.read_percent / 100.0, workload.payload_len);
        Self { choice, names, read_share, payload_len }
    }

    pub(super) fn names(&self) -> &[Bytes] {
        &self.names
    }

    pub(super) fn draw(&self, client: u32, rng: &mut Xoshiro256PlusPlus) -> Access {
        let key = match &self.choice {
            Choice::Pool { conflict_share, len } => match rng.random::<f64>() < *conflict_share {
                true => rng.random_range(0..*len),
                false => len + client,
            },
            Choice::Zipf(zipf) => zipf.sample(rng) as u32 - 1,
        };
        Access { key, is_read: rng.random::<f64>() < self.read_share }
    }

    /// The command; a write stores `number`, so that no two write the same, and fills up.
    pub(super) fn payload(&self, access: Access, number: u64) -> Bytes {
        let key = self.names[access.key as usize].clone();
        if access.is_read {
            return KvCommand::Get { key }.encode();
        }
        let mut value = vec![0; self.payload_len];
        let len = self.payload_len.min(8);
        value[..len].copy_from_slice(&number.to_le_bytes()[..len]);
        KvCommand::Put { key, value: value.into() }.encode()
    }
}
