//! Starting a relay, and the handle that changes and ends it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};

use crate::config::{Config, Direction, check_delay, check_loss};
use crate::engine::Engine;
use crate::error::RelayError;
use crate::path::PathControls;
use crate::precedence;
use crate::socket;
use crate::stats::{LatenessSum, Meter, RelayStats};

/// The emulator; [`Relay::start`] starts one on a thread of its own.
#[derive(Debug)]
pub struct Relay;

/// A link of one relay: its place in [`Config::links`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub usize);

/// A running relay. Dropping the handle stops it; datagrams in flight are lost.
#[derive(Debug)]
pub struct RelayHandle {
    links: Vec<Arc<SharedLink>>,
    /// Outlives the thread that watches it: dropping joins first.
    stop: OwnedFd,
    real_time: bool,
    thread: Option<JoinHandle<Result<(), RelayError>>>,
}

/// What the handle and the thread both know of a link.
#[derive(Debug)]
pub(crate) struct SharedLink {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) listen: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) controls: [PathControls; 2],
    meter: Mutex<Meter>,
}

impl SharedLink {
    /// The link's counts. Held for a few instructions, here and by whoever reads them.
    pub(crate) fn meter(&self) -> MutexGuard<'_, Meter> {
        // Counts are valid after every instruction that could panic.
        self.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Opens the links' sockets and starts the thread. When it returns, datagrams are relayed.
    ///
    /// # Errors
    /// If the configuration can't be meant, an address can't be listened on, or the system refuses
    /// a descriptor or a thread.
    pub fn start(config: Config) -> Result<RelayHandle, RelayError> {
        config.check()?;
        let mut links = Vec::with_capacity(config.links.len());
        let mut sockets = Vec::with_capacity(config.links.len());
        for spec in &config.links {
            let opened = socket::open(spec.listen).and_then(|socket| {
                let listen = socket.local_addr()?;
                Ok((socket, listen))
            });
            let (socket, listen) = opened.map_err(|source| RelayError::Listen {
                link: format!("{} to {}", spec.from, spec.to),
                listen: spec.listen,
                source,
            })?;
            sockets.push(socket);
            links.push(Arc::new(SharedLink {
                from: spec.from.clone(),
                to: spec.to.clone(),
                listen,
                target: spec.target,
                controls: [&spec.there, &spec.back].map(PathControls::new),
                meter: Mutex::new(Meter::new()),
            }));
        }
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(RelayError::system("create an event descriptor"))?;
        let engine = Engine::new(&config, sockets, &links, &stop)?;
        let (started, has_started) = sync_channel(1);
        let thread = Builder::new()
            .name("wan-relay".to_owned())
            .spawn(move || {
                // Received before the handle is given out, so it can't fail.
                let _ = started.send(config.real_time && precedence::take());
                engine.run()
            })
            .map_err(|source| RelayError::System { what: "start a thread", source })?;
        let real_time = has_started.recv().unwrap_or(false);
        Ok(RelayHandle { links, stop, real_time, thread: Some(thread) })
    }
}

/// Changes take effect on datagrams that arrive afterwards. A cut also takes those in flight, if it
/// lasts until they are due.
///
/// Methods that take a [`LinkId`] panic if this relay has no such link.
impl RelayHandle {
    /// All links, in the order of the configuration.
    pub fn links(&self) -> impl Iterator<Item = LinkId> + use<> {
        (0..self.links.len()).map(LinkId)
    }

    /// The first link with these labels.
    pub fn find(&self, from: &str, to: &str) -> Option<LinkId> {
        self.links.iter().position(|link| link.from == from && link.to == to).map(LinkId)
    }

    /// Where clients of the link send to, with the actual port.
    pub fn address(&self, link: LinkId) -> SocketAddr {
        self.links[link.0].listen
    }

    /// Sets the one-way delays, in microseconds.
    ///
    /// # Errors
    /// [`RelayError::Delay`].
    pub fn set_delay(&self, link: LinkId, there_us: u64, back_us: u64) -> Result<(), RelayError> {
        self.set_each(link, [check_delay(there_us)?, check_delay(back_us)?], |controls, us| {
            controls.set_delay_us(us);
        });
        Ok(())
    }

    /// Sets how much longer than its delay a datagram takes at most, in microseconds.
    ///
    /// # Errors
    /// [`RelayError::Delay`].
    pub fn set_jitter(&self, link: LinkId, there_us: u64, back_us: u64) -> Result<(), RelayError> {
        self.set_each(link, [check_delay(there_us)?, check_delay(back_us)?], |controls, us| {
            controls.set_jitter_us(us);
        });
        Ok(())
    }

    /// Sets the probabilities of loss, from 0 to 1.
    ///
    /// # Errors
    /// [`RelayError::Loss`].
    pub fn set_loss(&self, link: LinkId, there: f64, back: f64) -> Result<(), RelayError> {
        self.set_each(link, [check_loss(there)?, check_loss(back)?], |controls, loss| {
            controls.set_loss(loss);
        });
        Ok(())
    }

    /// Cuts the link in both directions.
    pub fn cut(&self, link: LinkId) {
        self.set_each(link, [true; 2], PathControls::set_cut);
    }

    /// Cuts one direction of the link, and leaves the other as it is.
    pub fn cut_direction(&self, link: LinkId, direction: Direction) {
        self.links[link.0].controls[direction.index()].set_cut(true);
    }

    /// Ends the link's cuts. Delay, jitter and loss stay as they are.
    pub fn heal(&self, link: LinkId) {
        self.set_each(link, [false; 2], PathControls::set_cut);
    }

    /// Ends the cuts of all links.
    pub fn heal_all(&self) {
        self.links().for_each(|link| self.heal(link));
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> RelayStats {
        let mut sum = LatenessSum::new();
        let mut links = Vec::with_capacity(self.links.len());
        for link in &self.links {
            let meter = link.meter();
            meter.add_to(&mut sum);
            links.push(meter.stats(&link.from, &link.to));
        }
        RelayStats { links, delay_error: sum.delay_error(), real_time: self.real_time }
    }

    /// Starts counting anew, for the next phase of a measurement.
    pub fn clear_stats(&self) {
        self.links.iter().for_each(|link| link.meter().clear());
    }

    /// Stops the relay and says whether its thread ran until now. Dropping the handle stops it too.
    ///
    /// # Errors
    /// What ended the thread before it was told to.
    pub fn stop(mut self) -> Result<(), RelayError> {
        match self.join() {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(result)) => result,
            None => Ok(()),
        }
    }

    /// Tells the thread to end and waits for it. None if that has been done.
    fn join(&mut self) -> Option<thread::Result<Result<(), RelayError>>> {
        let thread = self.thread.take()?;
        // Fails only when the counter is full, and then the thread is woken as well.
        let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
        Some(thread.join())
    }

    fn set_each<T>(&self, link: LinkId, values: [T; 2], set: impl Fn(&PathControls, T)) {
        for (controls, value) in self.links[link.0].controls.iter().zip(values) {
            set(controls, value);
        }
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        // Nobody is left to tell; a panic of the thread has been printed by its hook.
        let _ = self.join();
    }
}
