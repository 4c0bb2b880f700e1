//! Keeps one node connected: dials it, tells the driver what it says, dials it again.

use althing_model::NodeId;
use althing_transport::{ClientConnection, Dialer, Error, Settings};
use althing_wire::{Answer, Kind, Message, ReadAnswer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// What a node's connection has to tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is there.
    Up(NodeId, Arc<ClientConnection>),
    /// The node answered.
    Answered(NodeId, Answer),
    /// The node answered a read.
    ReadAnswered(NodeId, ReadAnswer),
    /// The node told a watcher something.
    Watched(NodeId, Message),
    /// It broke.
    Down(NodeId),
    /// There is none, for now: why. `is_final`: trying again soon would not help.
    Failed { node: NodeId, reason: String, is_final: bool },
}

/// One node, and how to reach it.
pub(crate) struct Link {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) node: NodeId,
    pub(crate) address: String,
    pub(crate) settings: Settings,
    pub(crate) events: mpsc::Sender<Event>,
}

/// The driver has ended, and the client with it.
struct DriverGone;

impl Link {
    /// Runs until the driver has ended.
    pub(crate) async fn run(self) {
        // Nothing else ends it.
        let Err(DriverGone) = self.keep_connected().await;
    }

    async fn keep_connected(&self) -> Result<std::convert::Infallible, DriverGone> {
        let mut wait = self.settings.redial_min;
        loop {
            match self.dialer.connect(&self.address, Some(self.node)).await {
                Ok(connection) => {
                    wait = self.settings.redial_min;
                    self.serve(Arc::new(connection)).await?;
                }
                Err(error) => {
                    tracing::debug!(node = self.node.0, "no connection: {error}");
                    let is_final = !matches!(error, Error::Connect { .. });
                    let (node, reason) = (self.node, error.to_string());
                    self.tell(Event::Failed { node, reason, is_final }).await?;
                }
            }
            // Between half and the whole wait, so that clients that lost a node together do not
            // come back together.
            let pause = wait.mul_f64(rand::random_range(0.5..1.0));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.events.closed() => return Err(DriverGone),
            }
            wait = (wait * 2).min(self.settings.redial_max.max(Duration::from_millis(1)));
        }
    }

    /// Hears what the node says until the connection breaks.
    async fn serve(&self, connection: Arc<ClientConnection>) -> Result<(), DriverGone> {
        self.tell(Event::Up(self.node, connection.clone())).await?;
        loop {
            let received = tokio::select! {
                received = connection.recv() => received,
                () = self.events.closed() => return Err(DriverGone),
            };
            let Some((kind, body)) = received else { break };
            let message = Kind::from_number(kind).map(|kind| Message::decode(kind, body));
            match message {
                Some(Ok(Message::Answer(answer))) => {
                    self.tell(Event::Answered(self.node, answer)).await?;
                }
                Some(Ok(Message::ReadAnswer(answer))) => {
                    self.tell(Event::ReadAnswered(self.node, answer)).await?;
                }
                Some(Ok(message @ (Message::Watched(_) | Message::WatchEnded(_)))) => {
                    self.tell(Event::Watched(self.node, message)).await?;
                }
                other => {
                    // A node of the cluster, so a bug or another version: it is not trusted on.
                    tracing::warn!(node = self.node.0, kind, "not an answer: {other:?}");
                    break;
                }
            }
        }
        self.tell(Event::Down(self.node)).await
    }

    async fn tell(&self, event: Event) -> Result<(), DriverGone> {
        self.events.send(event).await.map_err(|_| DriverGone)
    }
}
