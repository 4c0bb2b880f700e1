//! The Redis protocol in front of a cluster.

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
