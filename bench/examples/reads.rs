//! What reads take, by how new a state they want, beside a write: real processes, the distances between
//! their regions emulated.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p althing-bench --example reads -- target/release/althing \
//!     aws-2021-02-13 1 conflict 200
//! ```
//!
//! The arguments: the program that the nodes run, the planet (its first five regions), f, what
//! additions are to each other (`[store] adds`: `conflict` or `commute`), rounds.
//!
//! In each round the client of each region reads a key that nobody writes any more, linearizably,
//! within its session and stale, and then writes a key of its own: one after the other, all regions at
//! once. The bounds are the round trips to the nearest majority, for reads, and to the nearest fast
//! quorum, for writes.

use althing_local::{LocalCluster, Settings};
use althing_node::config::{Adds, StoreEntry};
use althing_planet::{Planet, Region, fast_quorum_size, majority};
use althing_sdk::{Client, Consistency, KvClient};
use std::error::Error;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const REGIONS: usize = 5;

/// What all read.
const IDLE: &str = "idle";

/// Until the nodes know how far the others are, and until what was written is everywhere.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// In the order of the columns.
const READS: [Consistency; 3] =
    [Consistency::Linearizable, Consistency::Session, Consistency::Stale];

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [binary, planet, f, adds, rounds] = &args[..] else {
        return Err("BINARY PLANET F conflict|commute ROUNDS".into());
    };
    let adds = match &adds[..] {
        "conflict" => Adds::Conflict,
        "commute" => Adds::Commute,
        other => return Err(format!("additions conflict or commute, not {other}").into()),
    };
    let planet = althing_local::planet::load(planet)?;
    let names = planet.regions().iter().take(REGIONS).map(|region| region.name().to_owned());
    let settings = Settings {
        regions: names.collect(),
        planet: Some(planet.clone()),
        f: f.parse()?,
        store: StoreEntry { adds },
        ..Settings::new(binary.into(), REGIONS)
    };
    tokio::runtime::Runtime::new()?.block_on(run(settings, &planet, rounds.parse()?))
}

async fn run(settings: Settings, planet: &Planet, rounds: usize) -> Result<(), Failure> {
    let f = settings.f;
    let mut cluster = LocalCluster::start(settings).await?;
    let mut clients = Vec::new();
    for node in 0..REGIONS {
        clients.push(KvClient::new(Client::connect(cluster.client_in(node)).await?));
    }
    clients[0].put(IDLE, "a value").await?;
    let begun = Instant::now();
    while !is_settled(&cluster, &clients).await? && begun.elapsed() < PATIENCE {
        cluster.check()?;
        sleep(LOOK_EVERY).await;
    }
    let tasks: Vec<_> = clients.into_iter().map(|kv| tokio::spawn(rounds_of(kv, rounds))).collect();
    println!("p50 / p99 in ms, {REGIONS} regions, f = {f}, {rounds} rounds\n");
    println!(
        "| | majority | linearizable read | as commands | session's read | stale read | \
         fast quorum | write |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let members: Vec<Region> = planet.regions().iter().take(REGIONS).cloned().collect();
    for (region, task) in members.iter().zip(tasks) {
        let Seen { reads: [linearizable, session, stale], writes, commands } = task.await??;
        let bound_ms =
            |quorum| Ok::<_, Failure>(planet.bound_us(region, &members, quorum)? as f64 / 1e3);
        println!(
            "| {} | {:.1} | {} | {commands} | {} | {} | {:.1} | {} |",
            region.name(),
            bound_ms(majority(REGIONS))?,
            summary(linearizable),
            summary(session),
            summary(stale),
            bound_ms(fast_quorum_size(REGIONS, f))?,
            summary(writes),
        );
    }
    cluster.check()?;
    cluster.stop();
    Ok(())
}

/// Whether all nodes know how far the others are, so that they ask the near ones, and have the value.
async fn is_settled(cluster: &LocalCluster, clients: &[KvClient]) -> Result<bool, Failure> {
    for (node, kv) in clients.iter().enumerate() {
        let links = cluster.status(node).await?.links;
        let is_known = links.iter().all(|link| link.up && link.round_trip_ms.is_some());
        if !is_known || kv.get_with(IDLE, Consistency::Stale).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How long a region's client waited.
#[derive(Default)]
struct Seen {
    /// As [`READS`].
    reads: [Vec<Duration>; 3],
    writes: Vec<Duration>,
    /// Linearizable reads that became commands.
    commands: usize,
}

async fn rounds_of(kv: KvClient, rounds: usize) -> Result<Seen, Failure> {
    // Opens the session, which is a commit of its own.
    let own = format!("of {:?}", kv.client().order()[0]);
    kv.put(own.clone(), "0").await?;
    let mut seen = Seen::default();
    for round in 0..rounds {
        for (consistency, latencies) in READS.into_iter().zip(&mut seen.reads) {
            let begun = Instant::now();
            let (value, executed) = kv.get_detailed(IDLE, consistency).await?;
            latencies.push(begun.elapsed());
            assert_eq!(value.as_deref(), Some(&b"a value"[..]), "nobody else writes it");
            seen.commands +=
                usize::from(executed.is_command && consistency == Consistency::Linearizable);
        }
        let begun = Instant::now();
        kv.put(own.clone(), round.to_string()).await?;
        seen.writes.push(begun.elapsed());
    }
    Ok(seen)
}

fn summary(mut latencies: Vec<Duration>) -> String {
    latencies.sort_unstable();
    let ms = |percent: usize| {
        let at = (latencies.len() * percent / 100).min(latencies.len() - 1);
        latencies[at].as_secs_f64() * 1e3
    };
    format!("{:.1} / {:.1}", ms(50), ms(99))
}
