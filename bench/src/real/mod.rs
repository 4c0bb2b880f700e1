//! Runs on real processes: over QUIC, with a synced journal at each node.
//!
//! ```text
//! wan       starts a cluster on this machine, the distances emulated ---+
//! cluster   takes one that runs                                         |
//!                                                                       v
//!                 sites (a region's clients, its nodes' pages) -> course -> Run
//!                                                                  |
//!                 load (clients) -> recorder (samples, history) <--+
//! ```
//!
//! The clients of a region share one session and its connections, as the tasks of one application
//! server do, and talk to the nearest node. Latency is what a client sees, from the call to the
//! reply: the node's threads, its syncs and the machine's scheduling are in it. In an open load a
//! command counts from the moment at which it was to be sent, so that a late client does not make a
//! slow cluster look fast; the timer that wakes it has a grain of a millisecond.
//!
//! Sessions are opened before anything is measured. The clients of a region that is killed go with it,
//! and come back with it; what they had open stays unanswered.
//!
//! The simulator runs the same clients, with the same keys drawn from the same seed.

pub mod cluster;
mod commits;
mod course;
mod load;
mod read_back;
mod recorder;
pub mod sweep;
pub mod wan;

pub use read_back::read_back;
pub use recorder::{Recorder, Sample};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a run tells while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// Something worth a line.
    Said(&'a str),
    /// So many commands of the present run were answered, warm-up included.
    Answered(u64),
}

/// Whoever is told.
pub type Progress<'a> = &'a (dyn Fn(Told<'_>) + Sync);

/// Threads for the clients of all regions; the nodes need the cores more.
pub(crate) const CLIENT_THREADS: usize = 2;

/// A runtime for clients.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(CLIENT_THREADS).enable_all().build()
}

/// Runs something on real processes: on stderr what it says, and how many commands are answered.
pub(crate) fn watched<T>(run: impl FnOnce(Progress<'_>) -> T) -> T {
    let style = ProgressStyle::with_template("{spinner} {elapsed}  {pos} answers in this run");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
    let bar = bar.with_style(style.expect("it is a template"));
    let done = run(&|told| match told {
        Told::Said(text) => bar.suspend(|| eprintln!("{text}")),
        Told::Answered(count) => bar.set_position(count),
    });
    bar.finish_and_clear();
    done
}
