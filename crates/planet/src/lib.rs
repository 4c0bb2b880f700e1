//! planet (see crates/ARCHITECTURE.md).
