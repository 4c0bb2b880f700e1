//! proposer (see crates/ARCHITECTURE.md).
