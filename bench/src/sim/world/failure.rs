//! A node that stops and starts, and who notices.

use super::super::node::ProtocolNode;
use super::{Event, World};
use althing_model::Micros;
use althing_proposer::Link;

impl<P: ProtocolNode> World<'_, P> {
    /// A node stops; the others notice when they have heard nothing of it for long.
    pub(super) fn crash(&mut self, node: usize) {
        let place = &mut self.places[node];
        place.node.crash();
        place.is_up = false;
        place.life += 1;
        place.wake_at = Micros::MAX;
        place.executed = 0;
        if let Some(recorder) = &mut self.recorder {
            recorder.forgotten(node);
        }
        for client in self.clients.iter_mut().filter(|client| client.region == node) {
            self.abandoned += client.disconnect();
        }
        for other in (0..self.places.len()).filter(|other| *other != node) {
            let at = self.now + self.distances[node][other] + self.settings.down_after;
            let (node, of) = (other as u8, node as u8);
            self.queue.push(at, Event::Notice { node, of, is_up: false });
        }
    }

    /// A node starts from what it had on disk; its clients come back.
    pub(super) fn restart(&mut self, node: usize) {
        self.places[node].is_up = true;
        self.with_node(node, |node, now, out| node.start(now, out));
        for other in (0..self.places.len()).filter(|other| *other != node) {
            let connected = self.now + self.distances[node][other] + self.distances[other][node];
            let (a, b) = (node as u8, other as u8);
            self.queue.push(connected, Event::Notice { node: a, of: b, is_up: true });
            self.queue.push(connected, Event::Notice { node: b, of: a, is_up: true });
        }
        let life = self.places[node].life;
        for client in 0..self.clients.len() {
            if self.clients[client].region == node {
                self.clients[client].is_gone = false;
                self.queue.push(self.now, Event::Connect { client: client as u32, life });
            }
        }
    }

    /// What the failure detector of `node` says of another.
    pub(super) fn link(&self, node: usize, other: usize, is_up: bool) -> Link {
        let round_trip = self.distances[node][other] + self.distances[other][node];
        Link { round_trip: Some(round_trip), is_up }
    }
}
