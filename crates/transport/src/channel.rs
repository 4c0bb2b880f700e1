//! A channel: one connection with a proven peer, its lanes in both directions, and the tasks that
//! serve them. Nodes and clients use the same; they differ in the number of lanes and in where
//! frames go ([`Sink`]).
//!
//! The control lane's stream is opened before any other, as soon as the peer is accepted. To the
//! side that dialled, its header is the sign that it was let in: TLS alone tells it nothing, because
//! the accepting side judges a certificate after the dialling side considers the handshake done.

use crate::counters::Counters;
use crate::error::SendError;
use crate::heartbeat::{HEARTBEAT_LEN, Heartbeat, Pulse, RoundTrips};
use crate::inbox::{PeerAddress, PeerHandle};
use crate::lane::{Lane, NotQueued};
use crate::limits;
use crate::refusal::Refusal;
use crate::settings::Settings;
use althing_wire::frame::{
    BODY_LEN_MAX, FRAME_HEADER_LEN, Frame, FrameDecoder, FrameError, HEARTBEAT_KIND,
    STREAM_HEADER_LEN, STREAM_MAGIC, StreamHeader,
};
use bytes::Bytes;
use quinn::{
    Connection, ConnectionError, ReadError, ReadExactError, RecvStream, SendStream, VarInt,
};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The control lane: heartbeats between nodes, everything for clients.
const CONTROL: usize = 0;

/// The priority of the control lane's stream over the others' 0.
const CONTROL_PRIORITY: i32 = 3;

/// The priority of the bulk lane's stream: after all others.
const BULK_PRIORITY: i32 = -1;

/// Chunks taken from a stream at a time; each is the payload of a packet.
const CHUNKS: usize = 32;

/// Where the frames of a channel go.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Whether a frame may come in, before its body is read.
    fn admit(&self, peer: &PeerHandle, kind: u8, len: u32) -> Result<(), Refusal>;

    /// Takes a frame, waiting for room if it must; gives up once the channel is over.
    fn deliver(&self, channel: &Channel, frame: Frame) -> impl Future<Output = ()> + Send;
}

/// See the head of this file.
pub(crate) struct Channel {
    pub(crate) peer: Arc<PeerHandle>,
    pub(crate) connection: Connection,
    pub(crate) counters: Arc<Counters>,
    /// The header of our streams, less the lane.
    header: StreamHeader,
    lanes: Vec<Lane>,
    frame_timeout: Duration,
    clock: Instant,
    /// When anything was last heard, in nanoseconds of `clock`.
    heard_at: AtomicU64,
    pulse: Mutex<Pulse>,
    /// How many of our readers wait for room in the inbox.
    held_up: AtomicUsize,
    refused: AtomicBool,
    writers: watch::Sender<usize>,
    ended: watch::Sender<bool>,
}

impl Channel {
    pub(crate) fn new(
        connection: Connection,
        peer: Arc<PeerHandle>,
        header: StreamHeader,
        lanes: u8,
        settings: &Settings,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        let bytes_max = if lanes == limits::CLIENT_LANES {
            settings.client_queue_bytes_max
        } else {
            settings.queue_bytes_max
        };
        let lane = || Lane::new(settings.queue_frames_max, bytes_max);
        Arc::new(Self {
            peer,
            connection,
            counters,
            header,
            lanes: std::iter::repeat_with(lane).take(lanes.into()).collect(),
            frame_timeout: settings.frame_timeout,
            clock: Instant::now(),
            heard_at: AtomicU64::new(0),
            pulse: Mutex::default(),
            held_up: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            writers: watch::Sender::new(usize::from(lanes)),
            ended: watch::Sender::new(false),
        })
    }

    /// Queues a message. Never waits; any thread may call it.
    pub(crate) fn send(&self, kind: u8, stripe: u64, body: Bytes) -> Result<(), SendError> {
        if body.len() > BODY_LEN_MAX as usize {
            return Err(SendError::TooLong);
        }
        let address = self.peer.address;
        self.lanes[self.lane_of(stripe)].push(kind, body).map_err(|error| match error {
            NotQueued::Full => SendError::Full(address),
            NotQueued::Closed => match address {
                PeerAddress::Node(_) => SendError::Disconnected(address),
                PeerAddress::Client(_) => SendError::Unknown(address),
            },
        })
    }

    /// Equal stripes share a lane, and different ones are spread evenly even if they count up in
    /// steps (Fibonacci hashing).
    fn lane_of(&self, stripe: u64) -> usize {
        match self.lanes.len() {
            1 => CONTROL,
            lanes => {
                if stripe == limits::BULK_STRIPE {
                    return lanes - 1;
                }
                let hash = stripe.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                1 + (hash % u64::from(limits::PROTOCOL_LANES)) as usize
            }
        }
    }

    /// Queues a heartbeat; a full control lane goes without.
    pub(crate) fn beat(&self) {
        let beat = self.pulse.lock().expect("no panic while it is held").beat(self.now());
        // Full means that heartbeats wait already, closed that nobody listens.
        let _ = self.lanes[CONTROL].push(HEARTBEAT_KIND, beat.encode());
    }

    /// The smoothed round trip of heartbeats.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.pulse.lock().expect("no panic while it is held").round_trip()
    }

    /// All round trips of heartbeats so far.
    pub(crate) fn round_trips(&self) -> Option<RoundTrips> {
        self.pulse.lock().expect("no panic while it is held").round_trips()
    }

    /// How long ago anything was heard.
    pub(crate) fn silence(&self) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(self.heard_at.load(Relaxed)))
    }

    /// The frames waiting in all lanes.
    pub(crate) fn queued(&self) -> usize {
        self.lanes.iter().map(Lane::frames).sum()
    }

    /// Closes the connection because of what the peer is or did; counts and logs it once.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        if !self.refused.swap(true, Relaxed) {
            self.counters.refused(refusal, self.peer.address);
            refuse(&self.connection, refusal);
        }
    }

    /// Closes the connection for a reason that is nobody's fault.
    pub(crate) fn close(&self, code: VarInt) {
        self.connection.close(code, b"");
    }

    /// Takes no more messages and waits until those it has are acknowledged.
    pub(crate) async fn drain(&self) {
        self.lanes.iter().for_each(Lane::finish);
        // An error means that the sender is gone, which it is not: we hold it.
        let _ = self.writers.subscribe().wait_for(|left| *left == 0).await;
    }

    /// Waits until the channel is over and nothing of it will be delivered any more.
    pub(crate) async fn ended(&self) {
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// To be said by whoever served the channel, when all is cleaned up.
    pub(crate) fn set_ended(&self) {
        self.ended.send_replace(true);
    }

    /// Marks a reader as waiting for room, until dropped.
    pub(crate) fn hold_up(&self) -> HeldUp<'_> {
        self.counters.held_up();
        self.held_up.fetch_add(1, Relaxed);
        HeldUp(self)
    }

    fn now(&self) -> u64 {
        // 584 years fit.
        self.clock.elapsed().as_nanos() as u64
    }
}

/// A reader waits for room while this lives.
pub(crate) struct HeldUp<'a>(&'a Channel);

impl Drop for HeldUp<'_> {
    fn drop(&mut self) {
        self.0.held_up.fetch_sub(1, Relaxed);
    }
}

/// Closes a connection with a refusal's code and sentence.
pub(crate) fn refuse(connection: &Connection, refusal: Refusal) {
    connection.close(VarInt::from_u32(refusal.code()), refusal.to_string().as_bytes());
}

/// Opens our control lane: its header is on the way when this returns.
pub(crate) async fn open_control(channel: &Channel) -> Result<SendStream, ConnectionError> {
    let mut stream = open_lane(channel, CONTROL).await?;
    // A closed stream means a closed connection, which the next use reports.
    let _ = stream.set_priority(CONTROL_PRIORITY);
    match stream.write_all(&header_of(channel, CONTROL)).await {
        Ok(()) => Ok(stream),
        Err(_) => Err(channel.connection.closed().await),
    }
}

/// On the side that dialled: waits for the header of the peer's control lane.
/// One that is refused is for the caller to count.
pub(crate) async fn await_control(channel: &Channel) -> Result<RecvStream, Ungreeted> {
    let mut stream = channel.connection.accept_uni().await.map_err(Ungreeted::Lost)?;
    let refusal = match read_header(channel, &mut stream).await {
        Ok(CONTROL) => return Ok(stream),
        Ok(_) => Refusal::BadStream,
        Err(Over::Refused(refusal)) => refusal,
        Err(Over::Ended) => return Err(Ungreeted::Lost(channel.connection.closed().await)),
    };
    refuse(&channel.connection, refusal);
    Err(Ungreeted::Refused(refusal))
}

/// Why the peer's control lane did not come.
pub(crate) enum Ungreeted {
    /// It was not what it must be, and the connection is closed.
    Refused(Refusal),
    /// The connection is over.
    Lost(ConnectionError),
}

/// Serves a channel until its connection is over and everything that came in is delivered or given
/// up. `control` is our control lane, `first` the peer's when it was awaited already.
pub(crate) async fn serve<S: Sink>(
    channel: Arc<Channel>,
    control: SendStream,
    first: Option<RecvStream>,
    sink: Arc<S>,
) -> ConnectionError {
    let mut writers = JoinSet::new();
    let mut readers = JoinSet::new();
    let mut control = Some(control);
    for lane in 0..channel.lanes.len() {
        let stream = control.take();
        let channel = channel.clone();
        writers.spawn(async move {
            // An error is the connection's end, which the loop below sees.
            let _ = write_lane(&channel, lane, stream).await;
            channel.writers.send_modify(|left| *left -= 1);
        });
    }
    let open = Arc::new(Mutex::new(vec![false; channel.lanes.len()]));
    if let Some(stream) = first {
        open.lock().expect("no panic while it is held")[CONTROL] = true;
        readers.spawn(read_lane(channel.clone(), stream, CONTROL, sink.clone()));
    }
    let ended = loop {
        match channel.connection.accept_uni().await {
            Ok(mut stream) => {
                let (channel, sink, open) = (channel.clone(), sink.clone(), open.clone());
                readers.spawn(async move {
                    let lane = match read_header(&channel, &mut stream).await {
                        Ok(lane) => lane,
                        Err(Over::Refused(refusal)) => return channel.refuse(refusal),
                        Err(Over::Ended) => return,
                    };
                    let is_second = {
                        let mut open = open.lock().expect("no panic while it is held");
                        std::mem::replace(&mut open[lane], true)
                    };
                    if is_second {
                        return channel.refuse(Refusal::BadStream);
                    }
                    read_lane(channel, stream, lane, sink).await;
                });
            }
            Err(error) => break error,
        }
    };
    channel.lanes.iter().for_each(Lane::close);
    writers.shutdown().await;
    // Readers see the end of the connection themselves; awaited, so that whoever is told of the end
    // hears nothing afterwards.
    while readers.join_next().await.is_some() {}
    channel.writers.send_replace(0);
    ended
}

/// A lane that cannot be read on.
enum Over {
    Refused(Refusal),
    Ended,
}

impl From<Refusal> for Over {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

async fn open_lane(channel: &Channel, lane: usize) -> Result<SendStream, ConnectionError> {
    assert!(lane < channel.lanes.len());
    let stream = channel.connection.open_uni().await?;
    if lane > usize::from(limits::PROTOCOL_LANES) {
        // An error means that the stream is gone, which the next write tells.
        let _ = stream.set_priority(BULK_PRIORITY);
    }
    Ok(stream)
}

fn header_of(channel: &Channel, lane: usize) -> [u8; STREAM_HEADER_LEN] {
    StreamHeader { lane: lane as u8, ..channel.header }.encode()
}

/// Writes what is queued in a lane; opens its stream with the first of it.
async fn write_lane(
    channel: &Channel,
    index: usize,
    mut stream: Option<SendStream>,
) -> Result<(), quinn::WriteError> {
    let lane = &channel.lanes[index];
    let mut pieces = Vec::new();
    while let Some(taken) = lane.take(&mut pieces).await {
        let open = match &mut stream {
            Some(open) => open,
            None => {
                pieces.insert(0, Bytes::copy_from_slice(&header_of(channel, index)));
                stream.insert(open_lane(channel, index).await?)
            }
        };
        open.write_all_chunks(&mut pieces).await?;
        pieces.clear();
        // Between nodes, the control lane carries heartbeats only.
        if index != CONTROL || channel.lanes.len() == 1 {
            channel.counters.written(taken.frames as u64, taken.bytes as u64);
        }
        lane.written(taken);
    }
    if let Some(mut stream) = stream {
        // An error means that it is finished or gone already.
        let _ = stream.finish();
        let _ = stream.stopped().await;
    }
    Ok(())
}

async fn read_header(channel: &Channel, stream: &mut RecvStream) -> Result<usize, Over> {
    let mut bytes = [0; STREAM_HEADER_LEN];
    let (magic, rest) = bytes.split_at_mut(STREAM_MAGIC.len());
    let read = async {
        // What is no stream of ours may be shorter than a header: it is not waited for.
        stream.read_exact(magic).await?;
        match *magic == STREAM_MAGIC {
            true => stream.read_exact(rest).await,
            false => Ok(()),
        }
    };
    match timeout(channel.frame_timeout, read).await {
        Ok(Ok(())) => {}
        Ok(Err(ReadExactError::ReadError(ReadError::ConnectionLost(_)))) => {
            return Err(Over::Ended);
        }
        Ok(Err(_)) => return Err(Refusal::BadStream.into()),
        Err(_) => return Err(Refusal::Stalled.into()),
    }
    let header = StreamHeader::decode(&bytes).map_err(|_| Refusal::BadStream)?;
    if header.cluster != channel.header.cluster {
        return Err(Refusal::AnotherCluster.into());
    }
    if header.conflicts != channel.header.conflicts {
        return Err(Refusal::AnotherConflicts.into());
    }
    let is_ours = header.version == channel.header.version && header.group == channel.header.group;
    let lane = usize::from(header.lane);
    if !is_ours || lane >= channel.lanes.len() {
        return Err(Refusal::BadStream.into());
    }
    Ok(lane)
}

async fn read_lane<S: Sink>(channel: Arc<Channel>, stream: RecvStream, lane: usize, sink: Arc<S>) {
    match read_frames(&channel, stream, lane, &*sink).await {
        Err(Over::Refused(refusal)) => channel.refuse(refusal),
        Err(Over::Ended) | Ok(()) => {}
    }
}

async fn read_frames<S: Sink>(
    channel: &Channel,
    mut stream: RecvStream,
    lane: usize,
    sink: &S,
) -> Result<(), Over> {
    let mut decoder = FrameDecoder::new();
    let mut chunks: [Bytes; CHUNKS] = std::array::from_fn(|_| Bytes::new());
    let admit = |kind: u8, len: u32| match kind {
        HEARTBEAT_KIND if lane == CONTROL && len == HEARTBEAT_LEN => Ok(()),
        HEARTBEAT_KIND => Err(Refusal::BadFrame),
        _ => sink.admit(&channel.peer, kind, len),
    };
    loop {
        let Some(count) = read_chunks(channel, &mut stream, &mut chunks, &decoder).await? else {
            // The lane's regular end, unless it is in the middle of a frame.
            return if decoder.is_mid_frame() { Err(Refusal::BadFrame.into()) } else { Ok(()) };
        };
        channel.heard_at.store(channel.now(), Relaxed);
        let (mut frames, mut bytes) = (0, 0);
        for chunk in &mut chunks[..count] {
            // Owned by the loop, so that the buffer is freed when its frames are copied out.
            let mut chunk = std::mem::take(chunk);
            while let Some(frame) = decoder.decode(&mut chunk, admit).map_err(refusal_of)? {
                if frame.kind == HEARTBEAT_KIND {
                    let beat = Heartbeat::decode(frame.body).ok_or(Refusal::BadFrame)?;
                    let now = channel.now();
                    channel.pulse.lock().expect("no panic while it is held").heard(now, beat);
                    continue;
                }
                frames += 1;
                bytes += (FRAME_HEADER_LEN + frame.body.len()) as u64;
                sink.deliver(channel, frame).await;
            }
        }
        channel.counters.received(frames, bytes);
        // A lane that always has more must not keep the others from their turn.
        tokio::task::coop::consume_budget().await;
    }
}

/// Reads what there is; inside a frame, only for so long. A wait that we caused ourselves, because
/// another lane of the connection is held up and its credit with it, is not the peer's.
async fn read_chunks(
    channel: &Channel,
    stream: &mut RecvStream,
    chunks: &mut [Bytes],
    decoder: &FrameDecoder,
) -> Result<Option<usize>, Over> {
    let ended = |error| match error {
        ReadError::ConnectionLost(_) => Over::Ended,
        _ => Over::Refused(Refusal::BadStream),
    };
    if !decoder.is_mid_frame() {
        return stream.read_chunks(chunks).await.map_err(ended);
    }
    loop {
        match timeout(channel.frame_timeout, stream.read_chunks(chunks)).await {
            Ok(read) => return read.map_err(ended),
            Err(_) if channel.held_up.load(Relaxed) > 0 => {}
            Err(_) => return Err(Refusal::Stalled.into()),
        }
    }
}

fn refusal_of(error: FrameError<Refusal>) -> Refusal {
    match error {
        FrameError::TooLong { .. } => Refusal::TooLong,
        FrameError::Flags { .. } => Refusal::BadFrame,
        FrameError::Refused(refusal) => refusal,
    }
}
