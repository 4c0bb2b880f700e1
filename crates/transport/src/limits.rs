//! Every limit of the transport, with the memory that it implies. Those that an operator may want
//! to change are the defaults of [`crate::Settings`].
//!
//! The worst case of one **node** link, when that peer stops reading and floods us at once:
//! lane queues 6 x 4 MiB, data sent and not acknowledged 16 MiB, data received and not read
//! 6 x 4 MiB: 64 MiB. A healthy link holds next to nothing.
//!
//! The worst case of one **client** link: queue 256 KiB, sent 256 KiB, received 256 KiB, one
//! message being put together; with 512 clients all stalled 384 MiB, plus their messages (each at
//! most as long as the [`crate::Gate`] admits).
//!
//! Before a peer has proved who it is: 128 handshakes, 4 MiB of early packets in all.

use std::time::Duration;

/// The protocol lanes between two nodes; with the control lane there is one stream more each way.
/// Messages of one stripe share a lane and stay in order; one lost packet holds up one lane.
pub const PROTOCOL_LANES: u8 = 4;

/// The stripe of what is long and may wait, such as parts of snapshots: it has a lane of its own,
/// which sends only when no other lane has anything to send.
pub const BULK_STRIPE: u64 = u64::MAX;

/// All lanes of a link between nodes: control, protocol, bulk.
pub const NODE_LANES: u8 = PROTOCOL_LANES + 2;

/// The lanes of a client's link.
pub const CLIENT_LANES: u8 = 1;

/// Frames waiting in one lane of a node: with [`QUEUE_BYTES_MAX`], whichever is reached first.
pub const QUEUE_FRAMES_MAX: usize = 16_384;

/// Bytes waiting in one lane of a node; six lanes a link.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;

/// Bytes waiting for one client.
pub const CLIENT_QUEUE_BYTES_MAX: usize = 256 << 10;

/// What one lane may have in flight to us before we read it. At 100 ms round trip that is
/// 320 Mbit/s a lane. A link's whole window is this times [`NODE_LANES`], so that no lane can take
/// the credit of another.
pub const LANE_WINDOW: u32 = 4 << 20;

/// What we may have in flight to a node: sent, not acknowledged, kept for retransmission.
pub const SEND_WINDOW: u64 = 16 << 20;

/// What a client may have in flight to us, and we to it. At 100 ms round trip that is 20 Mbit/s.
pub const CLIENT_WINDOW: u32 = 256 << 10;

/// Frames that a client's connection holds for an application that does not take them; each is at
/// most [`althing_wire::frame::BODY_LEN_MAX`] long, and comes from a trusted node.
pub const CLIENT_INBOX_FRAMES_MAX: usize = 256;

/// Client connections to one node.
pub const CLIENTS_MAX: usize = 512;

/// Connections of one client's certificate to one node; the newest wins.
pub const CONNECTIONS_PER_CLIENT_MAX: usize = 64;

/// Handshakes under way, dialled by others: about 20 KiB each.
pub const HANDSHAKES_MAX: usize = 128;

/// Above this many handshakes a dialler must first prove that it receives at its address (QUIC
/// Retry), which a flood from forged addresses cannot.
pub const HANDSHAKES_UNPROVED_MAX: usize = 32;

/// First packets that wait to be looked at; QUIC refuses more by itself, uncounted.
pub const INCOMING_MAX: usize = 256;

/// Packets buffered for handshakes that were not looked at yet, in bytes: all, and one.
pub const INCOMING_BYTES_MAX: u64 = 4 << 20;
/// See [`INCOMING_BYTES_MAX`].
pub const INCOMING_ONE_BYTES_MAX: u64 = 64 << 10;

/// The UDP socket's buffers, asked of the kernel, which may give less (`net.core.rmem_max`).
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// A batch handed to QUIC in one go. Larger is fewer calls, smaller is fairer among lanes.
pub const WRITE_BYTES_MAX: usize = 256 << 10;

/// Queued small frames are copied together into pieces of about this size.
pub const PIECE_BYTES: usize = 32 << 10;

/// A body longer than this is queued as it is instead of being copied into a piece.
pub const COPIED_BODY_LEN_MAX: usize = 4 << 10;

/// A handshake that takes longer is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A frame that began must be complete within this time, or its connection is closed; time during
/// which our own receiver was full does not count.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a closing endpoint waits for its queues to be delivered.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Log lines about refusals of one kind: at most one in this time, with a count of the others.
pub const LOG_EVERY: Duration = Duration::from_secs(1);
