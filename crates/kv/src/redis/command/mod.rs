//! The commands, by what they are about.

pub(super) mod keys;
pub(super) mod strings;
