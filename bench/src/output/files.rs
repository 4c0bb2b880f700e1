//! `--out DIR`: everything as files.

use super::archive::Archive;
use super::plot::usage::Course;
use super::series::run_names;
use super::table::heading;
use super::{OutputError, csv, histogram_log, html, plot};
use crate::Results;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Writes them all, over what is there, and says which.
pub(super) fn write(
    results: &Results,
    dir: &Path,
    command: &str,
) -> Result<Vec<PathBuf>, OutputError> {
    let mut directory = Directory::make(dir)?;
    let archive = serde_json::to_vec_pretty(&Archive::of(results, command));
    directory.write("results.json", archive.map_err(io::Error::from))?;
    directory.write("results.csv", csv::text(results).map_err(io::Error::other))?;
    for (run, name) in results.runs.iter().zip(run_names(results)) {
        let text = histogram_log::text(run, &heading(run));
        directory.write(&format!("latency-{name}.hlog"), text)?;
    }
    let figures = plot::all(results)?;
    for plot in figures.iter().flat_map(|figure| &figure.plots) {
        directory.write(&format!("{}.svg", plot.name), Ok(plot.svg.clone().into()))?;
    }
    let page = html::page(results, &figures, command);
    directory.write("report.html", Ok(page.into()))?;
    Ok(directory.written)
}

/// What a soak took over time: its plots, and a page of them with the figures in `rows`.
pub(crate) fn write_course(
    course: &Course<'_>,
    rows: &[(String, String)],
    dir: &Path,
    command: &str,
) -> Result<Vec<PathBuf>, OutputError> {
    let mut directory = Directory::make(dir)?;
    let plots = plot::usage::plots(course)?;
    for plot in &plots {
        directory.write(&format!("{}.svg", plot.name), Ok(plot.svg.clone().into()))?;
    }
    let page = html::usage::page(rows, &plots, command);
    directory.write("soak.html", Ok(page.into()))?;
    Ok(directory.written)
}

/// A directory, and what was written into it.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    written: Vec<PathBuf>,
}

impl Directory {
    fn make(path: &Path) -> Result<Self, OutputError> {
        fs::create_dir_all(path)
            .map_err(|source| OutputError::Directory { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), written: Vec::new() })
    }

    fn write(&mut self, name: &str, content: io::Result<Vec<u8>>) -> Result<(), OutputError> {
        let path = self.path.join(name);
        match content.and_then(|content| fs::write(&path, content)) {
            Ok(()) => self.written.push(path),
            Err(source) => return Err(OutputError::File { path, source }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use crate::output::series::distinct;

    /// Broken: a file is missing, or two were written over each other.
    #[test]
    fn writes_everything_once() {
        let dir = tempfile::tempdir().unwrap();
        let results = sample::sweep(&[0.0, 50.0]);
        let out = dir.path().join("a/b");
        let written = write(&results, &out, "the command").unwrap();
        assert_eq!(distinct(&written).len(), written.len());
        assert_eq!(fs::read_dir(&out).unwrap().count(), written.len());
        let has = |name: &str| written.contains(&out.join(name));
        for name in [
            "results.json",
            "results.csv",
            "report.html",
            "latency-fast-f1-conflict50.hlog",
            "conflict-p99.svg",
            "comparison-50-conflict.svg",
            "cdf-50-conflict-eu-west-1.svg",
        ] {
            assert!(has(name), "{name} is not among {written:?}");
        }
        let histograms = written.iter().filter(|path| path.extension().unwrap() == "hlog");
        assert_eq!(histograms.count(), results.runs.len());
    }

    /// Broken: who names a directory that cannot be written is not told which, why, or what to do.
    #[test]
    fn says_which_directory_and_why() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let results = sample::sweep(&[0.0]);
        let error = write(&results, &file.join("x"), "").unwrap_err().to_string();
        assert!(error.contains("file/x"), "{error}");
        assert!(error.contains("Not a directory") && error.contains("--out"), "{error}");
        let error = write(&results, &file, "").unwrap_err().to_string();
        assert!(error.contains("file:") && error.contains("exists"), "{error}");
        fs::create_dir_all(dir.path().join("taken/results.csv")).unwrap();
        let error = write(&results, &dir.path().join("taken"), "").unwrap_err().to_string();
        assert!(error.contains("results.csv"), "{error}");
    }
}
