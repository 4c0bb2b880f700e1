//! On a running cluster, given as a client knows it (`client.toml`).
//!
//! The clients of all regions run here, at the machine that this is called on. If the file names a
//! region (`region = ...`), only that region's clients work: a deployment is measured from each of
//! its regions in turn. If it names none, the clients of every region work, and the way from here to
//! there is in what they see.
//!
//! All keys begin with [`KEY_PREFIX`] and a number of the run; they are removed in the end.

use super::course::{Course, Measured, Site};
use super::{Progress, Told, runtime};
use crate::ground::{check_failures, check_figures};
use crate::protocol::no_node;
use crate::{BenchError, Protocol, Run, Workload, measure};
use althing_kv::KvCommand;
use althing_local::page;
use althing_model::Path;
use althing_node::Status;
use althing_planet::{Planet, PlanetError, Region, fast_quorum_size};
use althing_sdk::{ClientFile, Prefer};
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;

/// What the names of a benchmark's keys begin with: nothing else of a store is touched.
pub const KEY_PREFIX: &str = "althing-bench/";

/// How long a node's page may take.
const PAGE_PATIENCE: Duration = Duration::from_secs(3);

/// Clients begin one after the other during this time.
const SPREAD: Duration = Duration::from_millis(200);

/// Keys that are removed at a time.
const REMOVALS_AT_A_TIME: usize = 128;

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The client's configuration, as `althing kv --client` takes it.
    pub file: PathBuf,
    /// How it commits commands, for a cluster whose pages cannot be read; otherwise it must be what
    /// they say.
    pub path: Option<Path>,
    /// How many nodes may fail, likewise.
    pub f: Option<usize>,
}

/// A workload's regions in a cluster: those that it names, or else that of the client, or else all.
///
/// # Errors
/// When the cluster has no such region, or the file is none.
pub fn regions(workload: &Workload, target: &Target) -> Result<Vec<String>, BenchError> {
    regions_of(workload, &ClientFile::load(&target.file)?)
}

/// Runs a workload. Its planet is what bounds are computed from; if it names none (it is empty), the
/// cluster's own round trips are. Makes its own runtime.
///
/// # Errors
/// What is wrong with the workload or the file, or why nobody can be reached.
pub fn run(
    workload: &Workload,
    target: &Target,
    progress: Progress<'_>,
) -> Result<Run, BenchError> {
    if workload.crash.is_some() {
        return Err(BenchError::invalid(
            "a running cluster's regions are not crashed from here: leave the crash out, or run the \
             workload with --wan or --sim",
        ));
    }
    check_figures(workload)?;
    let file = ClientFile::load(&target.file)?;
    let workload = Workload { regions: regions_of(workload, &file)?, ..workload.clone() };
    runtime()?.block_on(run_on(&workload, target, &file, progress))
}

async fn run_on(
    workload: &Workload,
    target: &Target,
    file: &ClientFile,
    progress: Progress<'_>,
) -> Result<Run, BenchError> {
    let (path, f) = agreed(target, first_status(file).await.as_ref())?;
    check_failures(f, file.nodes.len())?;
    let planet = planet(workload, file, progress).await?;
    let mut sites = Vec::new();
    for region in &workload.regions {
        let mut client = file.config().map_err(|source| BenchError::Connect {
            region: region.clone(),
            source: source.into(),
        })?;
        client.prefer = Prefer::Region(region.clone());
        let own = file.nodes.iter().filter(|node| node.region == *region);
        let bound = planet.as_ref().map(|planet| bound_us(planet, file, region, f)).transpose()?;
        sites.push(Site {
            region: region.clone(),
            client,
            pages: own.filter_map(|node| node.admin.clone()).collect(),
            bound_us: bound.unwrap_or(0),
        });
    }
    // Nobody else's, nor an earlier run's.
    let prefix = format!("{KEY_PREFIX}{:016x}/", rand::random::<u64>());
    let course = Course {
        workload,
        sites: &sites,
        prefix: &prefix,
        spread: SPREAD,
        has_fast_path: path == Path::Fast,
        progress,
    };
    let measured = course.run(None).await?;
    let left = remove(&measured).await;
    if left > 0 {
        progress(Told::Said(&format!("{left} keys that begin with {prefix} could not be removed")));
    }
    let protocol = match path {
        Path::Fast => Protocol::Fast,
        Path::Classic => Protocol::Classic,
    };
    let (regions, seconds) = (measured.regions, measured.seconds);
    Ok(Run::of(workload, &protocol, f, regions, seconds, measured.linearizable))
}

fn regions_of(workload: &Workload, file: &ClientFile) -> Result<Vec<String>, BenchError> {
    let mut all: Vec<String> = Vec::new();
    for node in &file.nodes {
        if node.region.is_empty() {
            return Err(BenchError::Invalid(format!(
                "node {} has no region in the client's configuration: results are told by region",
                node.id
            )));
        }
        if !all.contains(&node.region) {
            all.push(node.region.clone());
        }
    }
    let asked = match (&workload.regions[..], &file.region) {
        ([], Some(region)) => vec![region.clone()],
        ([], None) => all.clone(),
        (asked, _) => asked.to_vec(),
    };
    match asked.iter().find(|region| !all.contains(region)) {
        Some(region) => Err(no_node("the cluster", region, &all)),
        None => Ok(asked),
    }
}

/// What the first node says that can be asked.
async fn first_status(file: &ClientFile) -> Option<Status> {
    for address in file.nodes.iter().filter_map(|node| node.admin.as_ref()) {
        if let Ok(status) = page::status(address, PAGE_PATIENCE).await {
            return Some(status);
        }
    }
    None
}

/// The cluster's path and f, from what was said and what it says itself.
fn agreed(target: &Target, status: Option<&Status>) -> Result<(Path, usize), BenchError> {
    let Some(status) = status else {
        let (Some(path), Some(f)) = (target.path, target.f) else {
            return Err(BenchError::invalid(
                "no node's status page can be read (`admin` in the client's configuration): say which \
                 protocol the cluster runs, fast or classic, and with which f",
            ));
        };
        return Ok((path, f));
    };
    let path = [Path::Fast, Path::Classic].into_iter().find(|path| path.name() == status.path);
    let path = path.ok_or_else(|| {
        BenchError::Invalid(format!("the cluster runs {:?}, which is unknown here", status.path))
    })?;
    let is_other = target.path.is_some_and(|asked| asked != path)
        || target.f.is_some_and(|asked| asked != status.f);
    match is_other {
        true => Err(BenchError::Invalid(format!(
            "the cluster runs the {path} path with f = {}: ask for that, or for nothing",
            status.f
        ))),
        false => Ok((path, status.f)),
    }
}

/// What distances are known.
async fn planet(
    workload: &Workload,
    file: &ClientFile,
    progress: Progress<'_>,
) -> Result<Option<Planet>, BenchError> {
    if !workload.planet.is_empty() {
        return Ok(Some(althing_local::planet::load(&workload.planet)?));
    }
    match measure::round_trips(file, "cluster").await {
        Ok(measured) => Ok(Some(measured.planet)),
        Err(error) => {
            progress(Told::Said(&format!("no bounds, since no planet was named and {error}")));
            Ok(None)
        }
    }
}

/// The round trip from a region to its nearest fast quorum. The file lists the nodes that take
/// commands: a cluster whose voters stand elsewhere has other bounds.
fn bound_us(
    planet: &Planet,
    file: &ClientFile,
    region: &str,
    f: usize,
) -> Result<u64, PlanetError> {
    let members: Result<Vec<Region>, _> =
        file.nodes.iter().map(|node| planet.region(&node.region)).collect();
    let members = members?;
    planet.bound_us(&planet.region(region)?, &members, fast_quorum_size(members.len(), f))
}

/// Removes the keys of a run; says how many are left.
async fn remove(measured: &Measured) -> usize {
    let mut keys = measured.keys.iter().cloned().zip(measured.clients.iter().cycle());
    let mut removals = JoinSet::new();
    let mut removed = 0;
    loop {
        while removals.len() < REMOVALS_AT_A_TIME
            && let Some((key, (_, kv))) = keys.next()
        {
            let kv = kv.clone();
            removals.spawn(async move { kv.execute(KvCommand::Delete { key }).await.is_ok() });
        }
        let Some(removal) = removals.join_next().await else {
            return measured.keys.len() - removed;
        };
        removed += usize::from(removal.unwrap_or(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_sdk::{ClientNodeEntry, ClientTlsEntry};

    fn file(region: Option<&str>) -> ClientFile {
        let node = |(id, region): (u32, &str)| ClientNodeEntry {
            id,
            region: region.to_owned(),
            address: "127.0.0.1:1".to_owned(),
            admin: None,
        };
        ClientFile {
            cluster: String::new(),
            region: region.map(str::to_owned),
            tls: ClientTlsEntry { ca: "".into(), cert: "".into(), key: "".into() },
            nodes: [(0, "lima"), (1, "oslo"), (2, "oslo"), (3, "pune")].map(node).into(),
        }
    }

    /// Broken: clients of a region work where nobody asked for them, or a misspelt region is not
    /// told from one that has no clients.
    #[test]
    fn the_regions_are_those_asked_for_or_the_clients_own_or_all() {
        let workload = |regions: &[&str]| Workload {
            regions: regions.iter().map(|region| region.to_string()).collect(),
            ..Workload::default()
        };
        let of = |regions, own| regions_of(&workload(regions), &file(own));
        assert_eq!(of(&[], None).unwrap(), ["lima", "oslo", "pune"]);
        assert_eq!(of(&[], Some("oslo")).unwrap(), ["oslo"]);
        assert_eq!(of(&["pune"], Some("oslo")).unwrap(), ["pune"]);
        let error = of(&["olso"], None).unwrap_err().to_string();
        assert!(error.contains("did you mean \"oslo\"?"), "{error}");
    }

    /// Broken: somebody believes to have measured another protocol than they did, or is not told
    /// what to say of a cluster that does not tell.
    #[test]
    fn what_runs_is_what_was_asked_for() {
        let target = |path, f| Target { file: "client.toml".into(), path, f };
        let error = agreed(&target(Some(Path::Fast), None), None).unwrap_err().to_string();
        assert!(error.contains("with which f"), "{error}");
        let said = agreed(&target(Some(Path::Classic), Some(2)), None).unwrap();
        assert_eq!(said, (Path::Classic, 2));
    }

    /// Broken: a crash is left out of a run in silence.
    #[test]
    fn a_running_cluster_is_not_crashed() {
        let crash = crate::Crash { region: "eu-west-1".into(), at_ms: 1, until_ms: None };
        let workload = Workload { crash: Some(crash), ..Workload::default() };
        let target = Target { file: "none".into(), path: None, f: None };
        let error = run(&workload, &target, &|_| {}).unwrap_err().to_string();
        assert!(error.contains("not crashed from here"), "{error}");
    }
}
