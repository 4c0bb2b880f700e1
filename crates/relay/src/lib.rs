//! relay (see crates/ARCHITECTURE.md).
