//! `althing status`: how each node of a cluster is, as it says itself.

use crate::exit::Failure;
use althing_local::page;
use althing_node::Status;
use althing_sdk::{ClientFile, ClientNodeEntry};
use anyhow::{anyhow, bail};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
Example:
  althing status --client client.toml
  ALTHING_CLIENT=client.toml althing status --json

The nodes are asked at their `admin` addresses in that file, over plain HTTP. Counts are since the
node was started; round trips are those that it measures to the other nodes, in milliseconds.

Exit codes: 0 every node is ready, 1 one is not or cannot be reached, 2 wrong usage or configuration.";

/// Which cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The client's configuration, as `althing cluster` writes it.
    #[arg(long, value_name = "FILE", env = "ALTHING_CLIENT")]
    client: PathBuf,
    /// Seconds to wait for a node.
    #[arg(long, value_name = "SECONDS", default_value = "3",
        value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Asks every node, and prints what they say.
pub fn run(args: Args) -> Result<(), Failure> {
    let file = ClientFile::load(&args.client).map_err(Failure::usage)?;
    let patience = Duration::from_secs(args.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answers = runtime.block_on(async {
        let asked = file.nodes.iter().map(|node| tokio::spawn(ask(node.clone(), patience)));
        let mut answers = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            answers.push(asked.await.expect("asking does not panic"));
        }
        answers
    });
    let asked: Vec<_> = file.nodes.iter().zip(&answers).collect();
    if args.json {
        println!(
            "{}",
            Value::Array(asked.iter().map(|(node, answer)| row(node, answer)).collect())
        );
    } else {
        println!("{}", table(&asked));
    }
    let well = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|it| it.ready)).count();
    if well < asked.len() {
        return Err(anyhow!("{well} of {} nodes are ready", asked.len()).into());
    }
    Ok(())
}

type Answer = anyhow::Result<Status>;

async fn ask(node: ClientNodeEntry, patience: Duration) -> Answer {
    let Some(address) = node.admin else {
        bail!("the client's configuration has no `admin` address for it");
    };
    Ok(page::status(&address, patience).await?)
}

fn row(node: &ClientNodeEntry, answer: &Answer) -> Value {
    let (status, error) = match answer {
        Ok(status) => (json!(status), Value::Null),
        Err(error) => (Value::Null, json!(format!("{error:#}"))),
    };
    json!({ "node": node.id, "region": node.region, "reachable": answer.is_ok(),
        "status": status, "error": error })
}

const HEADER: [&str; 17] = [
    "node",
    "region",
    "state",
    "epoch",
    "committed",
    "executed",
    "blocked",
    "in flight",
    "fast",
    "slow",
    "classic",
    "recovered",
    "held",
    "journal MiB",
    "snapshot",
    "age s",
    "round trips",
];

fn table(asked: &[(&ClientNodeEntry, &Answer)]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(HEADER);
    let mut remarks = Vec::new();
    for (node, answer) in asked {
        let mut cells = vec![node.id.to_string(), node.region.clone()];
        match answer {
            Ok(status) => {
                if let Some(reason) = &status.not_ready_because {
                    remarks.push(format!("node {}: {reason}", node.id));
                }
                if status.registry.is_lost() {
                    let text =
                        "lost its journal: it is a replica without a vote, and counts among the";
                    remarks.push(format!("node {}: {text} f = {}", node.id, status.f));
                }
                if let Some(what) = &status.waiting_for {
                    remarks.push(format!("node {}: waits for {what}", node.id));
                }
                cells.extend(cells_of(status));
            }
            Err(error) => {
                cells.push("unreachable".to_owned());
                remarks.push(format!("node {}: {error:#}", node.id));
            }
        }
        table.add_row(cells);
    }
    let mut text = table.to_string();
    remarks.iter().for_each(|remark| text.push_str(&format!("\n{remark}")));
    text
}

/// Everything after node and region; nothing where the node does not have that role.
fn cells_of(status: &Status) -> Vec<String> {
    let state = match (&status.registry, status.ready) {
        (registry, _) if registry.is_asking() => "asking",
        (registry, true) if registry.is_lost() => "ready, no vote",
        (_, true) => "ready",
        (_, false) => "not ready",
    };
    let mut cells = vec![state.to_owned(), status.epoch.to_string()];
    match &status.replica {
        Some(it) => {
            cells.extend([it.committed, it.executed, it.blocked as u64].map(|it| it.to_string()));
        }
        None => cells.extend(["", "", ""].map(str::to_owned)),
    }
    match &status.proposer {
        Some(it) => {
            let commits = &it.commits;
            let counts = [commits.fast, commits.slow, commits.classic, commits.recovered];
            cells.push(it.in_flight.to_string());
            cells.extend(counts.map(|it| it.to_string()));
        }
        None => cells.extend(["", "", "", "", ""].map(str::to_owned)),
    }
    // Vertices that it could not forget yet, and what it has on disk.
    let held = status.vertices.values().max().copied().unwrap_or_default();
    cells.push(held.to_string());
    cells.push((status.journal.disk_bytes >> 20).to_string());
    let snapshots = status.snapshots.unwrap_or_default();
    cells.push(snapshots.newest.map(|number| number.to_string()).unwrap_or_default());
    cells.push(snapshots.newest_age_ms.map(|age| (age / 1000).to_string()).unwrap_or_default());
    let links = status.links.iter().map(|link| match (link.up, link.round_trip_ms) {
        (true, Some(time)) => format!("{}: {time:.1}", link.node),
        (true, None) => format!("{}: up", link.node),
        (false, _) => format!("{}: down", link.node),
    });
    cells.push(links.collect::<Vec<_>>().join(", "));
    cells
}
