//! A node that must not outlive the process that started it, however that one ends.
//!
//! The parent keeps the write end of the child's standard input and never writes. When the parent
//! is gone, even by SIGKILL, the kernel closes the pipe; the child reads the end and asks itself to
//! stop, as a service manager would.

use rustix::process::{Signal, getpid, kill_process};
use std::io::{Read, stdin};

/// In the child's environment, says that standard input is such a pipe.
pub(crate) const VARIABLE: &str = "ALTHING_LEASH";

/// Holds on to the parent, if it put this process on a leash. Called once, by the `althing` command,
/// before anything is started.
pub fn hold() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let mut ignored = [0; 64];
        while matches!(stdin().read(&mut ignored), Ok(1..)) {}
        // Fails only for a process that is none.
        let _ = kill_process(getpid(), Signal::TERM);
    });
}
