//! The round trips of a running cluster, as a planet: from what its nodes measure with heartbeats.
//!
//! Each node keeps the count, least, mean, greatest and deviation of the round trips to each other
//! node since their connection began, and tells them on its status page. Both ends' queues are in
//! them, as they are in what a command takes; on a busy cluster `min_ms` is the distance and `avg_ms`
//! the distance with the queues. Several nodes of a region count together. A region to itself is
//! measured where it has several nodes, and otherwise [`OWN_REGION_MS`].

use crate::BenchError;
use althing_local::page;
use althing_node::{RoundTripStatus, Status};
use althing_planet::Planet;
use althing_sdk::{ClientFile, ClientNodeEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The round trip within a region that has one node, in milliseconds: the mean of the rows of a
/// region to itself in the built-in tables (44 of them, from 0.08 to 0.34).
pub const OWN_REGION_MS: f64 = 0.2;

/// Heartbeats that each link is to have measured: two seconds of them, as nodes are set by default.
pub const SAMPLES_LEAST: u64 = 20;

/// How long is waited for them.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a node's page may take.
const PAGE_PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const HEADER: [&str; 6] = ["from", "to", "min_ms", "avg_ms", "max_ms", "mdev_ms"];

/// What a cluster says of its distances.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The table.
    pub planet: Planet,
    /// The fewest round trips behind one of its rows.
    pub samples_least: u64,
    /// Which nodes could not be asked, and why. What the others measured to them is in the table.
    pub silent: Vec<String>,
}

/// Asks the nodes of a cluster, and waits until they have measured enough. The planet gets this name.
///
/// # Errors
/// When nodes have no region, or no node could be asked that knows a pair of regions.
pub async fn round_trips(file: &ClientFile, name: &str) -> Result<Measured, BenchError> {
    if let Some(node) = file.nodes.iter().find(|node| node.region.is_empty()) {
        let id = node.id;
        return Err(BenchError::Invalid(format!(
            "node {id} has no region: say `region = ...` for every node in the client's configuration"
        )));
    }
    let begun = Instant::now();
    loop {
        let answers = ask_all(&file.nodes).await;
        let all: Vec<&Status> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        let silent = answers.iter().zip(&file.nodes).filter_map(|(answer, node)| {
            let problem = answer.as_ref().err()?;
            Some(format!("node {} in {}: {problem}", node.id, node.region))
        });
        let silent: Vec<String> = silent.collect();
        let is_enough = all
            .iter()
            .flat_map(|status| &status.links)
            .all(|link| !link.up || link.round_trips.is_some_and(|it| it.count >= SAMPLES_LEAST));
        if (is_enough && silent.is_empty()) || begun.elapsed() > PATIENCE {
            return table(&all, silent, name);
        }
        // A node that was not there may come.
        sleep(LOOK_EVERY).await;
    }
}

async fn ask_all(nodes: &[ClientNodeEntry]) -> Vec<Result<Status, String>> {
    let mut answers = Vec::new();
    for node in nodes {
        answers.push(match &node.admin {
            None => Err("the client's configuration has no `admin` address for it".to_owned()),
            Some(address) => {
                page::status(address, PAGE_PATIENCE).await.map_err(|error| error.to_string())
            }
        });
    }
    answers
}

fn table(all: &[&Status], silent: Vec<String>, name: &str) -> Result<Measured, BenchError> {
    let mut pairs: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    let mut regions = BTreeSet::new();
    for status in all {
        regions.insert(status.region.as_str());
        for link in &status.links {
            regions.insert(link.region.as_str());
            if let Some(round_trips) = &link.round_trips {
                pairs.entry((&status.region, &link.region)).or_default().add(round_trips);
            }
        }
    }
    let samples_least = pairs.values().map(|sum| sum.count).min().unwrap_or(0);
    for region in regions {
        pairs.entry((region, region)).or_insert_with(Sum::within_a_region);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let in_memory = "writing to memory does not fail";
    writer.write_record(HEADER).expect(in_memory);
    for ((from, to), sum) in &pairs {
        let [min, avg, max, mdev] = sum.figures().map(|ms| format!("{ms:.3}"));
        writer.write_record([from, to, &min[..], &avg, &max, &mdev]).expect(in_memory);
    }
    let text = String::from_utf8(writer.into_inner().expect(in_memory));
    let text = text.expect("names and numbers are text");
    let planet = Planet::from_csv(name, &text).map_err(|error| {
        let mut told = format!("the cluster's round trips are not complete: {error}");
        silent.iter().for_each(|node| told += &format!("\n  {node}"));
        BenchError::Invalid(told)
    })?;
    Ok(Measured { planet, samples_least, silent })
}

/// The round trips of several links as one.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    count: u64,
    min: f64,
    max: f64,
    sum: f64,
    squares: f64,
}

impl Sum {
    fn within_a_region() -> Self {
        let (ms, mut sum) = (OWN_REGION_MS, Self::default());
        sum.add(&RoundTripStatus { count: 1, min_ms: ms, avg_ms: ms, max_ms: ms, mdev_ms: 0.0 });
        sum
    }

    fn add(&mut self, measured: &RoundTripStatus) {
        let RoundTripStatus { count, min_ms, avg_ms, max_ms, mdev_ms } = *measured;
        self.min = if self.count == 0 { min_ms } else { self.min.min(min_ms) };
        self.max = self.max.max(max_ms);
        self.count += count;
        self.sum += count as f64 * avg_ms;
        self.squares += count as f64 * (avg_ms * avg_ms + mdev_ms * mdev_ms);
    }

    /// Least, mean, greatest and deviation.
    fn figures(&self) -> [f64; 4] {
        let mean = self.sum / self.count as f64;
        let variance = (self.squares / self.count as f64 - mean * mean).max(0.0);
        [self.min, mean, self.max, variance.sqrt()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_node::LinkStatus;

    fn node(id: u32, region: &str, links: &[(u32, &str, f64)]) -> Status {
        let link = |&(node, region, ms): &(u32, &str, f64)| LinkStatus {
            node,
            region: region.to_owned(),
            up: true,
            round_trip_ms: Some(ms),
            round_trips: Some(RoundTripStatus {
                count: 10,
                min_ms: ms - 1.0,
                avg_ms: ms,
                max_ms: ms + 1.0,
                mdev_ms: 0.5,
            }),
            queued: 0,
            problem: None,
        };
        Status {
            node: id,
            region: region.to_owned(),
            cluster: String::new(),
            epoch: 0,
            path: "fast".to_owned(),
            f: 1,
            roles: Vec::new(),
            uptime_ms: 0,
            ready: true,
            not_ready_because: None,
            proposer: None,
            replica: None,
            digest: None,
            links: links.iter().map(link).collect(),
            journal: Default::default(),
            snapshots: None,
            vertices: Default::default(),
            waiting_for: None,
            disk_budget: Default::default(),
            disk_budget_bytes: None,
            registry: Default::default(),
        }
    }

    /// Broken: the table of a cluster cannot be read back, or two nodes of a region hide each other.
    #[test]
    fn nodes_of_one_region_count_together() {
        let a0 = node(0, "a", &[(1, "a", 2.0), (2, "b", 10.0)]);
        let a1 = node(1, "a", &[(0, "a", 4.0), (2, "b", 14.0)]);
        let measured = table(&[&a0, &a1], vec!["node 2 in b: away".to_owned()], "mine").unwrap();
        assert_eq!((measured.planet.name(), measured.samples_least), ("mine", 20));
        let lines = measured.planet.to_csv();
        let lines: Vec<&str> = lines.lines().skip(1).collect();
        // b's own side is unknown: what the others measured serves both directions.
        let deviation = (0.25_f64 + 4.0).sqrt();
        let (within, between) =
            ("1.000,3.000,5.000,1.118", format!("9.000,12.000,15.000,{deviation:.3}"));
        let expected =
            [format!("a,a,{within}"), format!("a,b,{between}"), format!("b,a,{between}")];
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3], "b,b,0.200,0.200,0.200,0.000");
    }

    /// Broken: somebody takes half a table for a planet, or is not told whom to ask.
    #[test]
    fn half_a_table_is_none() {
        let a = node(0, "a", &[(1, "b", 2.0), (2, "c", 10.0)]);
        let away = ["node 1 in b: cannot be reached", "node 2 in c: cannot be reached"];
        let error = table(&[&a], away.map(String::from).into(), "mine").unwrap_err().to_string();
        for part in ["no row between b and c", away[0], away[1]] {
            assert!(error.contains(part), "{error}");
        }
    }
}
