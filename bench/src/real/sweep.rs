//! Sweeps on real processes: what `--wan` and `--cluster` run.

use super::{Progress, cluster, wan};
use crate::sweep::{Job, Sweep};
use crate::{BenchError, Mode, Protocol, Results, Workload};
use althing_model::Path;
use std::path::{Path as FilePath, PathBuf};

/// Runs a sweep on clusters of this machine: a cluster for each protocol and `f`. Its nodes run
/// `binary`, the `althing` program.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn emulate(
    sweep: &Sweep,
    binary: PathBuf,
    progress: Progress<'_>,
) -> Result<Results, BenchError> {
    let jobs = sweep.jobs()?;
    let mut groups: Vec<(wan::Target, Vec<Workload>)> = Vec::new();
    for Job { protocols, f, workload } in jobs {
        for protocol in protocols {
            let target = wan::Target { binary: binary.clone(), path: path_of(&protocol)?, f };
            match groups.last_mut().filter(|(last, _)| *last == target) {
                Some((_, workloads)) => workloads.push(workload.clone()),
                None => groups.push((target, vec![workload.clone()])),
            }
        }
    }
    let mut runs = Vec::new();
    for (target, workloads) in groups {
        runs.extend(wan::sweep(&workloads, &target, progress)?);
    }
    Ok(Results { mode: Mode::Wan, workload: sweep.workload.clone(), runs })
}

/// Runs a sweep on the cluster that a client's configuration names. Where the sweep names no planet,
/// regions, protocols or `f` (they are empty), they are the cluster's.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn measure(
    sweep: &Sweep,
    file: &FilePath,
    progress: Progress<'_>,
) -> Result<Results, BenchError> {
    let one = || BenchError::invalid("a cluster runs one protocol with one f: name one, or none");
    let path = match &sweep.protocols[..] {
        [] => None,
        [name] => {
            let protocols = Protocol::named(name, &sweep.workload.regions)?;
            Some(path_of(protocols.first().ok_or_else(one)?)?)
        }
        _ => return Err(one()),
    };
    let f = match sweep.f[..] {
        [] => None,
        [f] => Some(f),
        _ => return Err(one()),
    };
    let target = cluster::Target { file: file.to_owned(), path, f };
    let mut workload = sweep.workload.clone();
    workload.regions = cluster::regions(&workload, &target)?;
    let mut runs = Vec::new();
    for workload in sweep.workloads()? {
        runs.push(cluster::run(&workload, &target, progress)?);
    }
    if workload.planet.is_empty() {
        workload.planet = "measured".to_owned();
    }
    Ok(Results { mode: Mode::Cluster, workload, runs })
}

fn path_of(protocol: &Protocol) -> Result<Path, BenchError> {
    match protocol {
        Protocol::Fast => Ok(Path::Fast),
        Protocol::Classic => Ok(Path::Classic),
        other => Err(BenchError::Invalid(format!(
            "{other} runs under --sim only; real nodes run fast or classic"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: somebody waits for a cluster to start before they learn that it cannot run a
    /// baseline, or gets figures of one protocol under the name of another.
    #[test]
    fn only_what_real_nodes_run_is_run_on_them() {
        let of = |names: &[&str]| Sweep {
            protocols: names.iter().map(|name| name.to_string()).collect(),
            ..Sweep::default()
        };
        let error = emulate(&of(&["fast", "epaxos"]), "none".into(), &|_| {}).unwrap_err();
        assert!(error.to_string().contains("epaxos runs under --sim only"), "{error}");
        let error = measure(&of(&["fast", "classic"]), "none".as_ref(), &|_| {}).unwrap_err();
        assert!(error.to_string().contains("one protocol"), "{error}");
    }
}
