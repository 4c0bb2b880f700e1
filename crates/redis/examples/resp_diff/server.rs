//! A Redis server: somebody's, or one of our own for as long as it is needed.

use anyhow::Context;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

/// A server.
pub(crate) struct Server {
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// One that runs already.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, child: None }
    }

    /// Starts one; none where there is no `redis-server` on the `PATH`.
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        // Whoever takes the port in between is found when the server does not come up.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            child => child.context("redis-server does not start")?,
        };
        let output = child.stdout.take().context("it has an output")?;
        let server = Self { address, child: Some(child) };
        for line in BufReader::new(output).lines() {
            if line?.contains("Ready to accept connections") {
                return Ok(Some(server));
            }
        }
        anyhow::bail!("redis-server ended before it was ready at {address}")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Errors mean that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
