//! checker (see crates/ARCHITECTURE.md).
