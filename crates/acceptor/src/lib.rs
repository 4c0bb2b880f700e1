//! acceptor (see crates/ARCHITECTURE.md).
