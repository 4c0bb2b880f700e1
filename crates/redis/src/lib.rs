//! The Redis protocol in front of a cluster.

pub mod limits;
mod request;

pub use request::{ProtocolError, Request, RequestParser};
