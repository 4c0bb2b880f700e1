//! What a client can ask of the store.

use crate::Transaction;
use crate::limits::{
    COMMAND_LEN_MAX, KEY_LEN_MAX, KEYS_MAX, REDIS_ARGS_MAX, REDIS_COMMANDS_MAX, VALUE_LEN_MAX,
};
use crate::redis::RedisBatch;
use crate::schema::{self, CommandKind};
use bytes::Bytes;
use prost::Message as _;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvCommand {
    /// Answers the value: [`KvReply::Value`](crate::KvReply::Value).
    Get {
        /// The key.
        key: Bytes,
    },
    /// Sets the value: [`KvReply::Done`](crate::KvReply::Done).
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes the key: [`KvReply::Deleted`](crate::KvReply::Deleted).
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Sets or removes the value where it is the one expected:
    /// [`KvReply::Swapped`](crate::KvReply::Swapped).
    CompareAndSwap {
        /// The key.
        key: Bytes,
        /// The value expected; `None` expects that there is none.
        expected: Option<Bytes>,
        /// Its new value; `None` removes the key.
        new: Option<Bytes>,
    },
    /// Adds to the number and answers the sum: [`KvReply::Number`](crate::KvReply::Number), or, with
    /// the value left as it is, [`KvReply::NotANumber`](crate::KvReply::NotANumber) or
    /// [`KvReply::Overflow`](crate::KvReply::Overflow). An absent key counts as 0.
    Increment {
        /// The key.
        key: Bytes,
        /// What to add.
        by: i64,
    },
    /// Adds to the number, wrapping around, and does not answer the sum:
    /// [`KvReply::Done`](crate::KvReply::Done), or, with the value left as it is,
    /// [`KvReply::NotANumber`](crate::KvReply::NotANumber). An absent key counts as 0.
    Add {
        /// The key.
        key: Bytes,
        /// What to add.
        by: i64,
    },
    /// Sets all values at once; of one key's several values the last remains:
    /// [`KvReply::Done`](crate::KvReply::Done).
    MultiPut {
        /// Keys and their new values.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// Answers all values as they are at one time: [`KvReply::Values`](crate::KvReply::Values), or
    /// [`KvReply::TooLong`](crate::KvReply::TooLong).
    MultiGet {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// Conditions, and what to do if they hold or do not, all or nothing:
    /// [`KvReply::Transaction`](crate::KvReply::Transaction).
    Transaction(Transaction),
    /// Executes Redis commands: [`KvReply::Redis`](crate::KvReply::Redis).
    Redis(RedisBatch),
}

impl KvCommand {
    /// The payload for the state machine. Nothing is checked here: see [`Self::check`].
    pub fn encode(&self) -> Bytes {
        let kind = match self.clone() {
            Self::Get { key } => CommandKind::Get(schema::Key { key }),
            Self::Put { key, value } => CommandKind::Put(schema::Pair { key, value }),
            Self::Delete { key } => CommandKind::Delete(schema::Key { key }),
            Self::CompareAndSwap { key, expected, new } => {
                CommandKind::CompareAndSwap(schema::CompareAndSwap { key, expected, new })
            }
            Self::Increment { key, by } => CommandKind::Increment(schema::By { key, by }),
            Self::Add { key, by } => CommandKind::Add(schema::By { key, by }),
            Self::MultiPut { pairs } => CommandKind::MultiPut(schema::Pairs {
                pairs: pairs.into_iter().map(|(key, value)| schema::Pair { key, value }).collect(),
            }),
            Self::MultiGet { keys } => CommandKind::MultiGet(schema::Keys { keys }),
            Self::Transaction(transaction) => CommandKind::Transaction(transaction.into()),
            Self::Redis(batch) => CommandKind::Redis(batch.to_schema()),
        };
        schema::Command { kind: Some(kind) }.encode_to_vec().into()
    }

    /// The command in a payload, within the limits. Its keys and values are slices of `payload`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(payload: Bytes) -> Result<Self, KvInvalid> {
        if payload.len() > COMMAND_LEN_MAX {
            return Err(KvInvalid::CommandTooLong { len: payload.len() });
        }
        let command = schema::Command::decode(payload)?;
        let command = match command.kind.ok_or(KvInvalid::Unknown)? {
            CommandKind::Get(schema::Key { key }) => Self::Get { key },
            CommandKind::Put(schema::Pair { key, value }) => Self::Put { key, value },
            CommandKind::Delete(schema::Key { key }) => Self::Delete { key },
            CommandKind::CompareAndSwap(schema::CompareAndSwap { key, expected, new }) => {
                Self::CompareAndSwap { key, expected, new }
            }
            CommandKind::Increment(schema::By { key, by }) => Self::Increment { key, by },
            CommandKind::Add(schema::By { key, by }) => Self::Add { key, by },
            CommandKind::MultiPut(schema::Pairs { pairs }) => {
                check_count(pairs.len())?;
                let pairs = pairs.into_iter().map(|pair| (pair.key, pair.value));
                Self::MultiPut { pairs: pairs.collect() }
            }
            CommandKind::MultiGet(schema::Keys { keys }) => Self::MultiGet { keys },
            CommandKind::Transaction(transaction) => {
                check_count(transaction.len())?;
                Self::Transaction(transaction.try_into()?)
            }
            CommandKind::Redis(batch) => Self::Redis(RedisBatch::from_schema(batch)),
        };
        command.check_parts()?;
        Ok(command)
    }

    /// Whether the command is within the limits, and so will decode.
    ///
    /// # Errors
    /// Which limit it is over.
    pub fn check(&self) -> Result<(), KvInvalid> {
        self.check_parts()?;
        let len = self.encode().len();
        if len > COMMAND_LEN_MAX {
            return Err(KvInvalid::CommandTooLong { len });
        }
        Ok(())
    }

    fn check_parts(&self) -> Result<(), KvInvalid> {
        match self {
            Self::Get { key }
            | Self::Delete { key }
            | Self::Increment { key, .. }
            | Self::Add { key, .. } => check_key(key),
            Self::Put { key, value } => check_key(key).and_then(|()| check_value(value)),
            Self::CompareAndSwap { key, expected, new } => {
                check_key(key)?;
                expected.iter().chain(new).try_for_each(check_value)
            }
            Self::MultiPut { pairs } => {
                check_count(pairs.len())?;
                pairs
                    .iter()
                    .try_for_each(|(key, value)| check_key(key).and_then(|()| check_value(value)))
            }
            Self::MultiGet { keys } => {
                check_count(keys.len())?;
                keys.iter().try_for_each(check_key)
            }
            Self::Transaction(transaction) => {
                check_count(transaction.len())?;
                for (key, condition) in &transaction.compare {
                    check_key(key)?;
                    condition.value().map_or(Ok(()), check_value)?;
                }
                for operation in transaction.then.iter().chain(&transaction.otherwise) {
                    check_key(operation.key())?;
                    operation.value().map_or(Ok(()), check_value)?;
                }
                Ok(())
            }
            Self::Redis(batch) => batch.check_parts(),
        }
    }
}

pub(crate) fn check_key(key: &Bytes) -> Result<(), KvInvalid> {
    match key.len() {
        0 => Err(KvInvalid::KeyEmpty),
        1..=KEY_LEN_MAX => Ok(()),
        len => Err(KvInvalid::KeyTooLong { len }),
    }
}

fn check_value(value: &Bytes) -> Result<(), KvInvalid> {
    match value.len() {
        0..=VALUE_LEN_MAX => Ok(()),
        len => Err(KvInvalid::ValueTooLong { len }),
    }
}

fn check_count(count: usize) -> Result<(), KvInvalid> {
    match count {
        0..=KEYS_MAX => Ok(()),
        count => Err(KvInvalid::TooManyKeys { count }),
    }
}

/// A payload is no command, or bytes are no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvInvalid {
    /// The bytes are no protobuf of the schema.
    #[error("not of the store's schema: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// No command or reply that this version knows.
    #[error("it is nothing that this version of the store knows")]
    Unknown,
    /// A key without a byte.
    #[error("the key is empty: a key has at least one byte")]
    KeyEmpty,
    /// A key is over [`KEY_LEN_MAX`].
    #[error("a key of {len} bytes, over the {KEY_LEN_MAX} allowed")]
    KeyTooLong {
        /// Its bytes.
        len: usize,
    },
    /// A value is over [`VALUE_LEN_MAX`].
    #[error("a value of {len} bytes, over the {VALUE_LEN_MAX} allowed")]
    ValueTooLong {
        /// Its bytes.
        len: usize,
    },
    /// More keys than [`KEYS_MAX`].
    #[error(
        "{count} keys, or conditions and operations, in one command, over the {KEYS_MAX} allowed: send several"
    )]
    TooManyKeys {
        /// How many.
        count: usize,
    },
    /// More commands in a batch of Redis commands than [`REDIS_COMMANDS_MAX`].
    #[error(
        "{count} Redis commands in one batch, over the {REDIS_COMMANDS_MAX} allowed: send several"
    )]
    TooManyCommands {
        /// How many.
        count: usize,
    },
    /// More arguments in a batch of Redis commands than [`REDIS_ARGS_MAX`].
    #[error(
        "{count} arguments in one batch of Redis commands, over the {REDIS_ARGS_MAX} allowed: send several"
    )]
    TooManyArguments {
        /// How many, the commands' names included.
        count: usize,
    },
    /// A Redis command without a name.
    #[error("a Redis command is empty: its first argument is its name")]
    NoName,
    /// The encoded command is over [`COMMAND_LEN_MAX`].
    #[error("a command of {len} bytes, over the {COMMAND_LEN_MAX} allowed: send several")]
    CommandTooLong {
        /// Its bytes.
        len: usize,
    },
}
