//! The inputs in `corpus/`, which tests replay and fuzzing begins with.

use crate::{Fuzzer, Outcomes, Target};
use std::fs;
use std::io;
use std::path::PathBuf;

/// The inputs of one target, a file each.
#[derive(Debug)]
pub struct Corpus {
    target: Target,
    dir: PathBuf,
}

/// Files of one target, and the longest of them: the corpus is in the repository.
const FILES_MAX: usize = 32;
const FILE_LEN_MAX: usize = 1024;

impl Corpus {
    /// That of a target.
    pub fn of(target: Target) -> Self {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        Self { target, dir }
    }

    /// Its inputs, by name.
    ///
    /// # Errors
    /// When they cannot be read; there is none where there is no directory.
    pub fn read(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths =
            entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
        paths.sort();
        paths.into_iter().map(|path| Ok((path.clone(), fs::read(path)?))).collect()
    }

    /// Replaces it by a few short inputs that led to the most.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn replace(&self, fuzzer: &Fuzzer) -> io::Result<usize> {
        let chosen = self.choose(fuzzer.kept());
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir)?;
        }
        fs::create_dir_all(&self.dir)?;
        for (index, input) in chosen.iter().enumerate() {
            fs::write(self.dir.join(format!("{index:02}")), input)?;
        }
        Ok(chosen.len())
    }

    /// Greedy: again and again the input that adds the most outcomes for its length.
    fn choose<'a>(&self, kept: &'a [Vec<u8>]) -> Vec<&'a Vec<u8>> {
        let mut candidates: Vec<&Vec<u8>> =
            kept.iter().filter(|input| input.len() <= FILE_LEN_MAX).collect();
        let (mut chosen, mut seen) = (Vec::new(), Outcomes::default());
        while chosen.len() < FILES_MAX {
            let gain = |input: &[u8]| {
                let mut with = seen.clone();
                (self.target.run)(input, &mut with);
                // In millionths, so that of two that add as much the shorter counts for more.
                (with.len() - seen.len()) * 1_000_000 / (input.len() + 1024)
            };
            let best = (0..candidates.len()).max_by_key(|index| gain(candidates[*index]));
            let Some(best) = best.filter(|best| gain(candidates[*best]) > 0) else { break };
            let input = candidates.swap_remove(best);
            (self.target.run)(input, &mut seen);
            chosen.push(input);
        }
        chosen
    }
}
