//! What was run, in words.

use crate::{Keys, Load, Mode, Results, Workload};
use maud::{Markup, html};

/// One sentence under the title.
pub(super) fn lead(results: &Results) -> String {
    match results.mode {
        Mode::Sim => "In a discrete-event simulator, in virtual time, over measured distances.",
        Mode::Wan => {
            "With real processes, networks and disks on one machine, the distances between the regions \
             emulated."
        }
        Mode::Cluster => "On a running cluster, at its real distances.",
    }
    .to_owned()
}

/// The next line: where, and under what.
pub(super) fn in_short(results: &Results) -> String {
    let regions = results.workload.regions.join(", ");
    let clients = listed(results.runs.iter().map(|run| run.clients.to_string()));
    let load = load(results.workload.load, results);
    format!("{regions} · clients in each: {clients} · {load}")
}

/// Whether the same comes out again.
pub(super) fn reproduction(results: &Results) -> String {
    match results.mode {
        Mode::Sim => format!(
            "Every random choice follows from seed {}: the same command and version print the same \
             figures on any machine.",
            results.workload.seed
        ),
        Mode::Wan | Mode::Cluster => format!(
            "What clients submit follows from seed {}; when it is answered does not, so figures differ \
             a little from run to run.",
            results.workload.seed
        ),
    }
}

/// The whole workload.
pub(super) fn section(results: &Results) -> Markup {
    html! {
        section id="setup" {
            h2 { "What was run" }
            dl.setup {
                @for (name, value) in facts(results) { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}

fn facts(results: &Results) -> Vec<(&'static str, String)> {
    let Workload { load, keys, payload_len, .. } = &results.workload;
    let workload = &results.workload;
    let mut facts = vec![
        ("planet", workload.planet.clone()),
        ("regions", workload.regions.join(", ")),
        ("clients a region", listed(results.runs.iter().map(|run| run.clients.to_string()))),
        ("load", self::load(*load, results)),
        ("keys", self::keys(*keys, results)),
        ("reads", format!("{} %", workload.read_percent)),
        match workload.additions {
            true => ("a write", "adds to a number".to_owned()),
            false => ("a write stores", format!("{payload_len} bytes")),
        },
    ];
    if workload.batch_len_max > 1 {
        let (len, delay_us) = (workload.batch_len_max, workload.batch_delay_us);
        facts.push(("batches", format!("of at most {len} commands, within {delay_us} µs")));
    }
    if workload.warm_up_ms > 0 {
        facts.push(("warm-up, not measured", format!("{} ms", workload.warm_up_ms)));
    }
    if let Some(crash) = &workload.crash {
        let until = crash.until_ms.map(|until_ms| format!(", until {until_ms} ms"));
        let until = until.unwrap_or_default();
        facts.push(("crash", format!("{} at {} ms{until}", crash.region, crash.at_ms)));
    }
    facts.push(("seed", workload.seed.to_string()));
    facts
}

fn load(load: Load, results: &Results) -> String {
    match load {
        Load::Closed { commands } => {
            format!("closed loop: each client {commands} commands, one after the other")
        }
        Load::ClosedFor { duration_ms } => {
            format!("closed loop: each client one command after the other, for {duration_ms} ms")
        }
        Load::Open { rate, duration_ms } => {
            let rates =
                listed(results.runs.iter().filter_map(|run| run.rate).map(|r| r.to_string()));
            let rates = if rates.is_empty() { rate.to_string() } else { rates };
            format!("open loop: {rates} commands/s a region at random times, for {duration_ms} ms")
        }
    }
}

fn keys(keys: Keys, results: &Results) -> String {
    match keys {
        Keys::Pool { conflict_percent, len } => {
            let rates = results.runs.iter().filter_map(|run| run.conflict_percent);
            let rates = listed(rates.map(|rate| rate.to_string()));
            let rates = if rates.is_empty() { conflict_percent.to_string() } else { rates };
            let shared = match len {
                1 => "one key that all share".to_owned(),
                _ => format!("{len} keys that all share"),
            };
            format!("{rates} % of commands on {shared}, the others on the client's own")
        }
        Keys::Zipf { exponent, len } => {
            format!("{len} keys that all share, by Zipf's law with exponent {exponent}")
        }
    }
}

/// Each once, as in `0, 2, 10`.
fn listed(values: impl Iterator<Item = String>) -> String {
    super::super::series::distinct(values).join(", ")
}
