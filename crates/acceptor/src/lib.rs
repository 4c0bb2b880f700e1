//! The acceptor: single-decree Paxos in each vertex (`protocol` section 10).
//!
//! [`Register`] is one vertex's promise and vote: two ballots, never one (trap T4). [`Acceptor`] is
//! the role on the classic path; on the fast path a voter keeps registers together with its
//! dependency answers.

mod acceptor;
mod register;

pub use acceptor::Acceptor;
pub use register::Register;
