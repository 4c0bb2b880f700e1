//! sdk (see crates/ARCHITECTURE.md).
