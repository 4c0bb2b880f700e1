//! `althing plan`: where to put nodes, predicted from round trips before anyone pays for them.
//!
//! ```text
//! args -> asked (planet, candidates, clients) -> Question -> search -> text | json
//! ```

mod asked;
mod json;
mod systems;
mod text;
mod without;

use crate::exit::Failure;
use althing_planet::{By, Progress, Protocol, Question, Search};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{ErrorKind, Write as _};
use std::time::{Duration, Instant};

/// Searches that take longer show how far they are.
const SILENT: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Examples:
  althing plan --n 5 --f 1
  althing plan --planet aws-2020-06-05 --n 5 --f 1 --clients us-east-1=5,eu-west-1=3,sa-east-1=0.5
  althing plan --planet rtt-mine.csv --candidates london,paris,oslo,rome --n 3 --by worst --json

Latencies are predicted for commands without conflicts, from wide-area round trips alone: no
processing, no disks, no queues. A client in a region with a node talks to it in no time, others to
the nearest node and back; clients of a leader protocol talk to the leader itself.

All placements are compared if they are up to 5,000,000; else a local search looks for good ones, and
says so. The same question has the same answer always. At most 31 nodes, 256 regions.

A table of your own has the columns from,to,min_ms,avg_ms,max_ms,mdev_ms, as `ping` prints them, and a
row for each pair and for each region with itself; the file's name ends in .csv.

The JSON has `planet`, `n`, `f`, `protocol`, `by`, `candidates`, `clients`, `search` and `placements`,
best first; each of those `regions`, `protocols` (mean, worst and each client region in ms),
`failures` (the same without one region) and `quorum_systems` (null above 9 nodes).

Exit codes: 0 done, 1 it could not be written, 2 wrong usage or a table that cannot be used.";

/// What can be asked of the planner.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// A built-in planet (aws-2020-06-05, aws-2021-02-13, gcp-2020), or a table of your own.
    #[arg(long, value_name = "NAME|FILE.csv", default_value = "aws-2020-06-05")]
    planet: String,
    /// Regions that may host a node, separated by commas [default: all of the planet's].
    #[arg(long, value_name = "REGION,...", value_delimiter = ',')]
    candidates: Option<Vec<String>>,
    /// How many nodes to place, one in a region.
    #[arg(long, default_value_t = 5)]
    n: usize,
    /// How many of them may fail.
    #[arg(long, default_value_t = 1)]
    f: usize,
    /// Where clients are, and how much each region counts; a weight may have three decimals, and is
    /// 1 where none is given. They need no node in their region [default: all candidates, 1 each].
    #[arg(long, value_name = "REGION=WEIGHT,...", value_delimiter = ',')]
    clients: Option<Vec<String>>,
    /// What to make small: the weighted mean over client regions, or the latency of the worst one.
    #[arg(long, default_value = "mean", value_parser = by)]
    by: By,
    /// The protocol to place nodes for: fast, classic, leader (phase 2 of f + 1), leader-majority,
    /// or epaxos.
    #[arg(long, default_value = "fast", value_parser = protocol)]
    protocol: Protocol,
    /// How many of the best placements to list.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = few)]
    top: usize,
    /// How many of those to show in full: regions, failures, quorum systems. The JSON has all.
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = few)]
    full: usize,
    /// Print the result as JSON on stdout, and nothing else.
    #[arg(long)]
    json: bool,
}

fn by(name: &str) -> Result<By, String> {
    match name {
        "mean" => Ok(By::Mean),
        "worst" => Ok(By::Worst),
        _ => Err("it is mean or worst".to_owned()),
    }
}

/// Placing nodes for the bound is placing them for the fast path.
fn protocol(name: &str) -> Result<Protocol, String> {
    let protocols = || Protocol::ALL.into_iter().filter(|it| *it != Protocol::Bound);
    protocols().find(|it| it.name() == name).ok_or_else(|| {
        format!(
            "the protocols are {}",
            protocols().map(Protocol::name).collect::<Vec<_>>().join(", ")
        )
    })
}

fn few(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=100).contains(number));
    number.ok_or_else(|| "it is a number from 1 to 100".to_owned())
}

/// Searches, and prints what was found.
pub fn run(args: Args) -> Result<(), Failure> {
    let question = asked::question(&args).map_err(Failure::usage)?;
    let found = search(&question, &args);
    let text = match args.json {
        true => format!("{}\n", json::of(&question, &args, &found)),
        false => text::of(&question, &args, &found),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader that goes away, such as `head`, has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn search(question: &Question, args: &Args) -> Search {
    let begun = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let found = question.search(args.protocol, args.by, args.top, |Progress { done, of }| {
        if begun.elapsed() >= SILENT {
            bar.get_or_insert_with(|| shown(of)).set_position(done);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    found
}

/// Only where stderr is a terminal.
fn shown(of: u64) -> ProgressBar {
    let style = "{bar:40.cyan/dim} {human_pos} of {human_len}  {elapsed}, {eta} to go";
    let style = ProgressStyle::with_template(style).expect("a constant").progress_chars("━╸─");
    ProgressBar::new(of).with_style(style)
}

/// What a person calls a protocol in a sentence.
fn name(protocol: Protocol) -> String {
    title(protocol).replace("-\n", "-").replace('\n', " ")
}

/// What a person calls a protocol in the head of a column.
fn title(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Fast => "Althing\nfast",
        Protocol::Classic => "Althing\nclassic",
        Protocol::Leader => "leader\nf + 1",
        Protocol::LeaderMajority => "leader\nmajority",
        Protocol::Epaxos => "EPaxos-\nlike",
        Protocol::Bound => "lower\nbound",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: an option takes another word than its help says.
    #[test]
    fn words_of_options_are_those_of_the_help() {
        assert_eq!((by("mean"), by("worst")), (Ok(By::Mean), Ok(By::Worst)));
        assert!(by("p99").is_err());
        for it in Protocol::ALL.into_iter().filter(|it| *it != Protocol::Bound) {
            assert_eq!(protocol(it.name()), Ok(it));
        }
        assert!(protocol("bound").unwrap_err().contains("leader-majority, epaxos"));
        assert!(few("0").is_err() && few("101").is_err() && few("5") == Ok(5));
    }
}
