//! replica (see crates/ARCHITECTURE.md).
