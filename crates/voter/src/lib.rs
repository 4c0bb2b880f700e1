//! voter (see crates/ARCHITECTURE.md).
