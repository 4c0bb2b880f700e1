//! One lane's queue: senders on any thread put frames in, one writer task takes out all that there
//! is and writes it to the lane's stream in one go.
//!
//! Small frames are copied together into pieces as they are queued, so that a thousand messages
//! cost QUIC a few writes. What is queued counts until it is written, so that a stalled peer fills
//! the queue, and the queue then refuses.

use crate::limits;
use althing_wire::frame::{FRAME_HEADER_LEN, encode_frame_header};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// Why a lane took no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotQueued {
    /// It holds as much as it may.
    Full,
    /// Nobody writes it any more.
    Closed,
}

/// A lane's queue.
pub(crate) struct Lane {
    frames_max: usize,
    bytes_max: usize,
    queue: Mutex<Queue>,
    /// Wakes the writer; a permit is left when it is not waiting yet.
    wake: Notify,
}

#[derive(Default)]
struct Queue {
    /// Full pieces and large bodies, in order.
    sealed: VecDeque<Piece>,
    /// The piece that small frames are being copied into.
    open: BytesMut,
    open_frames: usize,
    /// Everything not yet written, also what the writer has taken and not finished.
    frames: usize,
    bytes: usize,
    /// Whether the writer found nothing and waits.
    idle: bool,
    finishing: bool,
    closed: bool,
}

struct Piece {
    bytes: Bytes,
    frames: usize,
}

/// What a writer took, to be reported as [`Lane::written`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl Lane {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { frames_max, bytes_max, queue: Mutex::default(), wake: Notify::new() }
    }

    /// Queues a frame. An empty queue takes a frame of any length, or a short limit would shut out
    /// long frames for ever.
    pub(crate) fn push(&self, kind: u8, body: Bytes) -> Result<(), NotQueued> {
        let header = encode_frame_header(kind, body.len());
        let len = FRAME_HEADER_LEN + body.len();
        let mut queue = self.lock();
        if queue.closed || queue.finishing {
            return Err(NotQueued::Closed);
        }
        let full = queue.frames >= self.frames_max || queue.bytes + len > self.bytes_max;
        if full && queue.frames > 0 {
            return Err(NotQueued::Full);
        }
        queue.frames += 1;
        queue.bytes += len;
        queue.open_frames += 1;
        queue.open.extend_from_slice(&header);
        if body.len() <= limits::COPIED_BODY_LEN_MAX {
            queue.open.extend_from_slice(&body);
            if queue.open.len() >= limits::PIECE_BYTES {
                queue.seal();
            }
        } else {
            queue.seal();
            queue.sealed.push_back(Piece { bytes: body, frames: 0 });
        }
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for frames and takes up to [`limits::WRITE_BYTES_MAX`] of them as pieces; `None` once
    /// the lane is to finish and is empty, or is closed.
    pub(crate) async fn take(&self, pieces: &mut Vec<Bytes>) -> Option<Taken> {
        loop {
            {
                let mut queue = self.lock();
                let taken = queue.take(pieces);
                if taken.bytes > 0 {
                    return Some(taken);
                }
                if queue.finishing || queue.closed {
                    return None;
                }
                queue.idle = true;
            }
            self.wake.notified().await;
        }
    }

    /// Frees the room of what was taken and is now written.
    pub(crate) fn written(&self, taken: Taken) {
        let mut queue = self.lock();
        // A close has already forgotten everything.
        queue.frames = queue.frames.saturating_sub(taken.frames);
        queue.bytes = queue.bytes.saturating_sub(taken.bytes);
    }

    /// Takes no more frames; the writer ends once the queue is written.
    pub(crate) fn finish(&self) {
        self.lock().finishing = true;
        self.wake.notify_one();
    }

    /// Takes no more frames and forgets those it has.
    pub(crate) fn close(&self) {
        *self.lock() = Queue { closed: true, ..Queue::default() };
        self.wake.notify_one();
    }

    /// The frames not yet written.
    pub(crate) fn frames(&self) -> usize {
        self.lock().frames
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no panic while the queue is held")
    }
}

impl Queue {
    fn seal(&mut self) {
        let bytes = self.open.split().freeze();
        let frames = std::mem::take(&mut self.open_frames);
        self.sealed.push_back(Piece { bytes, frames });
    }

    fn take(&mut self, pieces: &mut Vec<Bytes>) -> Taken {
        let mut taken = Taken::default();
        if self.sealed.is_empty() && !self.open.is_empty() {
            self.seal();
        }
        while taken.bytes < limits::WRITE_BYTES_MAX {
            let Some(piece) = self.sealed.pop_front() else {
                break;
            };
            taken.frames += piece.frames;
            taken.bytes += piece.bytes.len();
            pieces.push(piece.bytes);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_wire::frame::FrameDecoder;

    fn body(byte: u8, len: usize) -> Bytes {
        Bytes::from(vec![byte; len])
    }

    async fn drained(lane: &Lane) -> (Vec<u8>, usize) {
        lane.finish();
        let (mut pieces, mut writes) = (Vec::new(), 0);
        while let Some(taken) = lane.take(&mut pieces).await {
            lane.written(taken);
            writes += 1;
        }
        (pieces.concat(), writes)
    }

    /// Broken: coalescing loses, reorders or corrupts frames, or does not coalesce.
    #[tokio::test]
    async fn frames_come_out_in_order_and_together() {
        let lane = Lane::new(usize::MAX, usize::MAX);
        let lens = [0, 1, 256, 4096, 4097, 70_000, 3];
        for round in 0..100 {
            for (kind, len) in lens.into_iter().enumerate() {
                lane.push(kind as u8, body(round, len)).unwrap();
            }
        }
        assert_eq!(lane.frames(), 700);
        let (stream, writes) = drained(&lane).await;
        let expected_writes = stream.len() / limits::WRITE_BYTES_MAX;
        assert!(writes <= expected_writes + 1, "{writes} writes");
        let (mut stream, mut decoder) = (Bytes::from(stream), FrameDecoder::new());
        for round in 0..100 {
            for (kind, len) in lens.into_iter().enumerate() {
                let frame = decoder.decode(&mut stream, |_, _| Ok::<_, ()>(())).unwrap().unwrap();
                assert_eq!((frame.kind, frame.body), (kind as u8, body(round, len)));
            }
        }
        assert_eq!((stream.len(), lane.frames()), (0, 0));
    }

    /// Broken: a peer that does not read makes the queue grow for ever, or a limit below the length
    /// of one frame shuts that frame out for ever.
    #[tokio::test]
    async fn a_queue_is_bounded_until_it_is_written() {
        let by_frames = Lane::new(2, usize::MAX);
        for kind in 0..2 {
            by_frames.push(kind, Bytes::new()).unwrap();
        }
        assert_eq!(by_frames.push(2, Bytes::new()), Err(NotQueued::Full));
        let taken = by_frames.take(&mut Vec::new()).await.unwrap();
        assert_eq!(by_frames.push(2, Bytes::new()), Err(NotQueued::Full), "taken, not written");
        by_frames.written(taken);
        assert_eq!(by_frames.push(2, Bytes::new()), Ok(()));

        let by_bytes = Lane::new(usize::MAX, 100);
        assert_eq!(by_bytes.push(0, body(0, 1000)), Ok(()));
        assert_eq!(by_bytes.push(0, Bytes::new()), Err(NotQueued::Full));
        by_bytes.close();
        assert_eq!(by_bytes.push(0, Bytes::new()), Err(NotQueued::Closed));
        assert_eq!(by_bytes.frames(), 0);
        assert_eq!(by_bytes.take(&mut Vec::new()).await, None);
    }
}
