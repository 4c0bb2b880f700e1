//! One node as a child process: started, watched, ended; its output goes to a file.

use crate::{LocalClusterError, leash, page};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Between two looks whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Of a log, what an error message shows.
const LAST_WORDS_LEN: u64 = 1000;

/// A running node.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    node: usize,
    /// Holds the leash: its standard input.
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
}

impl NodeProcess {
    /// Starts `althing serve`. The process ends when this one does, and no signal from the terminal
    /// reaches it: who gets which is decided here.
    pub(crate) fn start(
        node: usize,
        binary: &Path,
        config: &Path,
        admin: SocketAddr,
        log: PathBuf,
    ) -> Result<Self, LocalClusterError> {
        let opened = OpenOptions::new().create(true).append(true).open(&log);
        let output = opened.map_err(LocalClusterError::file(&log))?;
        let errors = output.try_clone().map_err(LocalClusterError::file(&log))?;
        let child = Command::new(binary)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env(leash::VARIABLE, "stdin")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| {
                let binary = binary.to_owned();
                LocalClusterError::Spawn { node, binary, source }
            })?;
        Ok(Self { node, child, admin, log })
    }

    /// Whether it could commit a command; if not, why.
    pub(crate) async fn ready(&self) -> Result<(), LocalClusterError> {
        Ok(page::ready(&self.admin.to_string(), page::PATIENCE).await?)
    }

    /// What there is to say when it never could.
    pub(crate) fn not_ready(
        &self,
        patience: Duration,
        last: &LocalClusterError,
    ) -> LocalClusterError {
        let (reason, log) = (last.to_string(), self.log.clone());
        LocalClusterError::NotReady { node: self.node, patience, reason, log }
    }

    /// Whether it still runs.
    pub(crate) fn check(&mut self) -> Result<(), LocalClusterError> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(LocalClusterError::Ended {
                node: self.node,
                status,
                log: self.log.clone(),
                last_words: last_words(&self.log),
            }),
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: nothing of it runs any more when this returns.
    pub(crate) fn kill(&mut self) {
        self.strike();
        let _ = self.child.wait();
    }

    /// The same, without waiting for its end.
    pub(crate) fn strike(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
    }

    /// Asks it to end.
    pub(crate) fn ask_to_end(&mut self) {
        if self.ended().is_none() {
            let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            // It is not reaped yet, so that the number is still its own.
            let _ = id.map(|id| kill_process(id, Signal::TERM));
        }
    }

    /// Waits for its end until `deadline`, and then makes it end.
    pub(crate) fn end(&mut self, deadline: Instant) {
        while self.ended().is_none() {
            if Instant::now() > deadline {
                return self.kill();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process can be waited for")
    }
}

fn last_words(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LAST_WORDS_LEN)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    read().unwrap_or_else(|error| format!("(cannot be read: {error})"))
}
