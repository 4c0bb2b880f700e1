//! The loop that drives a role: takes what waits in its inbox, lets the role handle it, and carries
//! out what the role wants done.

use crate::clock::Clock;
use crate::inbox::{Inbox, Input};
use crate::journal_loop::JournalSender;
use crate::limits;
use crate::metrics::LoopMetrics;
use crate::route::Outbox;
use crate::snapshots::Done;
use althing_model::{Micros, NodeId};
use althing_proposer::Link;
use althing_wire::{Address, ClientId, Effects, Ignored, Message, NodeRecord};
use crossbeam::channel::RecvTimeoutError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A role, as its loop sees it. What a role has no use for is left at doing nothing.
pub(crate) trait Driven: Send + 'static {
    /// What it writes to the journal.
    type Record: Into<NodeRecord>;

    /// Its name in thread names and metrics.
    const NAME: &'static str;

    /// Called once, before anything else.
    fn start(&mut self, _now: Micros, _effects: &mut Effects<Self::Record>) {}

    /// Handles a message.
    fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<Self::Record>,
    ) -> Result<(), Ignored>;

    /// Learns of a link.
    fn on_link(&mut self, _now: Micros, _node: NodeId, _link: Link) {}

    /// A client is gone.
    fn on_client_gone(&mut self, _client: ClientId) {}

    /// Tells the state machine's digest.
    fn on_digest(&self, _answer: oneshot::Sender<u64>) {}

    /// The snapshots' thread did something for it.
    fn on_done(&mut self, _now: Micros, done: Done, _effects: &mut Effects<Self::Record>) {
        unreachable!("{done:?} is for the replica");
    }

    /// When [`Self::on_deadline`] has something to do.
    fn deadline(&self) -> Option<Micros> {
        None
    }

    /// Does what is due.
    fn on_deadline(&mut self, _now: Micros, _effects: &mut Effects<Self::Record>) {}

    /// What was at hand is handled.
    fn finish(&mut self, _now: Micros, _effects: &mut Effects<Self::Record>) {}

    /// Publishes its status and its metrics.
    fn publish(&mut self, now: Micros);
}

/// A role's thread.
pub(crate) struct RoleLoop<R: Driven> {
    pub(crate) role: R,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) outbox: Outbox,
    pub(crate) journal: JournalSender,
    pub(crate) clock: Clock,
}

impl<R: Driven> RoleLoop<R> {
    /// Runs until the inbox holds [`Input::Stop`].
    pub(crate) fn run(mut self) {
        let metrics = LoopMetrics::new(R::NAME);
        let mut effects = Effects::default();
        let publish_every = limits::PUBLISH_EVERY.as_micros() as Micros;
        let mut publish_at = 0;
        let mut is_ending = false;
        self.role.start(self.clock.now(), &mut effects);
        self.journal.carry_out(&mut effects, &mut self.outbox);
        while !is_ending {
            let first = self.wait(publish_at);
            let now = self.clock.now();
            let mut bytes = 0;
            let inbox = self.inbox.clone();
            let rest = inbox.receiver().try_iter().take(limits::DRAIN_LEN - 1);
            for input in first.into_iter().chain(rest) {
                match input {
                    Input::Stop => is_ending = true,
                    Input::Message { from, message, bytes: len } => {
                        inbox.took(len);
                        bytes += len;
                        if let Err(reason) = self.role.handle(now, from, message, &mut effects) {
                            metrics.ignored(reason);
                        }
                    }
                    Input::Link(node, link) => self.role.on_link(now, node, link),
                    Input::ClientGone(client) => self.role.on_client_gone(client),
                    Input::Digest(answer) => self.role.on_digest(answer),
                    Input::Done(done) => self.role.on_done(now, done, &mut effects),
                    Input::Task(task) => unreachable!("{task:?} is for the snapshots' thread"),
                }
                if is_ending || bytes >= limits::DRAIN_BYTES {
                    break;
                }
            }
            if self.role.deadline().is_some_and(|at| at <= now) {
                self.role.on_deadline(now, &mut effects);
            }
            self.role.finish(now, &mut effects);
            self.journal.carry_out(&mut effects, &mut self.outbox);
            if publish_at <= now || is_ending {
                metrics.inbox_len.set(inbox.len() as f64);
                self.role.publish(now);
                publish_at = now + publish_every;
            }
        }
    }

    /// The next input; none when something is due before one comes.
    fn wait(&self, publish_at: Micros) -> Option<Input> {
        let deadline = self.role.deadline().unwrap_or(publish_at);
        let receiver = self.inbox.receiver();
        let wait = self.clock.until(deadline.min(publish_at));
        if wait == Duration::ZERO {
            return receiver.try_recv().ok();
        }
        match receiver.recv_timeout(wait) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                unreachable!("the inbox holds the sender as well")
            }
        }
    }
}
