//! The voter: dependency node and acceptor in one, with one record for both. The fast path needs
//! it: a vote of round 0 is a dependency answer (`protocol` section 4; Enes et al., EuroSys '20).

mod voter;

pub use voter::{Config, Voter};
