//! A client of a typed state machine.

use crate::client::Client;
use crate::error::Error;
use althing_client::Consistency;
use althing_typed::{NotOfThisType, TypedMachine, decode_reply, encode_command};
use std::marker::PhantomData;

/// A client of a cluster that replicates `M`: commands and replies are its types. Every command is
/// linearizable, and takes effect at most once; what only reads may ask for less.
///
/// ```no_run
/// # use althing_sdk::{Client, TypedClient, TypedError};
/// # use althing_typed::TypedMachine;
/// # async fn run<M: TypedMachine>(client: Client, command: M::Command) -> Result<(), TypedError> {
/// let machine = TypedClient::<M>::new(client);
/// let reply: M::Reply = machine.execute(&command).await?;
/// # Ok(())
/// # }
/// ```
pub struct TypedClient<M> {
    client: Client,
    machine: PhantomData<fn() -> M>,
}

/// A command of a typed state machine did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypedError {
    /// The command did not end well.
    #[error(transparent)]
    Command(#[from] Error),
    /// The command took effect, and its reply is none of this program's.
    #[error("{0}: does the cluster run another version of the state machine?")]
    NotUnderstood(NotOfThisType),
}

impl<M: TypedMachine> TypedClient<M> {
    /// A typed client in this client's session.
    pub fn new(client: Client) -> Self {
        Self { client, machine: PhantomData }
    }

    /// The client underneath.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Executes a command.
    ///
    /// # Errors
    /// As [`Client::execute`], and [`TypedError::NotUnderstood`].
    pub async fn execute(&self, command: &M::Command) -> Result<M::Reply, TypedError> {
        let reply = self.client.execute(encode_command::<M>(command)).await?;
        decode_reply::<M>(&reply).map_err(TypedError::NotUnderstood)
    }

    /// Reads: the reply to a command that changes nothing, as [`TypedMachine::query`] gives it. What
    /// cannot be answered so is executed as a command.
    ///
    /// # Errors
    /// As [`Client::read`], and [`TypedError::NotUnderstood`].
    pub async fn read(
        &self,
        command: &M::Command,
        consistency: Consistency,
    ) -> Result<M::Reply, TypedError> {
        let reply = self.client.read(encode_command::<M>(command), consistency).await?;
        decode_reply::<M>(&reply).map_err(TypedError::NotUnderstood)
    }
}

impl<M> Clone for TypedClient<M> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), machine: PhantomData }
    }
}

impl<M> std::fmt::Debug for TypedClient<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TypedClient").field("client", &self.client).finish()
    }
}
