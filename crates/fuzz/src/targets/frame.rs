//! A stream: header, then frames, in pieces of any size.

use crate::allocation::bounded;
use crate::{Outcomes, Target};
use althing_model::{ClusterId, ConflictsId};
use althing_wire::frame::{
    BODY_LEN_MAX, FRAME_HEADER_LEN, Frame, FrameDecoder, FrameError, STREAM_HEADER_LEN,
    StreamHeader, encode_frame_header,
};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target =
    Target { name: "frame", run, len_max: 4096, generate, words: &["ALTH"] };

/// The first byte says how large the pieces are, the second which kinds are admitted.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    if let Some(header) = data.first_chunk::<STREAM_HEADER_LEN>() {
        let read = StreamHeader::decode(header);
        outcomes.note(("header", read.is_ok()));
        if let Ok(read) = read {
            assert_eq!(&read.encode(), header);
        }
    }
    let [piece_len, kind_max, stream @ ..] = data else { return };
    let piece_len = usize::from(*piece_len).pow(2) + 1;
    let whole = decode(stream, usize::MAX, *kind_max, outcomes);
    let pieces = decode(stream, piece_len, *kind_max, outcomes);
    assert_eq!(whole, pieces, "frames depend on the pieces in which they arrive");
    let (frames, _) = whole;
    let mut again = Vec::new();
    for frame in &frames {
        again.extend_from_slice(&encode_frame_header(frame.kind, frame.body.len()));
        again.extend_from_slice(&frame.body);
    }
    assert_eq!(again, stream[..again.len()]);
}

/// The frames of a stream, and how it ended.
fn decode(
    stream: &[u8],
    piece_len: usize,
    kind_max: u8,
    outcomes: &mut Outcomes,
) -> (Vec<Frame>, std::result::Result<bool, FrameError<u8>>) {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(piece_len) {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            let admit = |kind, _| if kind <= kind_max { Ok(()) } else { Err(kind) };
            // A body that is not here takes no memory: at most a step ahead of what has arrived.
            let max = 2 * stream.len() + (64 << 10) + 256;
            let ended = match bounded(max, || decoder.decode(&mut piece, admit)) {
                Ok(Some(frame)) => {
                    outcomes.note(("frame", frames.len().min(8), frame.body.len().checked_ilog2()));
                    frames.push(frame);
                    continue;
                }
                Ok(None) => break,
                Err(error) => error,
            };
            outcomes.note(std::mem::discriminant(&ended));
            if let FrameError::TooLong { len, .. } = &ended {
                assert!(*len > BODY_LEN_MAX);
            }
            return (frames, Err(ended));
        }
    }
    outcomes.note(("mid frame", decoder.is_mid_frame()));
    (frames, Ok(decoder.is_mid_frame()))
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    if bytes.ratio(1, 8)? {
        let header = StreamHeader {
            version: bytes.arbitrary()?,
            cluster: ClusterId(bytes.arbitrary()?),
            group: 0,
            lane: bytes.arbitrary()?,
            conflicts: ConflictsId(bytes.arbitrary()?),
        };
        return Ok(header.encode().to_vec());
    }
    let mut stream = vec![bytes.arbitrary()?, bytes.arbitrary()?];
    while !bytes.is_empty() {
        let len = bytes.int_in_range(0..=80)?;
        let body = bytes.bytes(len.min(bytes.len()))?;
        let header: [u8; FRAME_HEADER_LEN] = encode_frame_header(bytes.arbitrary()?, body.len());
        stream.extend_from_slice(&header);
        stream.extend_from_slice(body);
    }
    Ok(stream)
}
