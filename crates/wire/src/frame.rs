//! Framing: how messages lie on a QUIC stream.
//!
//! A stream is one lane of a connection, opened once and kept. It begins with a header that says
//! whose stream it is, and then carries frames until it ends (all integers big-endian):
//!
//! ```text
//! stream = magic "ALTH" | u16 version | 16 bytes cluster | u32 group | u8 lane
//!          | 32 bytes conflict function | frame*
//! frame  = u32 length of body | u8 kind | u8 flags, always 0 | body
//! ```
//!
//! Every frame announces its kind and length before its body, so that a receiver can refuse it
//! before a byte of the body is read or memory is taken for it: [`FrameDecoder::decode`] asks its
//! caller at that point. A frame has no sender: the sender is the certificate of the connection.
//!
//! The protocol version is spelled twice: in the TLS protocol name ([`ALPN_OFFERED`]), where two
//! ends agree on the newest that both know, and in each stream's header, so that a captured stream
//! explains itself. The group is 0 today; it lets several replication groups share a connection. The
//! conflict function is named between nodes, which refuse another one before any frame: their replicas
//! would order commands differently. To and from clients, who have none, there are zeros.

use althing_model::{ClusterId, ConflictsId};
use bytes::{Buf, Bytes, BytesMut};

/// The version that this build speaks by preference.
pub const PROTOCOL_VERSION: u16 = 1;

/// The protocol names offered in the TLS handshake, newest first. A later version puts its own name
/// before these and keeps the previous one, so that a cluster can be upgraded node by node.
pub const ALPN_OFFERED: [&str; 1] = ["althing/1"];

/// The first bytes of every stream.
pub const STREAM_MAGIC: [u8; 4] = *b"ALTH";

/// The length of a stream's header.
pub const STREAM_HEADER_LEN: usize = 4 + 2 + 16 + 4 + 1 + 32;

/// The length of a frame's header.
pub const FRAME_HEADER_LEN: usize = 4 + 1 + 1;

/// The longest body of any frame, whatever its kind. A longer thing (a snapshot) goes in pieces.
pub const BODY_LEN_MAX: u32 = 4 << 20;

/// The kind that the transport keeps for itself: heartbeats. No message may use it.
pub const HEARTBEAT_KIND: u8 = 0;

/// Memory for a body is taken in steps of at most this, as its bytes arrive: a header alone, which
/// costs its sender six bytes, cannot make the receiver take more.
const BODY_STEP: usize = 64 << 10;

/// The protocol version of a negotiated TLS protocol name, if this build speaks it.
pub fn version_of_alpn(name: &[u8]) -> Option<u16> {
    let known = ALPN_OFFERED.iter().any(|offered| offered.as_bytes() == name);
    let digits = name.strip_prefix(b"althing/").filter(|_| known)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHeader {
    /// The protocol version of the frames that follow.
    pub version: u16,
    /// The cluster that the sender belongs to.
    pub cluster: ClusterId,
    /// The replication group; 0 until there are several.
    pub group: u32,
    /// Which of the connection's lanes this stream is.
    pub lane: u8,
    /// The conflict function of the sender, if both ends are nodes.
    pub conflicts: ConflictsId,
}

impl StreamHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; STREAM_HEADER_LEN] {
        let mut bytes = [0; STREAM_HEADER_LEN];
        bytes[0..4].copy_from_slice(&STREAM_MAGIC);
        bytes[4..6].copy_from_slice(&self.version.to_be_bytes());
        bytes[6..22].copy_from_slice(&self.cluster.0);
        bytes[22..26].copy_from_slice(&self.group.to_be_bytes());
        bytes[26] = self.lane;
        bytes[27..59].copy_from_slice(&self.conflicts.0);
        bytes
    }

    /// Reads a header; only the magic is judged here, the rest is for the caller, who knows what
    /// it expects.
    pub fn decode(bytes: &[u8; STREAM_HEADER_LEN]) -> Result<Self, NotAStream> {
        let mut rest = &bytes[..];
        let mut magic = [0; 4];
        rest.copy_to_slice(&mut magic);
        if magic != STREAM_MAGIC {
            return Err(NotAStream { magic });
        }
        let version = rest.get_u16();
        let mut cluster = ClusterId([0; 16]);
        rest.copy_to_slice(&mut cluster.0);
        let (group, lane) = (rest.get_u32(), rest.get_u8());
        let mut conflicts = ConflictsId::NONE;
        rest.copy_to_slice(&mut conflicts.0);
        Ok(Self { version, cluster, group, lane, conflicts })
    }
}

/// A stream does not begin with [`STREAM_MAGIC`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream begins with {magic:02x?}, not with the bytes of an Althing stream")]
pub struct NotAStream {
    /// What stood in its place.
    pub magic: [u8; 4],
}

/// The header of a frame with a body of `len` bytes.
///
/// # Panics
/// When the body is longer than [`BODY_LEN_MAX`]: whoever builds messages keeps them shorter.
pub fn encode_frame_header(kind: u8, len: usize) -> [u8; FRAME_HEADER_LEN] {
    assert!(len <= BODY_LEN_MAX as usize, "a body of {len} bytes, over the {BODY_LEN_MAX} allowed");
    let mut bytes = [0; FRAME_HEADER_LEN];
    bytes[0..4].copy_from_slice(&(len as u32).to_be_bytes());
    bytes[4] = kind;
    bytes
}

/// One frame. Its body is a copy and keeps no receive buffer alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the body is.
    pub kind: u8,
    /// The message.
    pub body: Bytes,
}

/// Why a stream of frames cannot be read on. The stream has no further meaning after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError<E> {
    /// The announced length is over [`BODY_LEN_MAX`].
    #[error("a frame of kind {kind} announces {len} bytes, over the {BODY_LEN_MAX} allowed")]
    TooLong {
        /// The frame's kind.
        kind: u8,
        /// The length it announced.
        len: u32,
    },
    /// Flags that this version does not know.
    #[error("a frame of kind {kind} has flags {flags:#04x}, which this version does not know")]
    Flags {
        /// The frame's kind.
        kind: u8,
        /// Its flags.
        flags: u8,
    },
    /// The caller refused the kind or the length.
    #[error("a frame was refused")]
    Refused(E),
}

/// Takes frames out of a stream whose bytes arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    header: [u8; FRAME_HEADER_LEN],
    header_len: usize,
    /// The kind and length of an admitted frame whose body is still arriving.
    admitted: Option<(u8, usize)>,
    body: BytesMut,
}

impl FrameDecoder {
    /// A decoder at the beginning of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the last bytes taken in ended inside a frame.
    pub fn is_mid_frame(&self) -> bool {
        self.header_len > 0 || self.admitted.is_some()
    }

    /// Takes bytes off the front of `input` up to the end of one frame and returns it; `None` when
    /// `input` is used up first. `admit` is asked once per frame, with its kind and the length of
    /// its body, before anything of the body is read.
    pub fn decode<E>(
        &mut self,
        input: &mut Bytes,
        mut admit: impl FnMut(u8, u32) -> Result<(), E>,
    ) -> Result<Option<Frame>, FrameError<E>> {
        let (kind, len) = match self.admitted {
            Some(admitted) => admitted,
            None => {
                let missing = FRAME_HEADER_LEN - self.header_len;
                let taken = missing.min(input.len());
                input.copy_to_slice(&mut self.header[self.header_len..][..taken]);
                self.header_len += taken;
                if self.header_len < FRAME_HEADER_LEN {
                    return Ok(None);
                }
                let [l0, l1, l2, l3, kind, flags] = self.header;
                let len = u32::from_be_bytes([l0, l1, l2, l3]);
                if flags != 0 {
                    return Err(FrameError::Flags { kind, flags });
                }
                if len > BODY_LEN_MAX {
                    return Err(FrameError::TooLong { kind, len });
                }
                admit(kind, len).map_err(FrameError::Refused)?;
                self.header_len = 0;
                let admitted = (kind, len as usize);
                self.admitted = Some(admitted);
                admitted
            }
        };
        if self.body.is_empty() && input.len() >= len {
            // The whole body is here: one copy, one allocation of its very size.
            let body = Bytes::copy_from_slice(&input[..len]);
            input.advance(len);
            self.admitted = None;
            return Ok(Some(Frame { kind, body }));
        }
        let missing = len - self.body.len();
        let taken = missing.min(input.len());
        if self.body.capacity() < self.body.len() + taken {
            self.body.reserve(missing.min(BODY_STEP.max(self.body.len())).max(taken));
        }
        self.body.extend_from_slice(&input[..taken]);
        input.advance(taken);
        if self.body.len() < len {
            return Ok(None);
        }
        self.admitted = None;
        Ok(Some(Frame { kind, body: std::mem::take(&mut self.body).freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anything(_: u8, _: u32) -> Result<(), ()> {
        Ok(())
    }

    fn encoded(kind: u8, body: &[u8]) -> Vec<u8> {
        [&encode_frame_header(kind, body.len())[..], body].concat()
    }

    /// Broken: two builds of one version no longer understand each other's streams.
    #[test]
    fn golden_bytes() {
        let (cluster, conflicts) =
            (ClusterId([0xab; 16]), ConflictsId(*b"32 bytes of a conflict function."));
        let header = StreamHeader { version: 1, cluster, group: 0, lane: 3, conflicts };
        let golden = b"ALTH\x00\x01\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\
            \xab\x00\x00\x00\x00\x0332 bytes of a conflict function.";
        assert_eq!(&header.encode(), golden);
        assert_eq!(StreamHeader::decode(golden), Ok(header));
        assert_eq!(encoded(7, b"hello"), b"\x00\x00\x00\x05\x07\x00hello");
        assert_eq!(ALPN_OFFERED, ["althing/1"]);
    }

    /// Broken: another protocol's stream is taken for ours.
    #[test]
    fn another_magic_is_no_stream() {
        let mut bytes = [0; STREAM_HEADER_LEN];
        bytes[..4].copy_from_slice(b"HTTP");
        assert_eq!(StreamHeader::decode(&bytes), Err(NotAStream { magic: *b"HTTP" }));
    }

    /// Broken: a name that was never offered counts as a version, or ours does not.
    #[test]
    fn versions_come_from_offered_names_only() {
        assert_eq!(version_of_alpn(b"althing/1"), Some(PROTOCOL_VERSION));
        for name in [&b"althing/2"[..], b"althing/", b"h3", b"", b"althing/1 "] {
            assert_eq!(version_of_alpn(name), None);
        }
    }

    /// Broken: frames depend on how the network happened to cut the stream.
    #[test]
    fn frames_survive_any_cut() {
        let bodies: [&[u8]; 4] = [b"", b"a", b"four", &[9; 300]];
        let stream: Vec<u8> =
            bodies.iter().enumerate().flat_map(|(i, body)| encoded(i as u8, body)).collect();
        for cut in 1..stream.len() {
            let mut decoder = FrameDecoder::new();
            let mut frames = Vec::new();
            for piece in stream.chunks(cut) {
                let mut piece = Bytes::copy_from_slice(piece);
                while let Some(frame) = decoder.decode(&mut piece, anything).unwrap() {
                    frames.push(frame);
                }
                assert!(piece.is_empty());
            }
            assert!(!decoder.is_mid_frame());
            let expected = bodies
                .iter()
                .enumerate()
                .map(|(i, body)| Frame { kind: i as u8, body: Bytes::copy_from_slice(body) });
            assert!(frames.into_iter().eq(expected), "cut into pieces of {cut}");
        }
    }

    /// Broken: a peer makes us take memory, or read a body, that was never admitted.
    #[test]
    fn a_frame_is_judged_before_its_body() {
        let judged = |header: [u8; 6], limit: u32| {
            let mut decoder = FrameDecoder::new();
            let mut input = Bytes::copy_from_slice(&header);
            let result =
                decoder.decode(&mut input, |_, len| if len > limit { Err(len) } else { Ok(()) });
            assert_eq!(decoder.body.capacity(), 0, "no memory before the body's bytes arrive");
            result
        };
        let over = (BODY_LEN_MAX + 1).to_be_bytes();
        assert_eq!(
            judged([over[0], over[1], over[2], over[3], 7, 0], u32::MAX),
            Err(FrameError::TooLong { kind: 7, len: BODY_LEN_MAX + 1 })
        );
        assert_eq!(judged([0, 0, 0, 1, 7, 4], 9), Err(FrameError::Flags { kind: 7, flags: 4 }));
        assert_eq!(judged([0, 0, 0, 10, 7, 0], 9), Err(FrameError::Refused(10)));
        assert_eq!(judged([0, 0, 0, 9, 7, 0], 9), Ok(None));
    }

    /// Broken: announcing the longest body and sending little of it costs us the whole.
    #[test]
    fn memory_follows_the_bytes_received() {
        let mut decoder = FrameDecoder::new();
        let mut input = Bytes::from(encode_frame_header(1, BODY_LEN_MAX as usize).to_vec());
        assert_eq!(decoder.decode(&mut input, anything), Ok(None));
        let mut received = 0;
        while received < BODY_LEN_MAX as usize {
            let mut piece = Bytes::from(vec![5; 1200.min(BODY_LEN_MAX as usize - received)]);
            received += piece.len();
            let frame = decoder.decode(&mut piece, anything).unwrap();
            assert_eq!(frame.is_some(), received == BODY_LEN_MAX as usize);
            assert!(decoder.body.capacity() <= 3 * received.max(BODY_STEP));
        }
    }

    /// Broken: a small message keeps the large receive buffer that it came in alive.
    #[test]
    fn a_body_is_a_copy() {
        let mut input = Bytes::from(encoded(1, b"body"));
        let whole = input.clone();
        let frame = FrameDecoder::new().decode(&mut input, anything).unwrap().unwrap();
        drop(input);
        assert_eq!(frame.body, b"body"[..]);
        assert!(whole.try_into_mut().is_ok(), "the body still refers to the receive buffer");
    }
}
