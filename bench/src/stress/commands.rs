//! Plain commands: writes, and reads among them, over a bounded range of keys, so that the state is
//! bounded and what grows is the engine's.

use super::load::Commands;
use crate::keys::KeySpace;
use crate::{BenchError, Keys, Workload};
use althing_kv::KvCommand;
use clap::Args;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What clients ask for.
#[derive(Debug, Clone, Args)]
pub(super) struct CommandArgs {
    /// How many keys there are; each command takes any, all as often.
    #[arg(long, value_name = "N", default_value_t = 10_000,
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) keys: u32,
    /// Bytes that a write stores.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub(super) payload: usize,
    /// Of a hundred commands, those that read.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub(super) reads: f64,
}

/// Where all clients of a run take their commands from.
#[derive(Clone)]
pub(super) struct Source {
    keys: Arc<KeySpace>,
    written: Arc<AtomicU64>,
}

impl CommandArgs {
    /// # Errors
    /// A payload or a share that cannot be.
    pub(super) fn source(&self) -> Result<Source, BenchError> {
        let max = althing_kv::limits::VALUE_LEN_MAX;
        if self.payload > max {
            return Err(BenchError::Invalid(format!("a payload has at most {max} bytes")));
        }
        if !(0.0..=100.0).contains(&self.reads) {
            return Err(BenchError::invalid("the share of reads is from 0 to 100 (percent)"));
        }
        let workload = Workload {
            keys: Keys::Zipf { exponent: 0.0, len: self.keys as usize },
            payload_len: self.payload,
            read_percent: self.reads,
            ..Workload::default()
        };
        let keys = Arc::new(KeySpace::new(&workload, 0, ""));
        Ok(Source { keys, written: Arc::default() })
    }
}

impl Source {
    /// One client's commands.
    pub(super) fn client(&self) -> Plain {
        let random = Xoshiro256PlusPlus::seed_from_u64(rand::random());
        Plain { source: self.clone(), random }
    }
}

/// One client's commands.
pub(super) struct Plain {
    source: Source,
    random: Xoshiro256PlusPlus,
}

impl Commands for Plain {
    fn next_command(&mut self) -> KvCommand {
        let access = self.source.keys.draw(0, &mut self.random);
        self.source.keys.command(access, self.source.written.fetch_add(1, Relaxed))
    }
}
