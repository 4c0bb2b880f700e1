//! Taking a journal that cannot be read out of the way, so that its node comes back without a vote.

use crate::config::Config;
use crate::registry_file::{RegistryError, RegistryFile};
use althing_journal::FileDisk;
use althing_wire::{RegistryState, Standing};
use std::path::PathBuf;

/// Moves the journal's files of a node that does not run into a directory beside them, and notes in
/// the node's registry that its promises are lost: it starts as a replica without a vote from then on.
/// Snapshots stay, since each proves itself. Gives the directory, and how many files were moved.
///
/// # Errors
/// The node runs, or the disk failed: then nothing was moved, or what was not can be moved by another
/// call.
pub fn set_journal_aside(config: &Config) -> Result<(PathBuf, usize), RegistryError> {
    let data = &config.data_dir;
    let io = |operation| {
        let location = data.display().to_string();
        move |source| RegistryError::Io { location, operation, source }
    };
    std::fs::metadata(data).map_err(io("find"))?;
    let file = RegistryFile::new(FileDisk::new(data), config.cluster, config.me);
    let _lock = file.lock()?;
    // Another number, by which the others notice.
    let incarnation = rand::random();
    let state = match file.load() {
        Ok(Some(state)) => RegistryState { incarnation, standing: Standing::Lost, ..state },
        // What it knew of others they tell again.
        Ok(None) | Err(RegistryError::Damaged { .. }) => {
            RegistryState { incarnation, standing: Standing::Lost, known: Default::default() }
        }
        Err(error) => return Err(error),
    };
    // First, so that a crash in the midst leaves a node that does not vote.
    file.save(&state)?;
    let names = std::fs::read_dir(data).map_err(io("list the directory of"))?;
    let mut moved = Vec::new();
    for entry in names {
        let name = entry.map_err(io("list the directory of"))?.file_name();
        let is_journal = name.to_str().is_some_and(|name| {
            ["superblock", "superblock.draft", "segment.draft"].contains(&name)
                || name.ends_with(".segment")
        });
        if is_journal {
            moved.push(name);
        }
    }
    let aside = (1..).map(|number| data.join(format!("set-aside-{number}")));
    let aside = aside.into_iter().find(|path| !path.exists()).expect("some number is free");
    std::fs::create_dir(&aside).map_err(io("make a directory beside"))?;
    for name in &moved {
        std::fs::rename(data.join(name), aside.join(name))
            .map_err(io("move the journal beside"))?;
    }
    for directory in [&aside, data] {
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(io("sync the directory of"))?;
    }
    Ok((aside, moved.len()))
}
