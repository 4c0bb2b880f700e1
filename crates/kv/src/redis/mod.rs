//! Redis commands on the store, answered as Redis 7.0 answers them.
//!
//! A [`RedisBatch`] is one command of the store, [`KvCommand::Redis`](crate::KvCommand::Redis): a
//! pipeline or a `MULTI` of a gateway's client, executed as a whole by every replica.
//! [`specs`] has the commands.
//!
//! # Keys
//! There is one key space. A string is a value of the store's own commands, and these answer
//! [`KvReply::WrongType`](crate::KvReply::WrongType) where the key holds a hash, a set, a list or a
//! sorted set; `Put` and `Delete` take whatever is there. All structures are persistent: a snapshot
//! shares them.
//!
//! # Time
//! A batch carries the time of its gateway's clock, its stamp, and no replica looks at its own. For
//! each key the time is the stamp, or that of the last write to the key if it is later: it never goes
//! back. A key is due when its time is after the key's end. A batch that may write deletes keys that are
//! due before its commands see them; a batch of reads that meets one changes nothing, answers
//! [`RedisOutcome::Due`] and is sent again as one that may write. Since no replica deletes by itself,
//! somebody asks for keys that nobody looks at any more: [`Store::due`](crate::Store::due), or
//! `ALTHING.DUE count`, tells them, and `ALTHING.PURGE key...` deletes those that are due. The store's
//! own commands carry no stamp: to them a key is there until it is deleted.
//!
//! # Replies
//! A reply has at most [`REPLY_LEN_MAX`](crate::limits::REPLY_LEN_MAX) bytes, and is bounded while it
//! is made. A command whose reply would be longer has no effect; where it stands in a batch that is
//! no transaction, execution stops before it (see [`RedisBatch::is_transaction`]).
//!
//! # Differences from Redis 7.0
//! `examples/redis_diff` compares replies with a real server's. What is known to differ:
//! - A key has 1 to 1024 bytes, a string about 1 MiB, a batch 1024 keys and 1024 commands: see
//!   [`limits`](crate::limits). Redis has an empty key, and 512 MiB.
//! - Fields, members and keys come in the order of their bytes (`HGETALL`, `HKEYS`, `SMEMBERS`,
//!   `SINTER`, `KEYS`, ...), where Redis has an order of its hash tables or of insertion.
//! - `SPOP`, `SRANDMEMBER`, `HRANDFIELD` and `RANDOMKEY` choose by the stamp and the state, so that all
//!   replicas choose the same: asked twice in a millisecond about what has not changed, they answer the
//!   same. They take time in the size of what they choose from.
//! - Cursors of `SCAN` and its like are not numbers: see [`RedisCursors`]. What is there all the time is
//!   found once, where Redis may tell it twice. A cursor that was never given is invalid, where Redis
//!   takes any number. One step looks at 65,536 keys at most.
//! - `DBSIZE` does not count keys that are due; Redis does until it meets them.
//! - Scores have no -0, which Redis keeps in large sorted sets alone. `ZSCAN` tells whole scores without
//!   an exponent, as Redis does in small sorted sets.
//! - Ranges by `BYLEX` in a sorted set whose scores differ, which Redis leaves open, are those of its
//!   small ones. They take time in the size of the set, and so do ranks.
//! - Scores are decimal: C's hexadecimal numbers (`0x10`), which INCRBYFLOAT takes, are none.
//! - There is one database: `COPY ... DB` takes 0 alone.
//! - `WATCH` goes by what a key holds, by its end and by the stamp of its last change: a write that
//!   changes nothing, like `SET` of the same value within a millisecond, is none. See
//!   [`RedisBatch::watched`].
//! - Commands that are not in [`specs`] are unknown: blocking ones, `SORT`, `OBJECT`, `ZUNION` and its
//!   like, bits, streams, geography, scripts.

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
