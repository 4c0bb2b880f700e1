//! `althing conflict check`: the auditor's laws, on a module.

use super::{commands, module};
use crate::exit::Failure;
use althing_audit::{Audit, Report};
use althing_kv::{KvCommand, KvReply, Store};
use althing_model::Conflicts;
use althing_node::limits::{MODULE_FUEL, MODULE_MEMORY_MIB};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::PathBuf;

pub(super) const AFTER_HELP: &str = "\
Example:
  althing conflict check conflicts.wasm --cases 10000

What a module must export is in the documentation of the crate althing-wasm;
crates/wasm/modules/kv.wat is one to begin with. A node uses it by
  [conflicts]
  module = \"conflicts.wasm\"

Exit codes: 0 nothing was found wrong, 1 two commands said to commute do not,
2 it is no conflict function.";

/// What to check, and how long.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The WebAssembly module (binary).
    module: PathBuf,
    /// How many cases are tried, each of several commands in several orders.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    cases: u32,
    /// What is drawn follows from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fuel for a call, as in the nodes' configuration.
    #[arg(long, default_value_t = MODULE_FUEL)]
    fuel: u64,
    /// Memory for a call, in MiB, as in the nodes' configuration.
    #[arg(long, default_value_t = MODULE_MEMORY_MIB)]
    memory_mib: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(check: &Check) -> Result<(), Failure> {
    let load = || module::load(&check.module, check.fuel, check.memory_mib.saturating_mul(1 << 20));
    let conflicts = load().map_err(Failure::usage)?;
    let (id, modes) = (conflicts.id(), conflicts.modes().clone());
    let bar = progress(check.cases);
    let told = bar.clone();
    let audited = Audit::new(Store::default, conflicts)
        .commands(commands::any(), KvCommand::encode)
        .cases(check.cases)
        .seed(check.seed)
        .replies(|reply| match KvReply::decode(bytes::Bytes::copy_from_slice(reply)) {
            Ok(reply) => format!("{reply:?}"),
            Err(_) => format!("{reply:?}"),
        })
        .progress(move |progress| told.set_position(progress.cases_done.into()))
        .run();
    bar.finish_and_clear();
    match audited {
        Ok(report) if check.json => println!("{}", to_json(&report, &id.to_string())),
        Ok(report) => {
            let names: Vec<&str> = modes.names().collect();
            println!("{}\nid {id}\nmodes {}\n\n{report}", check.module.display(), names.join(", "));
        }
        Err(found) => {
            if check.json {
                println!(
                    "{}",
                    json!({ "id": id.to_string(), "counterexample": found.to_string() })
                );
            }
            return Err(anyhow::anyhow!("{found}").into());
        }
    }
    Ok(())
}

fn progress(cases: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} cases, {eta} left");
    ProgressBar::new(cases.into()).with_style(style.expect("the template is a constant"))
}

fn to_json(report: &Report, id: &str) -> serde_json::Value {
    let lost: Vec<_> = report
        .lost()
        .map(|(a, b, pairs)| json!({ "kinds": [a, b], "tried": pairs.conflicting }))
        .collect();
    json!({
        "id": id,
        "cases": report.cases,
        "seed": report.seed,
        "commands": report.commands,
        "commuting_pairs": report.commuting,
        "conflict_share": report.conflict_share(),
        "conflict_share_needed": report.conflict_share_needed(),
        "lost": lost,
    })
}
