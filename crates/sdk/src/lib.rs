//! The client library: executes commands on a cluster, each exactly once.
//!
//! ```no_run
//! use althing_sdk::{Client, ClientFile, Error};
//!
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = ClientFile::load("client.toml".as_ref())?;
//! let client = Client::connect(file.config()?).await?;
//! match client.execute("any bytes that the state machine understands".into()).await {
//!     Ok(reply) => println!("it took effect once: {reply:?}"),
//!     Err(Error::Failed(why)) => println!("it had no effect and never will: {why}"),
//!     Err(Error::Unknown) => println!("it may have taken effect, or may yet, or never"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is a handle: clone it and call it from as many tasks as you like. All of them share
//! one session and one connection to each node; a command goes to the nearest node that is up, and
//! to the next one when that node does not answer in time, breaks its connection or is overloaded.
//! A command keeps its number over all these attempts, so it takes effect at most once.
//!
//! [`KvClient`] speaks to the reference store:
//!
//! ```no_run
//! # use althing_sdk::{Client, ClientFile, KvClient};
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Client::connect(ClientFile::load("client.toml".as_ref())?.config()?).await?;
//! let kv = KvClient::new(client);
//! kv.put("city", "Reykjavik").await?;
//! assert_eq!(kv.get("city").await?, Some("Reykjavik".into()));
//! assert!(kv.cas("city", Some("Reykjavik".into()), Some("Akureyri".into())).await?.swapped);
//! # Ok(())
//! # }
//! ```
//!
//! # Inside
//! What to send where, and when to give up, is decided by the state machine in [`althing_client`],
//! the same that the simulator runs. One task drives it; one more for each node keeps a connection.

mod client;
mod config;
mod driver;
mod error;
mod file;
mod kv;
pub mod limits;
mod link;

pub use client::{Client, Executed};
pub use config::{Config, NodeAddress, Prefer};
pub use error::{ConnectError, Error, NodeProblem};
pub use file::{ClientFile, ClientFileError, ClientNodeEntry, ClientTlsEntry};
pub use kv::{KvClient, KvError, Swapped, Transacted};

pub use althing_client::Failure;
pub use althing_kv::{
    Branch, Condition, KvOperation, OperationFailure, OperationResult, Transaction,
};
pub use althing_model::{ClusterId, NodeId};
pub use althing_transport::Settings as TransportSettings;
pub use althing_transport::certs::Tls;
