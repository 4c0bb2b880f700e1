//! Redis commands on the store, with Redis' replies.

mod batch;
mod command;
mod error;
mod execute;
mod expiry;
mod extended;
mod number;
mod reply;
mod spec;

pub use batch::{RedisAccess, RedisBatch, RedisVersion};
pub use reply::{RedisOutcome, RedisReply};
pub use spec::{KeysAt, RedisSpec, check, spec, specs};

pub(crate) use error::RedisError;
pub(crate) use execute::execute;
use execute::{Answer, Read, Write};
