//! kv (see crates/ARCHITECTURE.md).
