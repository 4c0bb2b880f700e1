//! The Redis protocol in front of a cluster: RESP2 and RESP3, for every client library there is.
//!
//! ```no_run
//! use althing_redis::{ClusterBackend, Gateway, Settings};
//! use althing_sdk::{Client, ClientFile};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = ClientFile::load("client.toml".as_ref())?;
//! let gateway = Gateway::bind(Settings::new("127.0.0.1:7379".parse()?)).await?;
//! let client = Client::connect(file.config()?).await?;
//! gateway.serve(ClusterBackend::new(client), std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! There is no leader and no `MOVED`: any number of gateways may run, beside any node or alone, and each
//! takes reads and writes. Every command is linearizable and takes effect at most once.
//!
//! # Commands
//! Of the store, as [`althing_kv::redis`] executes them: strings, keys and their expiry, hashes, sets,
//! lists, sorted sets, scans; `COMMAND` lists them all. Of the gateway itself:
//!
//! | command | |
//! | --- | --- |
//! | `PING`, `ECHO`, `TIME`, `QUIT`, `RESET`, `SELECT 0` | as Redis |
//! | `HELLO`, `AUTH` | versions 2 and 3, `AUTH`, `SETNAME`; the only user is `default` |
//! | `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH` | one command of the store, atomic across all keys |
//! | `CLIENT` | `ID`, `GETNAME`, `SETNAME`, `SETINFO`, `INFO`, `LIST`, `REPLY`, `GETREDIR`, `NO-EVICT`, `NO-TOUCH` |
//! | `COMMAND` | `COUNT`, `INFO`, `LIST`, `GETKEYS`; `DOCS` has nothing to tell |
//! | `CONFIG` | `GET` of what there is to tell; nothing can be set |
//! | `INFO` | the gateway's figures |
//! | `ALTHING.CONSISTENCY [linearizable\|session\|stale]` | how current this connection's reads are |
//!
//! Everything else is answered as Redis answers an unknown command: publish and subscribe, scripts,
//! streams, blocking commands, bits, geography, `WAIT`, `CLUSTER`, ..
//!
//! # What is different from a Redis server
//! - A write is on the disks of a majority of nodes before it is answered, and a region away that takes as
//!   long as the round trip. Commands that wait on a connection are executed together ([`round`]), so
//!   clients with many keys to write should pipeline.
//! - What happens if nobody answers: `UNKNOWN` says that a write may have taken effect, may yet do so
//!   once, or never; after `BUSY`, `CLUSTERDOWN` and `TRYAGAIN` it has had no effect. See [`Failed`].
//! - A key has from 1 to 1,024 bytes, a value less than 1 MiB, a command and a transaction not more
//!   than 1 MiB, 1,024 keys and 65,536 arguments; a longer bulk string ends the connection as it does
//!   beyond Redis' `proto-max-bulk-len`. A reply has at most 1 MiB.
//! - Commands over all keys (`KEYS`, `SCAN`, `DBSIZE`, `FLUSHALL`, `RANDOMKEY`) conflict with every other
//!   command. `INFO` does not tell how many keys there are: `DBSIZE` does.
//! - There is one database. Nothing is evicted.
//! - `HELLO` and `INFO` call themselves Redis 7.0.15, by which client libraries choose what to send.
//! - Sets, hashes and `KEYS` come in another order. A scan's cursor is known to the gateway that gave it.
//! - A key whose time is over stays in memory until somebody asks for it, or until `ALTHING.PURGE`; it is
//!   not seen. Whose clock counts is the gateway's, per key never backwards.
//! - `WATCH` compares contents: a key that others changed and changed back within a millisecond, unseen
//!   by this connection, counts as unchanged. At most 48 keys are watched.
//!
//! # Inside
//! [`RequestParser`] reads bytes, [`connection::Connection`] says what a request means, [`round`] what
//! is executed together, [`encode`] writes answers: all of them pure. `serve` moves bytes, [`Gateway`]
//! has the port, and what executes batches is a [`Backend`].
//!
//! What is held is bounded by [`limits`]: requests before they are allocated, batches under way, answers
//! that a client does not take, connections. A client that asks for more than it takes is not read from
//! until it has; one that takes nothing for a minute is closed.

pub mod backend;
pub mod connection;
mod encode;
mod gateway;
pub mod limits;
mod metrics;
mod request;
pub mod round;
mod serve;
mod settings;
mod stamp;
#[cfg(test)]
mod talk;

pub use backend::{Backend, ClusterBackend, Failed, StoreBackend};
pub use connection::Consistency;
pub use encode::{Answer, Protocol, encode};
pub use gateway::{Gateway, GatewayError};
pub use request::{ProtocolError, Request, RequestParser};
pub use settings::Settings;
