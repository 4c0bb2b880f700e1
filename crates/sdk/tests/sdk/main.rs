//! The client library against nodes that do as a test tells them, and against real ones.

mod fake_node;
mod outcomes;
mod store;
mod watch;
