//! Results that nobody measured: random, plausible, the same for the same seed. They show what
//! tables and plots look like, and serve their tests.

use althing_bench::{Bucket, Crash, Keys, Load, Mode, RegionRun, Results, Run, Workload};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A region, its bounds in milliseconds for f = 1 and f = 2, and its round trip to a leader.
type Site = (&'static str, [f64; 2], f64);

const SITES: [Site; 5] = [
    ("eu-west-1", [135.9, 175.7], 69.1),
    ("us-west-1", [135.9, 173.0], 78.6),
    ("ap-southeast-1", [175.7, 206.0], 217.0),
    ("ca-central-1", [78.6, 124.3], 0.3),
    ("sa-east-1", [173.2, 180.6], 124.3),
];

const STEP_MS: u64 = 250;

/// A made-up protocol.
#[derive(Debug, Clone, Copy)]
struct Made {
    protocol: &'static str,
    title: &'static str,
    f: usize,
    /// Milliseconds that a command in conflict waits on average; none of a leader's.
    wait_ms: Option<f64>,
    /// Milliseconds without answers anywhere when the leader's region crashes.
    gap_ms: u64,
}

const MADE: [Made; 5] = [
    Made {
        protocol: "fast",
        title: "Althing, fast path, f = 1",
        f: 1,
        wait_ms: Some(60.0),
        gap_ms: 0,
    },
    Made {
        protocol: "fast",
        title: "Althing, fast path, f = 2",
        f: 2,
        wait_ms: Some(90.0),
        gap_ms: 0,
    },
    Made { protocol: "atlas", title: "Atlas rule, f = 1", f: 1, wait_ms: Some(110.0), gap_ms: 0 },
    Made { protocol: "epaxos", title: "EPaxos rule, f = 2", f: 2, wait_ms: Some(180.0), gap_ms: 0 },
    Made {
        protocol: "leader:ca-central-1",
        title: "Multi-Paxos, leader in ca-central-1, f = 1, best place",
        f: 1,
        wait_ms: None,
        gap_ms: 2_600,
    },
];

/// Every made-up protocol at each conflict rate.
pub(super) fn sweep(conflict_percents: &[f64]) -> Results {
    let runs = conflict_percents.iter().flat_map(|percent| {
        MADE.iter().enumerate().map(move |(index, made)| {
            let seed = index as u64 ^ percent.to_bits();
            run(made, Under { conflict_percent: *percent, ..Under::default() }, seed)
        })
    });
    Results { mode: Mode::Sim, workload: workload(), runs: runs.collect() }
}

/// Three protocols with more and more clients.
pub(super) fn load(clients: &[usize]) -> Results {
    let runs = clients.iter().flat_map(|clients| {
        [0, 2, 4].map(|index| {
            let under = Under { conflict_percent: 2.0, clients: *clients, ..Under::default() };
            run(&MADE[index], under, index as u64 + *clients as u64)
        })
    });
    Results { mode: Mode::Sim, workload: workload(), runs: runs.collect() }
}

/// Two protocols while a region crashes and comes back.
pub(super) fn crash() -> Results {
    let crash = Crash { region: "ca-central-1".to_owned(), at_ms: 10_000, until_ms: Some(20_000) };
    let runs = [0, 4].map(|index| {
        let under = Under {
            conflict_percent: 2.0,
            clients: 8,
            crash: Some((crash.at_ms, 20_000)),
            seconds: 30.0,
        };
        run(&MADE[index], under, index as u64)
    });
    let load = Load::ClosedFor { duration_ms: 30_000 };
    let workload = Workload { clients: 8, crash: Some(crash), load, ..workload() };
    Results { mode: Mode::Wan, workload, runs: runs.into() }
}

fn workload() -> Workload {
    Workload {
        planet: "aws-2020-06-05".to_owned(),
        regions: SITES.map(|(name, ..)| name.to_owned()).to_vec(),
        clients: 1,
        load: Load::Closed { commands: 500 },
        keys: Keys::Pool { conflict_percent: 0.0, len: 1 },
        read_percent: 0.0,
        additions: false,
        payload_len: 128,
        batch_len_max: 1,
        batch_delay_us: 0,
        warm_up_ms: 0,
        crash: None,
        seed: 1,
    }
}

/// What a run is put under.
#[derive(Debug, Clone, Copy)]
struct Under {
    conflict_percent: f64,
    clients: usize,
    /// From, to.
    crash: Option<(u64, u64)>,
    seconds: f64,
}

impl Default for Under {
    fn default() -> Self {
        Self { conflict_percent: 0.0, clients: 1, crash: None, seconds: 60.0 }
    }
}

fn run(made: &Made, under: Under, seed: u64) -> Run {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    Run {
        protocol: made.protocol.to_owned(),
        title: made.title.to_owned(),
        f: made.f,
        conflict_percent: Some(under.conflict_percent),
        clients: under.clients,
        rate: None,
        regions: SITES.iter().map(|site| region(site, made, under, &mut random)).collect(),
        seconds: under.seconds,
        linearizable: Some(true),
    }
}

fn region(site: &Site, made: &Made, under: Under, random: &mut Xoshiro256PlusPlus) -> RegionRun {
    let (name, bounds_ms, to_leader_ms) = *site;
    let bound_ms = bounds_ms[made.f - 1];
    let base_ms = if made.wait_ms.is_some() { bound_ms } else { to_leader_ms + 78.6 };
    // A server that is nearly busy answers late.
    let busy = (under.clients as f64 / 1500.0).min(0.97);
    let queue_ms = 4.0 * busy / (1.0 - busy);
    let mut latency = RegionRun::histogram();
    let mut timeline: Vec<_> = (0..(under.seconds * 1e3) as u64 / STEP_MS)
        .map(|step| Bucket { at_ms: step * STEP_MS, ..Bucket::default() })
        .collect();
    let clients = under.clients.min(24);
    for _ in 0..clients {
        let mut now_ms = random.random_range(0.0..base_ms);
        while now_ms < under.seconds * 1e3 {
            let mut took_ms = base_ms + exponential(random, 0.4 + queue_ms);
            let conflicts = random.random_bool(under.conflict_percent / 100.0);
            if let Some(wait_ms) = made.wait_ms.filter(|_| conflicts) {
                took_ms += exponential(random, wait_ms * (0.3 + under.conflict_percent / 60.0));
            }
            if let Some((from_ms, until_ms)) = under.crash {
                let (from_ms, until_ms) = (from_ms as f64, until_ms as f64);
                let gap_ms =
                    if name == "ca-central-1" { until_ms - from_ms } else { made.gap_ms as f64 };
                let needs_victim = made.wait_ms.is_some() && name != "ap-southeast-1";
                let end_ms = now_ms + took_ms;
                if end_ms > from_ms && now_ms < from_ms + gap_ms {
                    took_ms += from_ms + gap_ms - now_ms;
                } else if needs_victim && end_ms > from_ms && now_ms < from_ms + 150.0 {
                    took_ms += 50.0 + bound_ms;
                }
            }
            now_ms += took_ms;
            let took_us = (took_ms * 1e3) as u64;
            latency.record(took_us).expect("it is less than an hour");
            if let Some(bucket) = timeline.get_mut(now_ms as usize / STEP_MS as usize) {
                bucket.ops += 1;
                bucket.max_us = bucket.max_us.max(took_us);
            }
        }
    }
    // Few are drawn for many, or it would take long.
    let each = under.clients.div_ceil(24) as u64;
    timeline.iter_mut().for_each(|bucket| bucket.ops *= each);
    RegionRun {
        name: name.to_owned(),
        latency,
        unanswered: 0,
        bound_us: (bound_ms * 1e3) as u64,
        fast_share: made.wait_ms.map(|wait_ms| {
            if wait_ms < 100.0 { 0.99 } else { 1.0 - under.conflict_percent / 120.0 }
        }),
        timeline,
    }
}

fn exponential(random: &mut Xoshiro256PlusPlus, mean: f64) -> f64 {
    -mean * (1.0 - random.random::<f64>()).ln()
}
