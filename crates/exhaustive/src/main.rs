//! Explores a small model of the cluster exhaustively and prints what came of it.

use althing_exhaustive::{Bounds, Exploration, FastQuorums, Findings, Flaw, Recoveries, Search};
use althing_model::Path;
use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use comfy_table::Table;
use std::time::Duration;

/// Explores a small model of the cluster exhaustively: the roles' own code, all behaviours within
/// the bounds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How commands are committed.
    #[arg(long, value_enum, default_value = "fast")]
    path: PathName,
    /// The named bounds to begin with: ci, duel, small or deep.
    #[arg(long, default_value = "ci")]
    bounds: String,
    /// Crashes with restart, of all nodes together.
    #[arg(long)]
    crashes: Option<u8>,
    /// Which recoveries are asked for.
    #[arg(long, value_enum)]
    recoveries: Option<Recoveries>,
    /// Recovery ballots of a proposer in a vertex of the other one.
    #[arg(long)]
    attempts: Option<u32>,
    /// Recovery ballots of a proposer in a vertex of its own, a restart's not counted.
    #[arg(long)]
    own_attempts: Option<u32>,
    /// Commands of a proposer's client, one in each life.
    #[arg(long)]
    commands: Option<u8>,
    /// Whether the second proposer has a command.
    #[arg(long)]
    rival: Option<bool>,
    /// The proposers' `reserve_len`.
    #[arg(long)]
    reserve_len: Option<u64>,
    /// Which fast quorums are chosen.
    #[arg(long, value_enum)]
    quorums: Option<FastQuorums>,
    /// Whether voters are told of commits.
    #[arg(long)]
    commits: Option<bool>,
    /// Whether proposers hear of what only ends their work.
    #[arg(long)]
    outcomes: Option<bool>,
    /// A fault of the world, which must be found.
    #[arg(long, value_enum)]
    flaw: Option<Flaw>,
    /// Which states.
    #[arg(long, value_enum, default_value = "reduced")]
    search: Search,
    /// Breadth first: the shortest way to a violation, and more memory.
    #[arg(long)]
    breadth_first: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Minutes after which to give up.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Memory at which to give up, in GiB.
    #[arg(long, default_value_t = 20)]
    memory: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PathName {
    Fast,
    Classic,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let exploration = Exploration {
        search: arguments.search,
        is_breadth_first: arguments.breadth_first,
        threads: arguments.threads,
        time_max: Duration::from_secs(60 * arguments.minutes),
        memory_max: arguments.memory << 30,
        is_telling: true,
    };
    let findings = exploration.run(arguments.bounds()?);
    if arguments.json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        print(&findings);
    }
    if !findings.is_safe() {
        bail!("a property of safety is violated");
    }
    Ok(())
}

impl Arguments {
    fn bounds(&self) -> Result<Bounds> {
        let path = match self.path {
            PathName::Fast => Path::Fast,
            PathName::Classic => Path::Classic,
        };
        let named = Bounds::named(&self.bounds, path);
        let named = named.with_context(|| format!("bounds are {}", Bounds::NAMES.join(", ")))?;
        Ok(Bounds {
            path,
            crashes: self.crashes.unwrap_or(named.crashes),
            recoveries: self.recoveries.unwrap_or(named.recoveries),
            attempts: self.attempts.unwrap_or(named.attempts),
            own_attempts: self.own_attempts.unwrap_or(named.own_attempts),
            commands: self.commands.unwrap_or(named.commands),
            rival: self.rival.unwrap_or(named.rival),
            reserve_len: self.reserve_len.unwrap_or(named.reserve_len),
            quorums: self.quorums.unwrap_or(named.quorums),
            commits: self.commits.unwrap_or(named.commits),
            outcomes: self.outcomes.unwrap_or(named.outcomes),
            flaw: self.flaw.or(named.flaw),
        })
    }
}

fn print(findings: &Findings) {
    println!("{}", findings.bounds);
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["complete", "states", "unique", "depth", "seconds", "role states"]);
    table.add_row([
        if findings.is_complete { "yes" } else { "no" }.to_owned(),
        findings.states.to_string(),
        findings.unique_states.to_string(),
        findings.depth.to_string(),
        format!("{:.1}", findings.seconds),
        findings.role_states.to_string(),
    ]);
    println!("{table}\n");
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["property", "found"]);
    for finding in &findings.properties {
        let found = match (finding.is_safety, finding.is_met) {
            (true, true) if findings.is_complete => "holds in every state",
            (true, true) => "holds as far as was seen",
            (true, false) => "VIOLATED",
            (false, true) => "reached",
            (false, false) => "not reached",
        };
        table.add_row([finding.property, found]);
    }
    println!("{table}");
    for finding in findings.properties.iter().filter(|it| it.is_safety && !it.is_met) {
        println!("\n{} is violated after:", finding.property);
        for (at, step) in finding.way.iter().enumerate() {
            println!("{:4}  {step}", at + 1);
        }
    }
}
