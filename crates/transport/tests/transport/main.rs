//! Endpoints over real QUIC on the loopback interface.

mod files;
mod flow;
mod links;
mod refusals;
mod world;
