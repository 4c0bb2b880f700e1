//! What clients submit, and what they hear.

use super::super::clients::Operation;
use super::super::node::{Outcome, ProtocolNode, Request, RequestNumber};
use super::{Event, PROGRESS_EVERY, World};
use crate::Load;
use rand_distr::{Distribution, Exp};

impl<P: ProtocolNode> World<'_, P> {
    pub(super) fn connect(&mut self, number: u32, life: u8) {
        let client = &self.clients[number as usize];
        let region = client.region;
        let from = RequestNumber { client: number, sequence: client.operations.len() as u32 };
        if self.places[region].is_up && self.places[region].life == life {
            self.with_node(region, |node, now, out| node.on_connect(now, from, out));
        }
    }

    pub(super) fn schedule_arrival(&mut self, region: usize) {
        let Load::Open { rate, .. } = self.workload.load else { return };
        let gap = Exp::new(rate / 1e6).expect("checked with the workload");
        let at = self.now + gap.sample(&mut self.arrivals).ceil().min(1e12) as u64;
        if at < self.ends_at {
            self.queue.push(at, Event::Arrive { region: region as u8 });
        }
    }

    pub(super) fn arrive(&mut self, region: usize) {
        self.schedule_arrival(region);
        let clients = self.workload.clients;
        let client = (region * clients + self.turn[region]) as u32;
        self.turn[region] = (self.turn[region] + 1) % clients;
        if self.places[region].is_up && self.clients[client as usize].is_connected {
            let request = self.submit(client);
            self.with_node(region, |node, now, out| node.on_submit(now, request, out));
        }
    }

    /// What a client does when it has nothing open.
    pub(super) fn next_of(&mut self, client: u32) -> Option<Request> {
        let is_open = matches!(self.workload.load, Load::Open { .. });
        let counted = self.clients[client as usize].counted;
        let goes_on = !is_open && counted < self.commands_max && self.now < self.ends_at;
        goes_on.then(|| self.submit(client))
    }

    fn submit(&mut self, number: u32) -> Request {
        let operation = self.operations.len() as u32;
        let client = &mut self.clients[number as usize];
        let access = self.keys.draw(number, &mut client.rng);
        let sequence = client.begin(operation);
        let acknowledged_below = client.acknowledged_below();
        let is_measured = self.now >= self.warm_up;
        let submitted = self.now;
        let begun = Operation { client: number, submitted, is_measured, is_ended: false };
        self.operations.push(begun);
        self.first_submitted.get_or_insert(submitted);
        if let Some(recorder) = &mut self.recorder {
            recorder.invoked(number, submitted, access);
        }
        let payload = self.keys.command(access, u64::from(operation)).encode();
        let id = RequestNumber { client: number, sequence };
        Request { id, acknowledged_below, key: access.key, is_read: access.is_read, payload }
    }

    /// A client is answered; what it does next.
    pub(super) fn answered(&mut self, request: RequestNumber, outcome: Outcome) -> Option<Request> {
        let client = &mut self.clients[request.client as usize];
        let number = client.operations[request.sequence as usize];
        let operation = &mut self.operations[number as usize];
        if operation.is_ended || request.sequence < client.acknowledged_below() {
            // Answered twice, or nobody's any more.
            return None;
        }
        operation.is_ended = true;
        let operation = *operation;
        client.end(request.sequence);
        client.counted += u64::from(operation.is_measured);
        let figures = &mut self.figures[client.region];
        match outcome {
            Outcome::Executed(reply) => {
                let took = self.now - operation.submitted;
                figures.answered(self.now, took, operation.is_measured);
                if let Some(recorder) = &mut self.recorder {
                    recorder.returned(number, self.now, reply);
                }
            }
            Outcome::Refused => {
                figures.unanswered += u64::from(operation.is_measured);
                if let Some(recorder) = &mut self.recorder {
                    recorder.failed(number);
                }
            }
        }
        self.last_answered = self.now;
        self.ended += 1;
        if self.ended.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.share_done());
        }
        self.next_of(request.client)
    }
}
