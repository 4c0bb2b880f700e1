//! The fast path, which lets better placed proposers have contended commands, beside the Atlas rule
//! on the same simulator: the reference setting, and sets of five regions drawn at random from each
//! built-in planet. Nothing is set for any of them. Prints Markdown.
//!
//! Example: `cargo run --release -p althing-bench --example placement -- 6`
//! (six sets of each planet that has more than five regions)

use althing_bench::{BenchError, Keys, Load, Protocol, Run, Workload, sim};
use althing_planet::Planet;
use rand::SeedableRng;
use rand::seq::IteratorRandom;
use rand_xoshiro::Xoshiro256StarStar;

const CONFLICTS: [f64; 4] = [2.0, 10.0, 50.0, 100.0];

fn main() -> Result<(), BenchError> {
    let count: usize = std::env::args().nth(1).map_or(4, |text| text.parse().expect("a number"));
    let reference = Workload::default();
    let mut sets = vec![(reference.planet.clone(), reference.regions.clone())];
    let mut rng = Xoshiro256StarStar::seed_from_u64(5);
    for name in Planet::names() {
        let planet = Planet::named(name).expect("it is built in");
        let all: Vec<String> = planet.regions().iter().map(|it| it.name().to_owned()).collect();
        for _ in 0..if all.len() > 5 { count } else { 1 } {
            let mut regions: Vec<String> = all.iter().cloned().sample(&mut rng, 5);
            regions.sort();
            sets.push((name.to_owned(), regions));
        }
    }
    for f in [1, 2] {
        println!("\nf = {f}: mean / p99 in ms, the fast path and in parentheses the Atlas rule\n");
        println!("| planet: regions | 2 % | 10 % | 50 % | 100 % |");
        println!("| --- | ---: | ---: | ---: | ---: |");
        let mut ratios = [(0.0, 0.0, 0.0f64); CONFLICTS.len()];
        for (planet, regions) in &sets {
            let mut cells = Vec::new();
            for (conflict_percent, sums) in CONFLICTS.into_iter().zip(&mut ratios) {
                let workload = Workload {
                    planet: planet.clone(),
                    regions: regions.clone(),
                    keys: Keys::Pool { conflict_percent, len: 1 },
                    load: Load::Closed { commands: 500 },
                    ..reference.clone()
                };
                let fast = figures(&sim::run(&workload, &Protocol::Fast, f)?);
                let atlas = figures(&sim::run(&workload, &Protocol::Atlas, f)?);
                let (mean, p99) = (fast.0 / atlas.0, fast.1 / atlas.1);
                *sums = (sums.0 + mean, sums.1 + p99, sums.2.max(mean));
                cells.push(format!(
                    "{:.0} / {:.0} ({:.0} / {:.0})",
                    fast.0, fast.1, atlas.0, atlas.1
                ));
            }
            println!("| {planet}: {} | {} |", regions.join(", "), cells.join(" | "));
        }
        let of = sets.len() as f64;
        let row = ratios.map(|(mean, p99, worst)| {
            format!("{:.3} / {:.3}, at most {worst:.3}", mean / of, p99 / of)
        });
        println!("| ratio on the average, and the largest of the means | {} |", row.join(" | "));
    }
    Ok(())
}

fn figures(run: &Run) -> (f64, f64) {
    assert_eq!(run.linearizable, Some(true), "{}", run.title);
    let latency = run.latency();
    (latency.mean() / 1000.0, latency.value_at_quantile(0.99) as f64 / 1000.0)
}
