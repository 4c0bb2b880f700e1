//! What a large store costs: memory for each key, applying, and snapshots while it goes on.
//!
//! ```sh
//! cargo run --release -p althing-kv --example large -- KEYS VALUE_BYTES [--json]
//! ```
//! Keys have 16 bytes. The store is filled, overwritten for a few seconds, then overwritten while a
//! thread of its own reads a snapshot of it, and at last restored from the pieces, which are kept in
//! memory: it takes about three times what the entries have. The allocator is that of the `althing`
//! command; memory is what the kernel counts as resident (Linux). The longest apply without a
//! snapshot says what the machine itself adds.

use althing_kv::limits::VALUE_LEN_MAX;
use althing_kv::{KvCommand, Store};
use althing_model::StateMachine;
use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long it is overwritten without a snapshot.
const OVERWRITING: Duration = Duration::from_secs(3);

/// Measures a store with that many keys.
#[derive(Parser)]
struct Arguments {
    /// How many keys.
    keys: u64,
    /// Bytes of each value.
    value_bytes: usize,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { keys, value_bytes, json } = Arguments::parse();
    ensure!(keys > 0, "a store of no keys: there must be at least one");
    ensure!(value_bytes <= VALUE_LEN_MAX, "a value has at most {VALUE_LEN_MAX} bytes");

    let mut store = Store::default();
    let empty = resident()?;
    let filling = Applies::of(&mut store, value_bytes, 0..keys, || false);
    let filled = resident()?;
    eprintln!("filled");
    let until = Instant::now() + OVERWRITING;
    let random = |seed: u64| (0..).map(move |step| mix(seed + step) % keys);
    let overwriting =
        Applies::of(&mut store, value_bytes, random(1 << 40), || Instant::now() > until);
    eprintln!("overwritten");

    let digest = store.digest();
    let begun = Instant::now();
    let snapshot = store.snapshot();
    let call = begun.elapsed();
    let is_read = AtomicBool::new(false);
    let (meanwhile, pieces, reading) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let begun = Instant::now();
            let pieces: Vec<Bytes> = snapshot.collect();
            let took = begun.elapsed();
            is_read.store(true, Ordering::Relaxed);
            (pieces, took)
        });
        let is_read = || is_read.load(Ordering::Relaxed);
        let meanwhile = Applies::of(&mut store, value_bytes, random(2 << 40), is_read);
        let (pieces, took) = reader.join().expect("reading does not fail");
        (meanwhile, pieces, took)
    });
    let read = resident()?;
    let snapshot_bytes: usize = pieces.iter().map(Bytes::len).sum();
    eprintln!("read a snapshot");

    let begun = Instant::now();
    let mut restored = Store::default();
    restored.restore(&mut pieces.iter().cloned())?;
    let restoring = begun.elapsed();
    assert_eq!(restored.digest(), digest, "the snapshot was of another state");
    let after = resident()?;

    let per_key = |bytes: u64| bytes as f64 / keys as f64;
    let rows = [
        ("keys", keys as f64),
        ("value_bytes", value_bytes as f64),
        ("memory_bytes_per_key", per_key(filled - empty)),
        ("fill_applies_per_s", filling.per_s()),
        ("overwrite_applies_per_s", overwriting.per_s()),
        ("overwrite_apply_p99.9_us", overwriting.p999_us()),
        ("overwrite_longest_apply_us", overwriting.longest_us()),
        ("snapshot_call_us", call.as_secs_f64() * 1e6),
        ("snapshot_applies", meanwhile.each.len() as f64),
        ("snapshot_applies_per_s", meanwhile.per_s()),
        ("snapshot_apply_p99.9_us", meanwhile.p999_us()),
        ("snapshot_longest_apply_us", meanwhile.longest_us()),
        ("snapshot_bytes", snapshot_bytes as f64),
        ("snapshot_pieces", pieces.len() as f64),
        ("snapshot_s", reading.as_secs_f64()),
        // What was copied because it changed under the snapshot, and what the allocator keeps.
        (
            "memory_bytes_per_key_after_snapshot",
            per_key((read - empty).saturating_sub(snapshot_bytes as u64)),
        ),
        ("restore_s", restoring.as_secs_f64()),
        ("restored_memory_bytes_per_key", per_key(after.saturating_sub(read))),
    ];
    if json {
        let object: serde_json::Map<_, _> =
            rows.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        println!("{}", serde_json::Value::Object(object));
    } else {
        rows.iter().for_each(|(name, value)| println!("{name:<36} {value:>16.2}"));
    }
    Ok(())
}

/// How long applying took, command by command, without making them.
struct Applies {
    total: Duration,
    /// Nanoseconds of each.
    each: Histogram<u64>,
}

impl Applies {
    /// Puts a value for each of these keys, until it is enough.
    fn of(
        store: &mut Store,
        value_bytes: usize,
        keys: impl IntoIterator<Item = u64>,
        is_enough: impl Fn() -> bool,
    ) -> Self {
        let each = Histogram::new(3).expect("three digits are few enough");
        let mut applies = Self { total: Duration::ZERO, each };
        for key in keys {
            if is_enough() {
                break;
            }
            let key = format!("{:016x}", mix(key)).into();
            let value = vec![applies.each.len() as u8; value_bytes].into();
            let payload = KvCommand::Put { key, value }.encode();
            let begun = Instant::now();
            store.apply(&payload);
            let took = begun.elapsed();
            applies.total += took;
            applies.each += took.as_nanos() as u64;
            if applies.each.len().is_multiple_of(1_000_000) {
                eprintln!("applied {} million", applies.each.len() / 1_000_000);
            }
        }
        applies
    }

    fn per_s(&self) -> f64 {
        self.each.len() as f64 / self.total.as_secs_f64()
    }

    fn p999_us(&self) -> f64 {
        self.each.value_at_quantile(0.999) as f64 / 1e3
    }

    fn longest_us(&self) -> f64 {
        self.each.max() as f64 / 1e3
    }
}

/// Each number to another (the finaliser of SplitMix64), so that keys come in no order.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("the memory of a process is read from /proc, which Linux alone has")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.context("/proc/self/status has no VmRSS")?.parse()?;
    Ok(kib << 10)
}
