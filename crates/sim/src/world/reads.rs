//! Reads that no command carries: what clients ask, what replicas show, what clients hear.

use super::World;
use crate::event::Event;
use crate::node::Arrived;
use crate::plan::pick;
use crate::trace::MessageName;
use althing_checker::{OperationId as Observed, Violation};
use althing_client::{Consistency, Failure, Outcome};
use althing_model::NodeId;
use althing_wire::{Address, ClientId, Read, ReadAnswer, ReadOutcome};
use bytes::Bytes;
use rand::RngExt;

impl World<'_> {
    /// The client's connection: its number, and how many had that before it.
    pub(super) fn client_id(&self, client: usize) -> ClientId {
        ClientId(self.clients[client].generation << 32 | client as u64)
    }

    /// Whether the next operation of a client is a read, and of what.
    pub(super) fn draw_read(&self, client: usize, number: u64) -> Option<(Bytes, Consistency)> {
        let workload = &self.plan.workload;
        let mut rng = self.draw(("read", number));
        if rng.random_range(0..100) >= workload.reads_percent {
            return None;
        }
        use Consistency::{Linearizable, Session, Stale};
        let consistency = *pick(&mut rng, &[Linearizable, Linearizable, Session, Stale]);
        Some((self.app.read(workload, client, number, &mut rng)?, consistency))
    }

    pub(super) fn ask_to_read(&mut self, client: usize, node: NodeId, read: Read) {
        let id = self.client_id(client);
        if let Ok(footprint) = self.conflicts.footprint(&read.payload) {
            self.observer.reads.asked(id, &read, footprint);
        }
        let at = self.now + self.client_delay(client, node);
        let life = Some(self.nodes[&node].life);
        let (from, message) = (Address::Client(id), read.into());
        let arrived = Arrived { life, from, name: MessageName::LOCAL, message };
        self.queue.push(at, Event::Deliver { to: node, arrived });
    }

    /// A replica answers a read: what it shows is what is executed there now.
    pub(super) fn send_read_answer(
        &mut self,
        from: NodeId,
        to: ClientId,
        answer: ReadAnswer,
    ) -> Result<(), Violation> {
        let local = self.nodes[&from].local(self.now);
        let shown = match &answer.outcome {
            ReadOutcome::Done { lag, .. } => {
                self.observer.shown((from, local), (to, answer.ticket), *lag)?
            }
            _ => None,
        };
        let (client, generation) = (to.0 as u32 as usize, to.0 >> 32);
        let at = self.now + self.client_delay(client, from);
        let (answer, shown) = (answer.into(), shown.map(Box::new));
        self.queue.push(at, Event::Answer { client, generation, from, answer, shown });
        Ok(())
    }

    /// A read ended, and no command carried it.
    pub(super) fn read_ended(
        &mut self,
        client: usize,
        observed: Observed,
        consistency: Consistency,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        let id = self.client_id(client);
        match outcome {
            Outcome::Done(reply) => {
                self.operations_done += 1;
                let shown = self.clients[client].shown.take();
                let shown = shown.expect("an answer brings what it shows");
                self.observer.reads.heard(id, &shown);
                match consistency {
                    Consistency::Linearizable => {
                        self.observer.read_done(observed, self.now, reply, *shown)?;
                    }
                    // It may show less than others have been answered, so it has no place among them.
                    Consistency::Session | Consistency::Stale => {
                        self.observer.read_aside(observed)?;
                    }
                }
            }
            Outcome::Failed(Failure::TokenUnknown) if self.plan.is_survivable => {
                let account = "a client was told that nobody knows what it was answered".to_owned();
                return Err(Violation::new("SessionReads", account));
            }
            Outcome::Failed(failure) => {
                self.observer.failed(observed)?;
                if !matches!(failure, Failure::Invalid(_) | Failure::Overloaded) {
                    self.check_answered(observed)?;
                }
            }
            Outcome::Unknown => unreachable!("a read changes nothing, whatever becomes of it"),
        }
        self.begin_episodes();
        Ok(())
    }
}
