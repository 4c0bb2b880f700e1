//! The reference store, typed.

use crate::client::Client;
use crate::error::Error;
use althing_client::Failure;
use althing_kv::{
    Branch, KvCommand, KvInvalid, KvReply, OperationFailure, OperationResult, Transaction,
    TransactionEnd,
};
use bytes::Bytes;

/// A client of the reference store. Every operation is linearizable, and takes effect at most once.
#[derive(Debug, Clone)]
pub struct KvClient {
    client: Client,
}

/// An operation on the store did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The command did not end well.
    #[error(transparent)]
    Command(#[from] Error),
    /// The key's value is no number; it was left as it is.
    #[error("the key's value is no number; it was left as it is")]
    NotANumber,
    /// The key holds one of Redis' collections; it was left as it is.
    #[error("the key holds a Redis collection, no value of its own; it was left as it is")]
    WrongType,
    /// The sum is beyond 64 bits; the number was left as it is.
    #[error("the sum is beyond 64 bits; the number was left as it is")]
    Overflow,
    /// The values asked for are too long for one reply.
    #[error("the values are {len} bytes together, too long for one reply: ask for fewer keys")]
    TooLong {
        /// Their bytes together.
        len: u64,
    },
    /// An operation of a transaction could not be done, so none was: nothing has changed.
    #[error("operation {operation} of {}: {why}; nothing was changed", match .branch {
        Branch::Then => "the transaction",
        Branch::Otherwise => "the transaction's other branch",
    })]
    Transaction {
        /// Which branch was taken.
        branch: Branch,
        /// Which of its operations, counted from 0.
        operation: u32,
        /// Why.
        why: OperationFailure,
    },
    /// The node's store answered what this version does not understand. The command took effect.
    #[error("the reply is none that this version understands: is another state machine running?")]
    NotUnderstood,
}

/// The end of a compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// Whether the value was the expected one, and is the new one now.
    pub swapped: bool,
    /// The value found, before any change.
    pub actual: Option<Bytes>,
}

/// A transaction that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transacted {
    /// Whether all conditions held: then the operations given with `then` are done, else those given
    /// with `otherwise`.
    pub held: bool,
    /// What each of these operations answers, in their order.
    pub results: Vec<OperationResult>,
}

impl KvClient {
    /// A client of the store on this client's cluster, in its session.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client underneath.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The key's value, if it has one.
    ///
    /// # Errors
    /// [`KvError`]; of all these operations.
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<Bytes>, KvError> {
        match self.execute(KvCommand::Get { key: key.into() }).await? {
            KvReply::Value(value) => Ok(value),
            other => Err(refused(&other)),
        }
    }

    /// Sets the key's value.
    pub async fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<(), KvError> {
        self.done(KvCommand::Put { key: key.into(), value: value.into() }).await
    }

    /// Removes the key; whether there was one.
    pub async fn delete(&self, key: impl Into<Bytes>) -> Result<bool, KvError> {
        match self.execute(KvCommand::Delete { key: key.into() }).await? {
            KvReply::Deleted(deleted) => Ok(deleted),
            other => Err(refused(&other)),
        }
    }

    /// Sets the value to `new` (`None` removes it) if it is `expected` (`None`: there is none).
    pub async fn cas(
        &self,
        key: impl Into<Bytes>,
        expected: Option<Bytes>,
        new: Option<Bytes>,
    ) -> Result<Swapped, KvError> {
        let command = KvCommand::CompareAndSwap { key: key.into(), expected, new };
        match self.execute(command).await? {
            KvReply::Swapped { swapped, actual } => Ok(Swapped { swapped, actual }),
            other => Err(refused(&other)),
        }
    }

    /// Adds to the number and answers the sum; an absent key counts as 0.
    pub async fn incr(&self, key: impl Into<Bytes>, by: i64) -> Result<i64, KvError> {
        match self.execute(KvCommand::Increment { key: key.into(), by }).await? {
            KvReply::Number(number) => Ok(number),
            other => Err(refused(&other)),
        }
    }

    /// Adds to the number without answering the sum: adds commute, so they do not wait for each
    /// other as increments do. Sums wrap around.
    pub async fn add(&self, key: impl Into<Bytes>, by: i64) -> Result<(), KvError> {
        self.done(KvCommand::Add { key: key.into(), by }).await
    }

    /// Sets several values at once.
    pub async fn mput(&self, pairs: Vec<(Bytes, Bytes)>) -> Result<(), KvError> {
        self.done(KvCommand::MultiPut { pairs }).await
    }

    /// Several values as they are at one time, in the order of the keys.
    pub async fn mget(&self, keys: Vec<Bytes>) -> Result<Vec<Option<Bytes>>, KvError> {
        match self.execute(KvCommand::MultiGet { keys }).await? {
            KvReply::Values(values) => Ok(values),
            other => Err(refused(&other)),
        }
    }

    /// Compares, then applies: does the operations of one of the transaction's two branches, all of
    /// them or none. As everything here it takes effect at most once, and transactions are strictly
    /// serializable, among themselves and with all other operations.
    ///
    /// ```no_run
    /// use althing_sdk::{KvClient, KvError, KvOperation, Transaction};
    ///
    /// async fn transfer(kv: &KvClient, amount: i64) -> Result<bool, KvError> {
    ///     let transfer = Transaction::new()
    ///         .when_at_least("account/ann", amount)
    ///         .when_absent("frozen/ann")
    ///         .then(KvOperation::increment("account/ann", -amount))
    ///         .then(KvOperation::increment("account/bob", amount));
    ///     Ok(kv.transaction(transfer).await?.held)
    /// }
    /// ```
    ///
    /// What it is not: a conversation. It is one command, and what it writes is said before it is
    /// known what it reads. To write what depends on a read, read, then make a transaction that
    /// demands [`when_equal`](Transaction::when_equal) of what was read, and begin again where it
    /// did not hold.
    ///
    /// # Errors
    /// [`KvError::Transaction`] where an operation could not be done: nothing has changed.
    pub async fn transaction(&self, transaction: Transaction) -> Result<Transacted, KvError> {
        match self.execute(KvCommand::Transaction(transaction)).await? {
            KvReply::Transaction(TransactionEnd::Done { branch, results }) => {
                Ok(Transacted { held: branch == Branch::Then, results })
            }
            KvReply::Transaction(TransactionEnd::Failed { branch, operation, why }) => {
                Err(KvError::Transaction { branch, operation, why })
            }
            other => Err(refused(&other)),
        }
    }

    /// Executes any command of the store.
    pub async fn execute(&self, command: KvCommand) -> Result<KvReply, KvError> {
        let invalid = |invalid: KvInvalid| Error::Failed(Failure::Invalid(invalid.to_string()));
        command.check().map_err(invalid)?;
        let reply = self.client.execute(command.encode()).await?;
        KvReply::decode(reply).map_err(|_| KvError::NotUnderstood)
    }

    async fn done(&self, command: KvCommand) -> Result<(), KvError> {
        match self.execute(command).await? {
            KvReply::Done => Ok(()),
            other => Err(refused(&other)),
        }
    }
}

/// What an unexpected reply means.
fn refused(reply: &KvReply) -> KvError {
    match reply {
        KvReply::NotANumber => KvError::NotANumber,
        KvReply::WrongType => KvError::WrongType,
        KvReply::Overflow => KvError::Overflow,
        KvReply::TooLong { len } => KvError::TooLong { len: *len },
        _ => KvError::NotUnderstood,
    }
}
