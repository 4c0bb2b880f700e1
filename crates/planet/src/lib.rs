//! How far apart the regions of the planet are, and what that costs a quorum.
//!
//! A [`Planet`] is a table of measured round trips between regions: built in ([`Planet::named`]) or
//! read from a user's CSV text ([`Planet::from_csv`]). From it follow the delays that the WAN
//! emulator and the simulator apply, and the lower bounds that no protocol beats: a command that
//! needs answers from a quorum waits for the farthest of the nearest ones.
//!
//! ```
//! use althing_planet::{Planet, fast_quorum_size};
//!
//! let planet = Planet::named("aws-2021-02-13")?;
//! let sites = planet.regions().to_vec();
//! let ireland = planet.region("eu-west-1")?;
//!
//! // Five sites, two may fail: the fast path needs four answers, the proposer's own among them.
//! let quorum = fast_quorum_size(5, 2);
//! let bound_us = planet.bound_us(&ireland, &sites, quorum)?;
//! assert_eq!(bound_us / 1000, 175);
//! # Ok::<(), althing_planet::PlanetError>(())
//! ```
//!
//! A [`Question`] about where to put nodes is answered from the same table: the best placements, what
//! each costs under each protocol, what is left when a region fails, and which quorums would help.
//!
//! # One way from a round trip
//! `ping` measures there and back as one figure, and the two rows of a pair differ slightly (at most
//! 0.15 ms in the built-in tables), so the tables are directed. The rule here, used by everything
//! above this crate:
//!
//! - the one way `a -> b` is half of the average of row `a,b`, a half microsecond rounded up;
//! - the round trip between `a` and `b` is the one way `a -> b` plus the one way `b -> a`.
//!
//! So the round trip is the same from either end, and what an emulator makes of the one ways is
//! exactly what the bounds are computed from. A region to itself is taken as the table says.
//!
//! This crate is pure: the built-in tables are compiled in, nothing is read at run time.

mod builtin;
mod error;
mod limits;
mod planet;
mod planning;
mod quorum;
mod table;

pub use error::PlanetError;
pub use limits::REGIONS_MAX;
pub use planet::{Planet, Region};
pub use planning::{
    By, Failure, Kind, Method, NODES_MAX, Placement, PlanError, Prediction, Progress, Protocol,
    Question, RegionPrediction, SYSTEM_NODES_MAX, Search, Survives, System, Weight, WithoutRegion,
};
pub use quorum::{fast_quorum_size, majority};
pub use table::Ping;
