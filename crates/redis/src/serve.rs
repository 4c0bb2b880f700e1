//! The loop of one connection: bytes in, rounds, bytes out.

use crate::backend::{Backend, Failed};
use crate::connection::Connection;
use crate::gateway::Admitted;
use crate::limits;
use crate::metrics::Closed;
use crate::request::RequestParser;
use crate::round::{Round, Rounds};
use althing_kv::redis::{RedisBatch, RedisOutcome};
use bytes::{Buf, BytesMut};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Whether the gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    No,
    /// What was asked is answered, and nothing more.
    Soon,
}

/// Serves a connection to its end.
pub(crate) async fn connection<B: Backend>(
    admitted: Admitted<B>,
    stream: TcpStream,
    ending: watch::Receiver<Ending>,
) {
    let id = admitted.record.lock().expect("nobody panics with it").id;
    // Without these it is slower, no more.
    let _ = stream.set_nodelay(true);
    let keep_alive = socket2::TcpKeepalive::new().with_time(limits::KEEP_ALIVE);
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
    let connection = Connection::new(admitted.record.clone(), &admitted.shared.settings);
    let mut served = Served {
        admitted,
        stream,
        connection,
        parser: RequestParser::default(),
        rounds: Rounds::default(),
        out: BytesMut::new(),
        has_ended: false,
        since: Instant::now(),
        moved: Instant::now(),
    };
    match served.run(ending).await {
        Ok(None) => tracing::debug!(id, "a connection ended"),
        Ok(Some(why)) => {
            served.admitted.shared.metrics.closed(why);
            tracing::info!(id, "a connection was closed: {}", why.name());
        }
        Err(error) => tracing::debug!(id, "a connection broke: {error}"),
    }
}

struct Served<B: Backend> {
    admitted: Admitted<B>,
    stream: TcpStream,
    connection: Connection,
    parser: RequestParser,
    rounds: Rounds,
    /// Answers that the client has not taken.
    out: BytesMut,
    /// Whether the client says nothing more.
    has_ended: bool,
    since: Instant,
    /// When bytes moved last, in either direction.
    moved: Instant,
}

impl<B: Backend> Served<B> {
    /// Until the connection ends, or is to be closed for a reason.
    async fn run(&mut self, mut ending: watch::Receiver<Ending>) -> io::Result<Option<Closed>> {
        loop {
            // A client that never stops asking is not all that there is.
            tokio::task::consume_budget().await;
            self.read()?;
            let is_answering = self.out.len() < limits::OUTPUT_LEN_MAX;
            let shared = self.admitted.shared.clone();
            let round = match is_answering {
                true => self.rounds.next_round(&mut self.connection, &mut self.parser, &*shared),
                false => None,
            };
            if let Some(round) = round {
                self.answer(round).await?;
                self.write()?;
                continue;
            }
            if self.admitted.set_buffered(self.parser.held_len() + self.out.len()) {
                return Ok(Some(Closed::Buffers));
            }
            let is_done = is_answering && (self.rounds.is_ended() || self.has_ended);
            let is_ending = *ending.borrow() == Ending::Soon;
            if self.out.is_empty() && (is_done || is_ending) {
                return Ok(is_ending.then_some(Closed::Ending));
            }
            let deadline = self.deadline();
            let may_read = !is_done && !is_ending && self.may_read(is_answering);
            tokio::select! {
                readable = self.stream.readable(), if may_read => readable?,
                writable = self.stream.writable(), if !self.out.is_empty() => {
                    writable?;
                    self.write()?;
                }
                _ = ending.changed(), if !is_ending => {}
                () = sleep_until(deadline.0) => return Ok(Some(deadline.1)),
            }
        }
    }

    /// Whether more is to be read: not while requests wait that are there already.
    fn may_read(&self, is_answering: bool) -> bool {
        let has_room = self.parser.waiting_len() < limits::READ_AHEAD_LEN;
        !self.has_ended && (is_answering || has_room)
    }

    /// When it is closed if nothing moves, and why.
    fn deadline(&self) -> (Instant, Closed) {
        // As good as never.
        const FAR: Duration = Duration::from_secs(86_400 * 365);
        let idle_timeout = self.admitted.shared.settings.idle_timeout;
        match () {
            () if !self.out.is_empty() => (self.moved + limits::STALLED_TIMEOUT, Closed::Stalled),
            () if self.connection.is_stranger() => {
                (self.since + limits::STRANGER_TIMEOUT, Closed::Idle)
            }
            () => (self.moved + idle_timeout.unwrap_or(FAR), Closed::Idle),
        }
    }

    /// Takes in what has arrived, without waiting.
    fn read(&mut self) -> io::Result<()> {
        while !self.has_ended && self.parser.waiting_len() < limits::READ_AHEAD_LEN {
            let buffer = self.parser.buffer_mut();
            if buffer.is_empty() && buffer.capacity() > limits::BUFFER_KEPT_LEN {
                *buffer = BytesMut::new();
            }
            buffer.reserve(limits::READ_LEN);
            match self.stream.try_read_buf(buffer) {
                Ok(0) => self.has_ended = true,
                Ok(len) => {
                    self.moved = Instant::now();
                    self.admitted.shared.metrics.received.add(len as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends what the client takes, without waiting.
    fn write(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(len) => {
                    self.out.advance(len);
                    self.moved = Instant::now();
                    self.admitted.shared.metrics.sent.add(len as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.out.capacity() > limits::BUFFER_KEPT_LEN {
            self.out = BytesMut::new();
        }
        Ok(())
    }

    /// Has a round executed, and puts its answers behind those before.
    async fn answer(&mut self, mut round: Round) -> io::Result<()> {
        let shared = self.admitted.shared.clone();
        while let Some(batch) = round.batch(shared.stamp_ms()) {
            let outcome = self.execute(batch).await?;
            round.on_outcome(outcome, &mut self.connection, &*shared);
        }
        let finished = round.finish(&mut self.connection, &*shared, &mut self.out);
        shared.metrics.commands.add(finished.requests);
        shared.metrics.errors.add(finished.errors);
        Ok(())
    }

    /// Has a batch executed; earlier answers go out meanwhile.
    async fn execute(&mut self, batch: RedisBatch) -> io::Result<Result<RedisOutcome, Failed>> {
        let shared = self.admitted.shared.clone();
        let executing = shared.execute(batch, self.connection.consistency());
        tokio::pin!(executing);
        loop {
            tokio::select! {
                outcome = &mut executing => return Ok(outcome),
                writable = self.stream.writable(), if !self.out.is_empty() => {
                    writable?;
                    self.write()?;
                }
            }
        }
    }
}
