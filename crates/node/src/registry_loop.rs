//! The registry's thread: answers other nodes that ask who they are known as, and, on a node whose
//! journal is new, asks them, until it is known whether the node may vote.

use crate::clock::Clock;
use crate::inbox::{Inbox, Input};
use crate::journal_loop::die;
use crate::limits;
use crate::metrics::RegistryMetrics;
use crate::registry_file::RegistryFile;
use crate::route::Outbox;
use crate::status::{Published, RegistryStatus};
use althing_journal::Disk;
use althing_model::NodeId;
use althing_roles::{Registry, RegistryEffect};
use althing_wire::{Address, Standing};
use crossbeam::channel::RecvTimeoutError;
use std::sync::Arc;

/// The node lost its journal.
pub(crate) struct Lost {
    /// Who says so.
    pub(crate) known_to: Option<NodeId>,
}

/// What is called, once, when it is known whether the node may vote: with nothing if it may.
pub(crate) type OnVerdict = Box<dyn FnOnce(Option<Lost>) + Send>;

/// The thread.
pub(crate) struct RegistryLoop<D: Disk> {
    registry: Registry,
    file: RegistryFile<D>,
    inbox: Arc<Inbox>,
    outbox: Outbox,
    clock: Clock,
    on_verdict: Option<OnVerdict>,
    effects: Vec<RegistryEffect>,
    metrics: RegistryMetrics,
    published: Arc<Published>,
}

impl<D: Disk> RegistryLoop<D> {
    /// `on_verdict` is called when the registry stops asking; none where it is known already.
    pub(crate) fn new(
        (registry, file): (Registry, RegistryFile<D>),
        inbox: Arc<Inbox>,
        outbox: Outbox,
        clock: Clock,
        on_verdict: Option<OnVerdict>,
        published: Arc<Published>,
    ) -> Self {
        let (effects, metrics) = (Vec::new(), RegistryMetrics::new());
        let mut new =
            Self { registry, file, inbox, outbox, clock, on_verdict, effects, metrics, published };
        new.registry.start(new.clock.now(), &mut new.effects);
        new.carry_out();
        new
    }

    /// Runs until the inbox holds [`Input::Stop`].
    pub(crate) fn run(mut self) {
        loop {
            let at = self.registry.deadline().unwrap_or(u64::MAX);
            let wait = self.clock.until(at).min(limits::REGISTRY_WAIT_MAX);
            match self.inbox.receiver().recv_timeout(wait) {
                Ok(Input::Stop) => return,
                Ok(Input::Message { from: Address::Node(from), message, bytes }) => {
                    self.inbox.took(bytes);
                    // Why it did nothing is of no interest to anybody: an answer came late.
                    let _ = self.registry.handle(from, message, &mut self.effects);
                }
                Ok(other) => unreachable!("{other:?} is not for the registry"),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the inbox holds the sender as well")
                }
            }
            self.registry.on_deadline(self.clock.now(), &mut self.effects);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                // Nothing of what follows may be said before.
                RegistryEffect::Save(state) => {
                    if let Err(error) = self.file.save(&state) {
                        die(&error);
                    }
                }
                RegistryEffect::Send { to, message } => self.outbox.send(to.into(), message),
            }
        }
        let standing = self.registry.standing();
        if standing != Standing::Asking
            && let Some(on_verdict) = self.on_verdict.take()
        {
            // Before it is told, so that whoever reads it finds the roles.
            let known_to = self.registry.contradicted_by();
            on_verdict((standing == Standing::Lost).then_some(Lost { known_to }));
        }
        let status = self.status();
        self.metrics.publish(&status);
        self.published.set_registry(status);
    }

    fn status(&self) -> RegistryStatus {
        let (answered, needed) = self.registry.answers();
        RegistryStatus {
            standing: name(self.registry.standing()).to_owned(),
            incarnation: format!("{:016x}", self.registry.incarnation()),
            answered,
            needed,
            contradicted_by: self.registry.contradicted_by().map(|node| node.0),
            lost: self.registry.lost().iter().map(|node| node.0).collect(),
        }
    }
}

fn name(standing: Standing) -> &'static str {
    match standing {
        Standing::Asking => "asking",
        Standing::Admitted => "admitted",
        Standing::Lost => "lost",
    }
}
