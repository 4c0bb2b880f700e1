//! A Redis server: somebody's, or one of our own for as long as it is needed.

use crate::value::Value;
use anyhow::Context;
use bytes::Bytes;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A server.
pub(crate) struct Server {
    address: String,
    child: Option<Child>,
}

impl Server {
    /// A server that runs already.
    #[allow(dead_code, reason = "the test starts its own")]
    pub(crate) fn at(address: String) -> Self {
        Self { address, child: None }
    }

    /// Starts one; `None` where there is no `redis-server` on the `PATH`.
    pub(crate) fn start() -> anyhow::Result<Option<Self>> {
        // Whoever takes the port in between is found when the server does not come up.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir", "/tmp"])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            child => child.context("redis-server does not start")?,
        };
        let stdout = child.stdout.take().expect("it is piped");
        let server = Self { address: format!("127.0.0.1:{port}"), child: Some(child) };
        let mut lines = BufReader::new(stdout).lines();
        lines
            .find(|line| line.as_ref().is_ok_and(|line| line.contains("Ready to accept")))
            .context("redis-server ended before it was ready")??;
        // What it writes must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Some(server))
    }

    /// A connection.
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(&self.address)
            .with_context(|| format!("there is no server at {}", self.address))?;
        stream.set_nodelay(true)?;
        Ok(Connection { reader: BufReader::new(stream.try_clone()?), stream })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A connection, which speaks RESP2.
pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Asks and waits for the reply.
    pub(crate) fn ask(&mut self, args: &[Bytes]) -> anyhow::Result<Value> {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            request.extend(format!("${}\r\n", arg.len()).into_bytes());
            request.extend(&arg[..]);
            request.extend(b"\r\n");
        }
        self.stream.write_all(&request)?;
        Value::read(&mut self.reader)
    }
}
