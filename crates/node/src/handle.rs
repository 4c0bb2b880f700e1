//! A running node: where it is, how it is, and its end.

use crate::inbox::Input;
use crate::limits;
use crate::route::Router;
use crate::start::StartError;
use crate::status::{Observer, Status};
use althing_model::applying;
use althing_transport::certs::Tls;
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// Where a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// By nodes and clients (UDP).
    pub listen: SocketAddr,
    /// By operators (TCP), if it serves them.
    pub admin: Option<SocketAddr>,
}

/// A node stopped on its own: one of its threads broke an invariant. After
/// [`crate::abort_on_panic`] the process ends instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node stopped because its {thread} failed: {reason}")]
pub struct NodeFailed {
    /// Which thread.
    pub thread: String,
    /// What it said.
    pub reason: String,
}

/// A running node. Dropping it shuts the node down in order, in the background.
pub struct NodeHandle {
    addresses: Addresses,
    observer: Arc<Observer>,
    runtime: Handle,
    events: Sender<Event>,
    life: watch::Receiver<Life>,
}

impl NodeHandle {
    /// Takes a running node over: a thread of its own waits for its end.
    pub(crate) fn new(running: Running) -> Result<Self, StartError> {
        let (sender, life) = watch::channel(Life::default());
        let handle = Self {
            addresses: running.addresses,
            observer: running.observer.clone(),
            runtime: running.runtime.runtime().handle().clone(),
            events: running.threads.spawner.events.clone(),
            life,
        };
        Builder::new()
            .name("althing-end".to_owned())
            .spawn(move || running.run_to_the_end(&sender))
            .map_err(StartError::Thread)?;
        Ok(handle)
    }

    /// Where it is reached.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// How it is.
    ///
    /// # Errors
    /// When it failed: nothing of it runs that could be asked.
    pub async fn status(&self) -> Result<Status, NodeFailed> {
        if let Some(failed) = self.life.borrow().failed.clone() {
            return Err(failed);
        }
        let observer = self.observer.clone();
        let gathered = self.runtime.spawn(async move { observer.status().await });
        match gathered.await {
            Ok(status) => Ok(status),
            // The runtime ends before this handle only when the node fails meanwhile.
            Err(_) => Err(self.failed().await),
        }
    }

    /// Takes over new certificates from the files that the configuration names; connections that
    /// exist keep the old ones.
    ///
    /// # Errors
    /// When they are not in order; the old ones stay.
    pub fn reload_certificates(&self) -> Result<(), althing_transport::Error> {
        let tls: &Tls = &self.observer.config.tls;
        self.observer.router.reload(tls)
    }

    /// Shuts the node down: takes nothing more, makes durable and sends what is on the way, closes
    /// the journal and the connections.
    ///
    /// # Errors
    /// When it had failed.
    pub async fn shutdown(mut self) -> Result<(), NodeFailed> {
        self.stop();
        // An error means that it is over, and nobody is left to say so again.
        let _ = self.life.wait_for(|life| life.is_over).await;
        let failed = self.life.borrow().failed.clone();
        failed.map_or(Ok(()), Err)
    }

    /// Waits until the node fails, for ever if it does not; also when it is shut down.
    pub async fn failed(&self) -> NodeFailed {
        let mut life = self.life.clone();
        let failed = match life.wait_for(|life| life.failed.is_some()).await {
            Ok(life) => life.failed.clone(),
            Err(_) => None,
        };
        match failed {
            Some(failed) => failed,
            None => std::future::pending().await,
        }
    }

    fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.events.send(Event::Stop);
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHandle").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// How far a node's life is.
#[derive(Debug, Clone, Default)]
struct Life {
    failed: Option<NodeFailed>,
    is_over: bool,
}

/// Why a node ends.
pub(crate) enum Event {
    /// It is told to.
    Stop,
    /// One of its threads ended.
    Ended { thread: &'static str, panic: Option<String> },
}

/// The threads of a node.
pub(crate) struct Threads {
    pub(crate) spawner: Spawner,
    ended: Receiver<Event>,
}

/// Starts threads of a node, from any of them.
#[derive(Clone)]
pub(crate) struct Spawner {
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    events: Sender<Event>,
}

impl Threads {
    pub(crate) fn new() -> Self {
        let (events, ended) = unbounded();
        Self { spawner: Spawner { threads: Arc::default(), events }, ended }
    }
}

impl Spawner {
    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread, whose end will be noticed.
    pub(crate) fn spawn(
        &self,
        thread: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        let events = self.events.clone();
        let run = move || {
            let ended = catch_unwind(AssertUnwindSafe(run));
            let panic = ended.err().map(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                let text = text.unwrap_or("it panicked");
                applying::blame().map_or(text.to_owned(), |blame| format!("{text}; {blame}"))
            });
            // An error means that nobody waits for it any more.
            let _ = events.send(Event::Ended { thread, panic });
        };
        let thread = Builder::new()
            .name(format!("althing-{thread}"))
            .spawn(run)
            .map_err(StartError::Thread)?;
        self.threads().push(thread);
        Ok(())
    }
}

/// The node's asynchronous runtime. It may be dropped anywhere: tokio's own panics when it is
/// dropped on a thread of another one.
pub(crate) struct Io(Option<Runtime>);

impl Io {
    pub(crate) fn start() -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits::IO_THREADS)
            .thread_name("althing-io")
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        Ok(Self(Some(runtime)))
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("taken only when this is dropped")
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Everything of a running node that has to end.
pub(crate) struct Running {
    pub(crate) threads: Threads,
    pub(crate) router: Arc<Router>,
    pub(crate) is_closing: Arc<AtomicBool>,
    pub(crate) runtime: Io,
    pub(crate) observer: Arc<Observer>,
    pub(crate) addresses: Addresses,
}

impl Running {
    fn run_to_the_end(self, life: &watch::Sender<Life>) {
        let Threads { spawner, ended } = self.threads;
        match ended.recv() {
            Ok(Event::Ended { thread, panic }) => {
                let failed = NodeFailed {
                    thread: thread.to_owned(),
                    reason: panic.unwrap_or_else(|| "it ended".to_owned()),
                };
                tracing::error!("{failed}");
                life.send_modify(|life| life.failed = Some(failed));
            }
            // An error cannot be: every thread holds the sending end.
            Ok(Event::Stop) | Err(_) => tracing::info!("shutting down"),
        }
        // Nothing comes in any more; each role ends with what it has taken, and the journal, after
        // the last of them, with what they appended.
        self.is_closing.store(true, Relaxed);
        for inbox in self.router.inboxes() {
            inbox.put(Input::Stop);
        }
        // The registry's thread may start others before it ends.
        loop {
            let Some(thread) = spawner.threads().pop() else {
                break;
            };
            // A panic was caught, and told, inside.
            let _ = thread.join();
        }
        // What the journal released last is still on its way through the endpoint.
        if let Some(endpoint) = self.router.take_endpoint() {
            self.runtime.runtime().block_on(endpoint.close());
        }
        drop(self.runtime);
        life.send_modify(|life| life.is_over = true);
        tracing::info!("the node has ended");
    }
}
