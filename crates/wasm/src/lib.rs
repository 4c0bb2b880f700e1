//! Conflict functions without recompiling: a WebAssembly module says what each command touches.
//!
//! ```no_run
//! use althing_model::Conflicts;
//! use althing_wasm::{Limits, WasmConflicts};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let module = std::fs::read("conflicts.wasm")?;
//! let conflicts = WasmConflicts::load(&module, Limits::default())?;
//! println!("{} {:?}", conflicts.id(), conflicts.footprint(b"a payload"));
//! # Ok(())
//! # }
//! ```
//!
//! # What a module exports
//! | export | what |
//! | --- | --- |
//! | `memory` | its memory |
//! | `althing_modes() -> i64` | where the mode table is, as text |
//! | `althing_alloc(len: i32) -> i32` | where the host may write a payload of so many bytes |
//! | `althing_footprint(ptr: i32, len: i32) -> i64` | where the footprint of that payload is |
//!
//! A place is `address << 32 | length`, both unsigned. The module imports nothing, and has no
//! start function.
//!
//! The **mode table** is UTF-8: the first line names the modes, each following line two that commute.
//! ```text
//! read write add
//! read read
//! add add
//! ```
//!
//! A **footprint** begins with its kind, one byte. All numbers are little-endian.
//! ```text
//! 0  resources   u16 count, then each: u8 mode, u16 length, name
//!                u16 count of ranges, then each: u8 mode, u16 length, lowest name, u8 whether it has an
//!                end, and if it has: u16 length, the lowest name above it
//! 1  everything
//! 2  no command  the rest is UTF-8: why the payload is refused
//! ```
//!
//! # What is guaranteed
//! Every call has a fresh instance, so that it can remember nothing, and so much fuel and memory as
//! [`Limits`] says; floats are refused when the module is loaded. So it answers alike on every node. A
//! call that traps, runs out of fuel or answers what is no footprint counts as a command over
//! everything: that costs waiting, never order. `althing_wasm_conservative_total` counts these.
//!
//! The module's SHA-256 is the function's id: nodes with another module are refused.
//!
//! Whether what it says is true is for `althing conflict check` to find out.

mod abi;
mod conflicts;
pub mod limits;

pub use abi::{FootprintInvalid, ModesInvalid};
pub use conflicts::{ModuleInvalid, WasmConflicts};
pub use limits::Limits;
