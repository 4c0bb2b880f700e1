//! althing (see crates/ARCHITECTURE.md).
