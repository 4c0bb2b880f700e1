//! `althing journal`: looks at a node's journal while the node does not run, or takes it away.

use crate::exit::Failure;
use althing_journal::{Report, verify};
use althing_model::ClusterId;
use althing_node::{Config, set_journal_aside};
use comfy_table::{Table, presets};
use serde_json::json;
use std::path::PathBuf;

/// What to do about a journal.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read a whole journal, and say whether it is what was written. Changes nothing.
    #[command(after_help = "Example:\n  althing journal verify data/0\n\n\
                            Exit codes: 0 it is sound, 1 it is not, or cannot be read.")]
    Verify(Verify),
    /// Take a journal that is damaged out of the way: its node comes back as a replica without a vote.
    #[command(after_help = SET_ASIDE_HELP)]
    SetAside(SetAside),
}

const SET_ASIDE_HELP: &str = "\
Example:
  althing journal set-aside --config node-0.toml --i-lost-promises

The journal's files are moved to set-aside-1 (or -2, ..) in the node's data directory; snapshots stay.
What the node promised is forgotten with them, so it neither votes nor proposes from then on, and counts
among the f nodes that may fail: with f such nodes none may be down. There is no way back, except to put
the files and the file `registry` back as they were, from a copy. Copy the directory first.

Exit codes: 0 done, 1 the node runs or the disk failed, 2 wrong usage or configuration.";

#[derive(Debug, clap::Args)]
struct SetAside {
    /// The node's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// That the node will have no vote any more is understood.
    #[arg(long, required = true)]
    i_lost_promises: bool,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The node's data directory.
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Verify(args) => verify_journal(&args),
        Command::SetAside(args) => set_aside(&args),
    }
}

fn set_aside(args: &SetAside) -> Result<(), Failure> {
    let config = Config::load(&args.config).map_err(Failure::usage)?;
    let (aside, moved) = set_journal_aside(&config)?;
    println!(
        "{moved} files of the journal of node {} are in {}\nit comes back without a vote: start it with \
         `althing serve`",
        config.me.0,
        aside.display()
    );
    Ok(())
}

fn verify_journal(args: &Verify) -> Result<(), Failure> {
    let report = verify(&args.dir);
    if args.json {
        let value = match &report {
            Ok(report) => to_json(report),
            Err(error) => json!({ "sound": false, "error": error.to_string() }),
        };
        println!("{value}");
    }
    let report = report?;
    if !args.json {
        println!("{}", to_text(&report));
    }
    Ok(())
}

fn to_json(report: &Report) -> serde_json::Value {
    json!({ "sound": true, "cluster": ClusterId(report.identity.cluster).to_string(),
        "node": report.identity.node, "closed": report.closed, "segments": report.segments,
        "records": report.records, "bytes": report.bytes, "torn_bytes": report.torn_bytes,
        "first_lsn": report.first.0, "last_lsn": report.last.0 })
}

fn to_text(report: &Report) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let closed = match report.closed {
        true => "yes",
        false => "no: the node was killed, or its machine",
    };
    let torn = match report.torn_bytes {
        0 => "none".to_owned(),
        torn => format!("{torn} bytes, never promised on: the next start cuts them"),
    };
    for (name, value) in [
        ("cluster", ClusterId(report.identity.cluster).to_string()),
        ("node", report.identity.node.to_string()),
        ("shut down in order", closed.to_owned()),
        ("segments", report.segments.to_string()),
        ("records", format!("{} to {}, {} in all", report.first, report.last, report.records)),
        ("bytes", report.bytes.to_string()),
        ("torn end", torn),
    ] {
        table.add_row([name, &value]);
    }
    format!("sound\n{table}")
}
