//! dependency (see crates/ARCHITECTURE.md).
