//! client (see crates/ARCHITECTURE.md).
