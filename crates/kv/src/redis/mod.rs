//! Redis commands on the store, with Redis' replies.

mod batch;
mod command;
mod cursors;
mod error;
mod execute;
mod expiry;
mod extended;
mod gather;
mod glob;
mod number;
mod random;
mod reply;
mod spec;

pub use batch::{RedisAccess, RedisBatch, RedisVersion};
pub use cursors::RedisCursors;
pub use reply::{RedisOutcome, RedisReply};
pub use spec::{KeysAt, RedisSpec, check, spec, specs};

pub(crate) use error::RedisError;
use execute::{Answer, Read, Write};
pub(crate) use execute::{execute, query};
use gather::Gather;
