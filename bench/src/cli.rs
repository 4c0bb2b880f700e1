//! The command line of the geo benchmark: `althing bench geo`.

use crate::real;
use crate::sim::Settings;
use crate::sweep::{self, Sweep};
use crate::{BenchError, Crash, Keys, Load, Results, output};
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;

/// Runs one workload under one or several protocols, and shows what its clients saw.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
#[command(group = ArgGroup::new("way"))]
pub struct GeoArgs {
    /// In virtual time: fast, exact, and the same each time. The default.
    #[arg(long, group = "way")]
    sim: bool,
    /// With real processes on this machine, the distances emulated.
    #[arg(long, group = "way")]
    wan: bool,
    /// On the running cluster of this client's configuration (client.toml). Its protocol, f and
    /// regions are its own, and so are the distances unless --planet names others; the profile does
    /// not count for these.
    #[arg(long, group = "way", value_name = "CONFIG")]
    cluster: Option<PathBuf>,
    /// A profile; flags override what it says.
    #[arg(long, value_name = "FILE.toml")]
    profile: Option<PathBuf>,
    /// A built-in planet, or a table of round trips as CSV.
    #[arg(long, value_name = "NAME|FILE.csv")]
    planet: Option<String>,
    /// The regions, each with a node and clients.
    #[arg(long, value_name = "REGION,...", value_delimiter = ',')]
    regions: Option<Vec<String>>,
    /// fast, atlas, classic, leader[:REGION], leader-majority[:REGION], epaxos, bound.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    protocol: Option<Vec<String>>,
    /// Failures to survive.
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    f: Option<Vec<usize>>,
    /// Clients in each region.
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    clients: Option<Vec<usize>>,
    /// Commands of each client, one after the other.
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "duration"])]
    commands: Option<u64>,
    /// Commands a second of each region, whatever is answered.
    #[arg(long, value_name = "PER_SECOND,...", value_delimiter = ',')]
    rate: Option<Vec<f64>>,
    /// How long clients submit [with --rate: 30000].
    #[arg(long, value_name = "MS")]
    duration: Option<u64>,
    /// What is submitted before is not measured.
    #[arg(long, value_name = "MS")]
    warm_up: Option<u64>,
    /// Of a hundred commands, those on a shared key.
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',', conflicts_with = "zipf")]
    conflict: Option<Vec<f64>>,
    /// How many shared keys there are.
    #[arg(long, value_name = "N", conflicts_with = "zipf")]
    pool: Option<usize>,
    /// All clients choose among the same keys, the k-th as often as 1/k^EXPONENT.
    #[arg(long, value_name = "EXPONENT")]
    zipf: Option<f64>,
    /// How many keys there are with --zipf [default: 10000].
    #[arg(long, value_name = "N", requires = "zipf")]
    keys: Option<usize>,
    /// Of a hundred commands, those that read.
    #[arg(long, value_name = "PERCENT")]
    reads: Option<f64>,
    /// Writes add to a number and do not ask for the sum: they commute with each other.
    #[arg(long, conflicts_with = "payload")]
    additions: bool,
    /// Bytes that a write stores.
    #[arg(long, value_name = "BYTES")]
    payload: Option<usize>,
    /// Commands that may share a vertex, where they arrive together or wait.
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// How long a command may wait for others.
    #[arg(long, value_name = "US")]
    batch_delay: Option<u64>,
    /// A region crashes, and may be started again, at these times.
    #[arg(long, value_name = "REGION@MS[-MS]", value_parser = parse_crash)]
    crash: Option<Crash>,
    /// Every random choice follows from it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
    /// Write files into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Example:
  althing bench geo --sim --planet aws-2020-06-05 \\
    --regions eu-west-1,us-west-1,ap-southeast-1,ca-central-1,sa-east-1 \\
    --protocol fast,atlas,epaxos,leader --f 1 --clients 1 --commands 500 --conflict 0,2,10,50

The baselines, and what is modelled of each, stand in bench/README.md.";

/// How to run a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// In virtual time.
    Sim,
    /// With real processes on this machine.
    Wan,
    /// On the cluster of this configuration.
    Cluster(PathBuf),
}

impl GeoArgs {
    /// Does it, and prints what came of it; `command_line` is what made it, for the report.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self, command_line: &str) -> Result<(), BenchError> {
        let results = run(&self.way(), &self.sweep()?)?;
        if let Some(dir) = &self.out {
            let files = output::write(&results, dir, command_line)
                .map_err(|error| BenchError::Output(error.into()))?;
            eprintln!("{} files in {}", files.len(), dir.display());
        }
        match self.json {
            true => println!("{}", output::json(&results)),
            false => println!("{}", output::table(&results)),
        }
        check(&results)
    }

    /// Which way is asked for.
    pub fn way(&self) -> Way {
        match &self.cluster {
            Some(config) => Way::Cluster(config.clone()),
            None if self.wan => Way::Wan,
            None => Way::Sim,
        }
    }

    /// What the profile says, and the flags.
    ///
    /// # Errors
    /// The profile is not in order, or flags do not fit together.
    pub fn sweep(&self) -> Result<Sweep, BenchError> {
        let mut sweep = match &self.profile {
            Some(path) => Sweep::from_file(path)?,
            None => Sweep::default(),
        };
        if self.cluster.is_some() {
            // The cluster says what it is, unless flags do.
            sweep.workload.planet.clear();
            sweep.workload.regions.clear();
            sweep.protocols.clear();
            sweep.f.clear();
        }
        set(&mut sweep.protocols, &self.protocol);
        set(&mut sweep.f, &self.f);
        set(&mut sweep.clients, &self.clients);
        set(&mut sweep.conflict, &self.conflict);
        set(&mut sweep.rates, &self.rate);
        let workload = &mut sweep.workload;
        set(&mut workload.planet, &self.planet);
        set(&mut workload.regions, &self.regions);
        set(&mut workload.read_percent, &self.reads);
        workload.additions |= self.additions;
        set(&mut workload.payload_len, &self.payload);
        set(&mut workload.batch_len_max, &self.batch);
        set(&mut workload.batch_delay_us, &self.batch_delay);
        set(&mut workload.warm_up_ms, &self.warm_up);
        set(&mut workload.seed, &self.seed);
        if self.crash.is_some() {
            workload.crash.clone_from(&self.crash);
        }
        if let Some(exponent) = self.zipf {
            workload.keys = Keys::Zipf { exponent, len: self.keys.unwrap_or(10_000) };
            sweep.conflict.clear();
        }
        if let Some(wanted) = self.pool {
            match &mut workload.keys {
                Keys::Pool { len, .. } => *len = wanted,
                Keys::Zipf { .. } => {
                    workload.keys = Keys::Pool { conflict_percent: 2.0, len: wanted };
                }
            }
        }
        workload.load = match (self.commands, &self.rate, self.duration) {
            (Some(commands), ..) => {
                sweep.rates.clear();
                Load::Closed { commands }
            }
            (None, Some(rates), duration) => {
                let rate = rates.first().copied().unwrap_or_default();
                Load::Open { rate, duration_ms: duration.unwrap_or(30_000) }
            }
            (None, None, Some(duration_ms)) => match workload.load {
                Load::Open { rate, .. } => Load::Open { rate, duration_ms },
                _ => Load::ClosedFor { duration_ms },
            },
            (None, None, None) => workload.load,
        };
        Ok(sweep)
    }
}

fn set<T: Clone>(value: &mut T, flag: &Option<T>) {
    if let Some(flag) = flag {
        value.clone_from(flag);
    }
}

fn parse_crash(text: &str) -> Result<Crash, String> {
    let wrong =
        || format!("{text:?} is not REGION@MS or REGION@MS-MS, such as eu-west-1@5000-9000");
    let (region, times) = text.rsplit_once('@').ok_or_else(wrong)?;
    let ms = |text: &str| text.parse().map_err(|_| wrong());
    let (at_ms, until_ms) = match times.split_once('-') {
        Some((at, until)) => (ms(at)?, Some(ms(until)?)),
        None => (ms(times)?, None),
    };
    Ok(Crash { region: region.into(), at_ms, until_ms })
}

/// Runs a sweep in one of the three ways, with its progress on stderr.
///
/// # Errors
/// What was wrong, and what to do.
pub fn run(way: &Way, sweep: &Sweep) -> Result<Results, BenchError> {
    match way {
        Way::Sim => {
            let runs: usize = sweep.jobs()?.iter().map(|job| job.protocols.len()).sum();
            let bar = progress_bar(runs);
            let results = sweep::simulate(sweep, &Settings::default(), &|share| {
                bar.inc((share * STEPS as f64).round() as u64);
            });
            bar.finish_and_clear();
            results
        }
        Way::Wan => {
            let binary = std::env::current_exe()?;
            real::watched(|progress| real::sweep::emulate(sweep, binary, progress))
        }
        Way::Cluster(file) => real::watched(|progress| real::sweep::measure(sweep, file, progress)),
    }
}

/// Steps of progress for each run: many, since a long run tells of few at a time.
const STEPS: u64 = 1_000_000;

fn progress_bar(runs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} of {duration}")
        .expect("it is a template");
    let bar = ProgressBar::with_draw_target(
        Some(runs as u64 * STEPS),
        ProgressDrawTarget::stderr_with_hz(8),
    );
    bar.with_style(style)
}

/// A history that no order explains is an error of the protocol, or of the benchmark; either way
/// nobody should believe the figures.
fn check(results: &Results) -> Result<(), BenchError> {
    match results.runs.iter().find(|run| run.linearizable == Some(false)) {
        None => Ok(()),
        Some(run) => Err(BenchError::NotLinearizable {
            protocol: run.protocol.clone(),
            f: run.f,
            seed: results.workload.seed,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workload;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        geo: GeoArgs,
    }

    fn parse(line: &str) -> Result<GeoArgs, String> {
        let words = std::iter::once("geo").chain(line.split_whitespace());
        Command::try_parse_from(words).map(|it| it.geo).map_err(|error| error.to_string())
    }

    /// Broken: a flag is passed over, and the figures are of something else.
    #[test]
    fn flags_make_the_workload() {
        let args = parse(
            "--sim --planet gcp-2020 --regions a,b,c --protocol fast,leader --f 1,2 --clients 1,8 \
             --rate 5,10 --duration 700 --warm-up 60 --conflict 0,2.5 --pool 3 --reads 10 \
             --payload 9 --batch 4 --batch-delay 50 --crash b@100-400 --seed 5",
        );
        let expected = Sweep {
            protocols: ["fast", "leader"].map(String::from).into(),
            f: vec![1, 2],
            conflict: vec![0.0, 2.5],
            clients: vec![1, 8],
            rates: vec![5.0, 10.0],
            workload: Workload {
                planet: "gcp-2020".into(),
                regions: ["a", "b", "c"].map(String::from).into(),
                clients: 1,
                load: Load::Open { rate: 5.0, duration_ms: 700 },
                keys: Keys::Pool { conflict_percent: 2.0, len: 3 },
                read_percent: 10.0,
                additions: false,
                payload_len: 9,
                batch_len_max: 4,
                batch_delay_us: 50,
                warm_up_ms: 60,
                crash: Some(Crash { region: "b".into(), at_ms: 100, until_ms: Some(400) }),
                seed: 5,
            },
        };
        assert_eq!(args.unwrap().sweep().unwrap(), expected);
        let zipf = parse("--zipf 0.9 --keys 50 --commands 3").unwrap().sweep().unwrap();
        assert_eq!(zipf.workload.keys, Keys::Zipf { exponent: 0.9, len: 50 });
        assert_eq!(zipf.workload.load, Load::Closed { commands: 3 });
        assert!(parse("--additions").unwrap().sweep().unwrap().workload.additions);
        let closed = parse("--duration 900").unwrap().sweep().unwrap();
        assert_eq!(closed.workload.load, Load::ClosedFor { duration_ms: 900 });
    }

    /// Broken: a flag does not override its profile, or what the profile says is lost.
    #[test]
    fn flags_override_the_profile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, "f = [2]\n[workload]\nseed = 8\nclients = 3\n").unwrap();
        let args = parse(&format!("--profile {} --seed 9", path.display())).unwrap();
        let sweep = args.sweep().unwrap();
        assert_eq!((&sweep.f[..], sweep.workload.seed, sweep.workload.clients), (&[2][..], 9, 3));
    }

    /// Broken: flags that contradict each other give a figure of one of them.
    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--sim --wan",
            "--wan --cluster c.toml",
            "--commands 5 --rate 7",
            "--commands 5 --duration 7",
            "--zipf 1 --conflict 5",
            "--keys 5",
            "--crash eu-west-1",
            "--crash eu-west-1@x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("").unwrap().way(), Way::Sim);
        assert_eq!(parse("--wan").unwrap().way(), Way::Wan);
        assert_eq!(parse("--cluster c").unwrap().way(), Way::Cluster("c".into()));
    }
}
