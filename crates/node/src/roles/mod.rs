//! The roles as their loops drive them, one file each.

mod acceptor;
mod dependency;
mod proposer;
mod relay;
mod replica;
mod voter;

pub(crate) use acceptor::DrivenAcceptor;
pub(crate) use dependency::DrivenDependency;
pub(crate) use proposer::DrivenProposer;
pub(crate) use relay::DrivenRelay;
pub(crate) use replica::DrivenReplica;
pub(crate) use voter::DrivenVoter;
