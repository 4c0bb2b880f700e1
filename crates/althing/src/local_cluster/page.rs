//! A page of a node's admin port: plain HTTP on loopback, one request a connection.

use super::LocalClusterError;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest page that is read.
const PAGE_LEN_MAX: u64 = 1 << 20;

/// The body of a page whose status is 200.
pub(super) async fn get(address: SocketAddr, path: &str) -> Result<String, LocalClusterError> {
    let failed = |reason: String| LocalClusterError::Page { address, path: path.into(), reason };
    let text = match timeout(PATIENCE, exchange(address, path)).await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("no answer in {PATIENCE:?}"))),
    };
    // HTTP/1.0: no chunks, and the end of the stream is the end of the body.
    let (head, body) =
        text.split_once("\r\n\r\n").ok_or_else(|| failed("it is no HTTP".to_owned()))?;
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(failed(body.trim().to_owned())),
    }
}

async fn exchange(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.take(PAGE_LEN_MAX).read_to_string(&mut text).await?;
    Ok(text)
}
