//! sim (see crates/ARCHITECTURE.md).
