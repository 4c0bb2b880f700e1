//! `althing sim`: the protocol in a deterministic world, under faults; many seeds, or one to look at.

mod ledger;
mod many;
mod one;

use crate::exit::Failure;
use althing_sim::{NamedProfile, Profile};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

const AFTER_HELP: &str = "\
Examples:
  althing sim --seeds 1..2000 --json
  althing sim --seeds 1..500 --profile disk --until-failure
  althing sim --seed 7 --ops 100 --trace
  althing sim --seed 7 --ops 100 --trace --vertex 0.1.5

One seed is one run, on every machine. The JSON has `seeds`, `ops` (operations that clients ended),
`seconds`, `violations`, `invalid` (runs that did not do what they drew) and `faults`, how often each
kind of trouble happened in all runs.

Exit codes: 0 no property was violated, 1 one was (with the line that reproduces it on stderr),
2 wrong usage.";

/// What can be asked of the simulator.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, after_long_help = LONG_HELP.as_str())]
pub struct Args {
    /// The seeds to run, the last included.
    #[arg(long, value_name = "A..B", default_value = "1..1000", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "until_failure", "json", "ledger"])]
    seed: Option<u64>,
    /// Operations of the clients in each run.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = operations)]
    ops: usize,
    /// What the runs are drawn from; --help tells which there are.
    #[arg(long, default_value = Profile::DEFAULT, value_parser = known)]
    profile: String,
    /// Print the result as JSON on stdout, and nothing else.
    #[arg(long)]
    json: bool,
    /// Print a row for the ledger of soaks (crates/sim/LEDGER.md) on stdout, and nothing else.
    #[arg(long, conflicts_with = "json")]
    ledger: bool,
    /// Stop at the first violation.
    #[arg(long)]
    until_failure: bool,
    /// Look for a small run that violates the same property, and draw it.
    #[arg(long)]
    minimise: bool,
    /// How long to look for it.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "minimise")]
    patience: u64,
    /// Draw the run as a sequence chart.
    #[arg(long, requires = "seed", conflicts_with = "minimise")]
    trace: bool,
    /// Print every event in full instead of the chart.
    #[arg(long, requires = "trace", conflicts_with_all = ["last", "vertex"])]
    events: bool,
    /// Draw the last so many rows; 0 for all.
    #[arg(long, value_name = "ROWS", default_value_t = 200, requires = "trace")]
    last: usize,
    /// Draw what this vertex is about (epoch.proposer.number), and what goes wrong, alone.
    #[arg(long, value_name = "VERTEX", requires = "trace", value_parser = one::vertex)]
    vertex: Option<althing_model::VertexId>,
}

static LONG_HELP: LazyLock<String> = LazyLock::new(|| {
    let profile = |(name, meaning, _): &NamedProfile| format!("  {name:<14} {meaning}\n");
    let profiles: String = Profile::ALL.iter().map(profile).collect();
    format!("Profiles:\n{profiles}\n{AFTER_HELP}")
});

fn seeds(range: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = range.split_once("..").ok_or("it is written A..B, both included")?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    let (first, last) = (number(first)?, number(last)?);
    if first > last || last == u64::MAX {
        return Err(format!("there is no seed from {first} to {last}"));
    }
    Ok(first..=last)
}

fn operations(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "it is a number from 1 to 1000000".to_owned())
}

fn known(name: &str) -> Result<String, String> {
    let all = || Profile::ALL.iter().map(|it| it.0).collect::<Vec<_>>().join(", ");
    let found = Profile::named(name).map(|_| name.to_owned());
    found.ok_or_else(|| format!("the profiles are {}", all()))
}

impl Args {
    fn plan(&self, seed: u64) -> althing_sim::Plan {
        let profile = Profile::named(&self.profile).expect("its name was checked");
        althing_sim::Plan::draw_within(seed, self.ops, &profile)
    }
}

/// Runs the seeds.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.seed {
        Some(seed) => one::run(&args, seed),
        None => many::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a soak leaves out its last seed, or runs none at all without a word.
    #[test]
    fn ranges_include_their_last_seed_and_are_not_empty() {
        assert_eq!(seeds("1..2000").unwrap().count(), 2000);
        assert_eq!(seeds("7..7").unwrap().count(), 1);
        for wrong in ["", "7", "2..1", "1..x", "-1..3", "1..=3"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    /// Broken: nobody learns which profiles there are.
    #[test]
    fn every_profile_is_known_and_told() {
        for (name, meaning, _) in Profile::ALL {
            assert_eq!(known(name).unwrap(), *name);
            assert!(LONG_HELP.contains(name) && LONG_HELP.contains(meaning), "{name}");
        }
        assert!(known("nothing").unwrap_err().contains("all_conflict"));
    }
}
