//! wire (see crates/ARCHITECTURE.md).
