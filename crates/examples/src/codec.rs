//! Commands and replies as bytes.

use althing_model::CommandInvalid;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A command or a reply as JSON.
pub fn encode<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).expect("these types have names for keys, and no floats").into()
}

/// The command or reply in these bytes.
///
/// # Errors
/// When there is none: a conflict function refuses the payload with this, before it gets a vertex.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CommandInvalid> {
    serde_json::from_slice(bytes).map_err(|error| CommandInvalid(error.to_string()))
}
