//! node (see crates/ARCHITECTURE.md).
