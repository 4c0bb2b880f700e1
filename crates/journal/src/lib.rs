//! journal (see crates/ARCHITECTURE.md).
