//! The conflict function that a configuration asks for.

use althing_kv::KvConflicts;
use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable};
use althing_node::Config;
use althing_node::config::Adds;
use anyhow::Context;
use std::path::Path;
use std::sync::Arc;

/// The module that the configuration names, or the store's own function.
///
/// # Errors
/// When the module cannot be read, or is no conflict function.
pub fn of_config(config: &Config) -> anyhow::Result<Arc<dyn Conflicts>> {
    Ok(match &config.module {
        None => Arc::new(match config.adds {
            Adds::Commute => KvConflicts::default(),
            Adds::Conflict => KvConflicts::without_commuting_adds(),
        }),
        Some(module) => Arc::new(load(&module.file, module.fuel, module.memory)?),
    })
}

/// The conflict function in a file.
///
/// # Errors
/// When it cannot be read, or is none.
#[cfg(feature = "wasm")]
pub(super) fn load(file: &Path, fuel: u64, memory: usize) -> anyhow::Result<OfStore> {
    let wasm = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let module = althing_wasm::WasmConflicts::load(&wasm, althing_wasm::Limits { fuel, memory });
    let module = module.with_context(|| format!("{} is no conflict function", file.display()))?;
    Ok(OfStore { store: KvConflicts::default(), module: Box::new(module) })
}

/// The conflict function in a file.
///
/// # Errors
/// Always: this program was built without the interpreter.
#[cfg(not(feature = "wasm"))]
pub(super) fn load(file: &Path, _fuel: u64, _memory: usize) -> anyhow::Result<OfStore> {
    anyhow::bail!(
        "{} needs an `althing` that was built with the feature wasm, and this one was not",
        file.display()
    )
}

/// What a module says of the store's commands. Whether bytes are a command at all, the store says: a
/// module need not know all of its format.
pub(super) struct OfStore {
    store: KvConflicts,
    module: Box<dyn Conflicts>,
}

impl Conflicts for OfStore {
    fn modes(&self) -> &ModeTable {
        self.module.modes()
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        self.store.footprint(payload)?;
        self.module.footprint(payload)
    }

    fn id(&self) -> ConflictsId {
        self.module.id()
    }
}
