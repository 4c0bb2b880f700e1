//! The commands, by what they are about.

pub(super) mod expiry;
pub(super) mod hashes;
pub(super) mod keys;
pub(super) mod lists;
pub(super) mod scan;
pub(super) mod sets;
pub(super) mod sorted;
pub(super) mod strings;
