//! A page of a node's admin port: plain HTTP, one request a connection.

use althing_node::Status;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a page may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The longest page that is read.
const PAGE_LEN_MAX: u64 = 4 << 20;

/// A page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nobody is there.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It takes too long.
    #[error("no answer from {address} in {patience:?}")]
    Late {
        /// Where.
        address: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The answer is none that a node gives.
    #[error("{address} is not a node's page for operators: {reason}")]
    Stranger {
        /// Where.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node says that it cannot.
    #[error("http://{address}{path}: {reason}")]
    Refused {
        /// Where.
        address: String,
        /// Which page.
        path: String,
        /// Why not.
        reason: String,
    },
}

/// What the node with its pages at this address (HOST:PORT) says of itself.
///
/// # Errors
/// When it does not say so in time.
pub async fn status(address: &str, patience: Duration) -> Result<Status, PageError> {
    let text = get(address, "/status", patience).await?;
    serde_json::from_str(&text).map_err(|error| PageError::Stranger {
        address: address.to_owned(),
        reason: format!("it is no status: {error}"),
    })
}

/// The same as it stands on the page: also what this version does not know.
///
/// # Errors
/// As [`status`].
pub async fn status_as_json(
    address: &str,
    patience: Duration,
) -> Result<serde_json::Value, PageError> {
    let text = get(address, "/status", patience).await?;
    serde_json::from_str(&text).map_err(|error| PageError::Stranger {
        address: address.to_owned(),
        reason: format!("it is no status: {error}"),
    })
}

/// Whether the node with its pages at this address says that it could commit a command now.
///
/// # Errors
/// When it does not, or cannot be asked in time.
pub async fn ready(address: &str, patience: Duration) -> Result<(), PageError> {
    get(address, "/health/ready", patience).await.map(|_| ())
}

/// The body of a page whose status is 200.
pub(crate) async fn get(
    address: &str,
    path: &str,
    patience: Duration,
) -> Result<String, PageError> {
    let whom = || address.to_owned();
    let text = match timeout(patience, exchange(address, path)).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            let reason = "it is no text".to_owned();
            return Err(PageError::Stranger { address: whom(), reason });
        }
        Ok(Err(source)) => return Err(PageError::Unreachable { address: whom(), source }),
        Err(_) => return Err(PageError::Late { address: whom(), patience }),
    };
    // HTTP/1.0: no chunks, and the end of the stream is the end of the body.
    let stranger = || PageError::Stranger { address: whom(), reason: "it is no HTTP".to_owned() };
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(stranger)?;
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(PageError::Refused {
            address: whom(),
            path: path.to_owned(),
            reason: body.trim().to_owned(),
        }),
    }
}

async fn exchange(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.take(PAGE_LEN_MAX).read_to_string(&mut text).await?;
    Ok(text)
}
