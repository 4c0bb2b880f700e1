//! Certificates and configurations in a directory, and `althing` processes in it.

use althing_model::{ClusterId, NodeId, Path, Role};
use althing_node::ConfigFile;
use althing_transport::certs::ClusterAuthority;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) const CLUSTER: ClusterId = ClusterId([7; 16]);

/// Addresses that were free a moment ago.
pub(crate) fn free_addresses(count: usize) -> Vec<String> {
    let sockets: Vec<_> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    sockets.iter().map(|socket| socket.local_addr().unwrap().to_string()).collect()
}

/// A directory with the certificates of a cluster, its nodes and one client.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) authority: ClusterAuthority,
    /// The configurations of the nodes, written by [`World::write`].
    pub(crate) files: Vec<ConfigFile>,
}

impl World {
    /// A cluster of `n` nodes.
    pub(crate) fn new(n: u32, f: usize) -> Self {
        Self::of(CLUSTER, n, f)
    }

    pub(crate) fn of(cluster: ClusterId, n: u32, f: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let certs = dir.path().join("certs");
        let authority = ClusterAuthority::create(cluster).unwrap();
        authority.write(&certs, false).unwrap();
        for id in 0..n {
            authority.issue_node(NodeId(id), &Role::ALL).unwrap().write(&certs, false).unwrap();
        }
        authority.issue_client("tester").unwrap().write(&certs, false).unwrap();
        let addresses = free_addresses(n as usize);
        let file = |node| {
            let mut file = ConfigFile::example(cluster, node, &addresses, f, Path::Fast);
            file.journal.segment_mib = 8;
            file
        };
        let world = Self { files: (0..n).map(file).collect(), dir, authority };
        world.write();
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `node-N.toml` for each node, and `client.toml`.
    pub(crate) fn write(&self) {
        for file in &self.files {
            std::fs::write(self.path(&format!("node-{}.toml", file.node)), file.to_toml()).unwrap();
        }
        self.write_client(&[]);
    }

    /// Writes `client.toml`; `admin` are the nodes' pages, as far as they are known.
    pub(crate) fn write_client(&self, admin: &[String]) {
        let entries = self.files[0].nodes.iter().zip(0_usize..);
        let nodes = entries.map(|(node, index)| althing_sdk::ClientNodeEntry {
            id: node.id,
            region: node.region.clone(),
            address: node.address.clone(),
            admin: admin.get(index).cloned(),
        });
        let file = althing_sdk::ClientFile {
            cluster: self.files[0].cluster.clone(),
            region: None,
            tls: althing_sdk::ClientTlsEntry {
                ca: "certs/ca.pem".into(),
                cert: "certs/client-tester.pem".into(),
                key: "certs/client-tester.key".into(),
            },
            nodes: nodes.collect(),
        };
        std::fs::write(self.path("client.toml"), file.to_toml()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
        command.current_dir(self.dir.path()).args(args).stdin(Stdio::null());
        command.env_remove("ALTHING_CLIENT").env_remove("ALTHING_LOG");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// Starts a command whose output is read while it runs.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).spawn().unwrap()
    }

    /// `althing kv --client client.toml ..`
    pub(crate) fn kv(&self, args: &[&str]) -> Ended {
        self.run(&[&["kv", "--client", "client.toml"], args].concat())
    }

    /// `althing serve` of a node that must not start.
    pub(crate) fn refused(&self, node: usize) -> Ended {
        self.write();
        self.run(&["serve", "--log", "off", "--config", &format!("node-{node}.toml")])
    }

    /// `althing serve`, once it says that it runs; or how it ended.
    pub(crate) fn serve(&self, node: usize) -> Result<Serving, Ended> {
        let config = format!("node-{node}.toml");
        let mut command = self.command(&["serve", "--json", "--log", "warn", "--config", &config]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            return Err(child.wait_with_output().unwrap().into());
        }
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let resp = ready["resp"].as_str().map(str::to_owned);
        Ok(Serving { admin: ready["admin"].as_str().unwrap().to_owned(), resp, child })
    }

    /// `althing resp`, once it says that it runs.
    pub(crate) fn alone(&self, args: &[&str]) -> Serving {
        let mut command = self.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(port) = line.trim_end().strip_prefix("redis-cli -p ") else {
            panic!("{line:?}, {:?}", Ended::from(child.wait_with_output().unwrap()));
        };
        Serving { admin: String::new(), resp: Some(format!("127.0.0.1:{port}")), child }
    }

    /// A cluster of three nodes, running; with other ports when one was taken meanwhile.
    pub(crate) fn running() -> (Self, Vec<Serving>) {
        Self::running_with(|_| {})
    }

    /// The same, with its configurations changed.
    pub(crate) fn running_with(change: impl Fn(&mut Self)) -> (Self, Vec<Serving>) {
        loop {
            let mut world = Self::new(3, 1);
            change(&mut world);
            world.write();
            match world.serve_all() {
                Ok(nodes) => return (world, nodes),
                Err(ended) if ended.stderr.contains("in use") => {}
                Err(ended) => panic!("{ended:?}"),
            }
        }
    }

    /// All nodes, running; `client.toml` then has their pages.
    pub(crate) fn serve_all(&self) -> Result<Vec<Serving>, Ended> {
        let nodes = (0..3).map(|node| self.serve(node)).collect::<Result<Vec<_>, _>>()?;
        let admin: Vec<_> = nodes.iter().map(|node| node.admin.clone()).collect();
        self.write_client(&admin);
        Ok(nodes)
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let Output { status, stdout, stderr } = output;
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Ended {
    /// Checks the exit code, and that the message has these parts.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in:\n{}", self.stderr);
        }
    }

    /// Checks that it ended well, and what it printed.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout.trim_end_matches('\n'), text);
    }
}

/// A running node.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) admin: String,
    /// Where Redis clients connect.
    pub(crate) resp: Option<String>,
}

impl Serving {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Ends it with SIGTERM, in order.
    pub(crate) fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(status.code(), Some(0), "{log}");
    }

    /// A page for operators.
    pub(crate) fn page(&self, path: &str) -> String {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.admin).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
