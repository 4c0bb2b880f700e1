//! A module as a conflict function.

use crate::abi::{self, ModesInvalid};
use crate::limits::{FOOTPRINT_LEN_MAX, Limits, MODES_LEN_MAX, MODULE_LEN_MAX};
use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, ModeTable};
use sha2::{Digest, Sha256};
use std::fmt;
use wasmi::{
    Config, Engine, Instance, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
};

/// A conflict function in WebAssembly. See the crate's documentation for what a module must be.
pub struct WasmConflicts {
    engine: Engine,
    module: Module,
    limits: Limits,
    modes: ModeTable,
    id: ConflictsId,
}

/// A module is no conflict function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleInvalid {
    /// Too large.
    #[error("the module has {len} bytes, over the {MODULE_LEN_MAX} allowed")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// No module, or one with floats or with what this interpreter does not know.
    #[error("it is no WebAssembly module without floats and start function: {0}")]
    NoModule(String),
    /// It asks for something of the host.
    #[error(
        "it imports {0}, and a conflict function gets nothing from its host: build it for wasm32-unknown-unknown, without an interface to a system"
    )]
    Imports(String),
    /// Something that it must export is not there, or of another type.
    #[error("{0}; the documentation of althing-wasm lists the exports")]
    Export(String),
    /// `althing_modes` did not end well.
    #[error("althing_modes: {0}")]
    ModesCall(String),
    /// Its mode table.
    #[error("althing_modes: {0}")]
    Modes(#[from] ModesInvalid),
}

impl WasmConflicts {
    /// The conflict function in a module (binary).
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn load(wasm: &[u8], limits: Limits) -> Result<Self, ModuleInvalid> {
        if wasm.len() > MODULE_LEN_MAX {
            return Err(ModuleInvalid::TooLong { len: wasm.len() });
        }
        let mut config = Config::default();
        // Of floats, what is not a number may have other bits on another machine.
        config.floats(false).consume_fuel(true).allow_start_fn(false);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, wasm);
        let module = module.map_err(|error| ModuleInvalid::NoModule(error.to_string()))?;
        if let Some(import) = module.imports().next() {
            let name = format!("{}.{}", import.module(), import.name());
            return Err(ModuleInvalid::Imports(name));
        }
        let id = ConflictsId(Sha256::digest(wasm).into());
        let modes = ModeTable::new(&[""; 0]);
        let mut conflicts = Self { engine, module, limits, modes, id };
        conflicts.modes = conflicts.read_modes()?;
        Ok(conflicts)
    }

    fn read_modes(&self) -> Result<ModeTable, ModuleInvalid> {
        let failed = |error: String| ModuleInvalid::ModesCall(error);
        let mut call = self.call().map_err(|trouble| failed(trouble.0))?;
        // All exports are looked at here, so that none is missed later.
        call.export::<(i32,), i32>("althing_alloc").map_err(|it| ModuleInvalid::Export(it.0))?;
        call.export::<(i32, i32), i64>("althing_footprint")
            .map_err(|it| ModuleInvalid::Export(it.0))?;
        let modes =
            call.export::<(), i64>("althing_modes").map_err(|it| ModuleInvalid::Export(it.0))?;
        let place = modes.call(&mut call.store, ()).map_err(|error| failed(error.to_string()))?;
        let text = call.at(place, MODES_LEN_MAX).map_err(|trouble| failed(trouble.0))?;
        Ok(abi::modes(text)?)
    }

    fn ask(&self, payload: &[u8]) -> Result<Result<Footprint, CommandInvalid>, Trouble> {
        let mut call = self.call()?;
        let len = i32::try_from(payload.len())?;
        let alloc = call.export::<(i32,), i32>("althing_alloc")?;
        let address = alloc.call(&mut call.store, (len,))?;
        call.memory.write(&mut call.store, address as u32 as usize, payload)?;
        let footprint = call.export::<(i32, i32), i64>("althing_footprint")?;
        let place = footprint.call(&mut call.store, (address, len))?;
        let bytes = call.at(place, FOOTPRINT_LEN_MAX)?;
        Ok(abi::footprint(bytes, self.modes.modes().count())?)
    }

    /// A fresh instance: nothing of an earlier call is in it.
    fn call(&self) -> Result<Call, Trouble> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(self.limits.memory)
            .table_elements(1 << 16)
            .instances(1)
            .memories(1)
            .build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_fuel(self.limits.fuel)?;
        let instance = Linker::new(&self.engine).instantiate_and_start(&mut store, &self.module)?;
        let memory = instance
            .get_memory(&store, "memory")
            .ok_or_else(|| Trouble("it exports no memory of the name memory".to_owned()))?;
        Ok(Call { store, instance, memory })
    }
}

impl Conflicts for WasmConflicts {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        self.ask(payload).unwrap_or_else(|_trouble| {
            metrics::counter!("althing_wasm_conservative_total").increment(1);
            Ok(Footprint::Everything)
        })
    }

    fn id(&self) -> ConflictsId {
        self.id
    }
}

impl fmt::Debug for WasmConflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmConflicts")
            .field("id", &self.id)
            .field("modes", &self.modes)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// One instance, for one call.
struct Call {
    store: Store<StoreLimits>,
    instance: Instance,
    memory: Memory,
}

impl Call {
    fn export<P: wasmi::WasmParams, R: wasmi::WasmResults>(
        &self,
        name: &str,
    ) -> Result<wasmi::TypedFunc<P, R>, Trouble> {
        let found = self.instance.get_typed_func(&self.store, name);
        found.map_err(|error| Trouble(format!("the export {name}: {error}")))
    }

    /// What lies at `address << 32 | length`, if it is no longer than that.
    fn at(&self, place: i64, len_max: usize) -> Result<&[u8], Trouble> {
        let place = place as u64;
        let (address, len) = ((place >> 32) as usize, place as u32 as usize);
        if len > len_max {
            return Err(Trouble(format!("it answered {len} bytes, over the {len_max} allowed")));
        }
        let data = self.memory.data(&self.store);
        data.get(address..).and_then(|data| data.get(..len)).ok_or_else(|| {
            Trouble(format!("it answered {len} bytes at {address}, beyond its memory"))
        })
    }
}

/// Why a call did not end with a footprint.
#[derive(Debug)]
struct Trouble(String);

impl<E: fmt::Display> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
