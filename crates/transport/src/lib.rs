//! transport (see crates/ARCHITECTURE.md).
