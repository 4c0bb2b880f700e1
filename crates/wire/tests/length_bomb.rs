//! What decoding may allocate: in proportion to the body, and never past what the limits imply.

mod sample;

use althing_wire::{Kind, Message, NodeRecord, frame};
use bytes::Bytes;

/// The most memory in use at one time while a body is decoded.
fn peak(decode: impl FnOnce()) -> u64 {
    allocation_counter::measure(decode).bytes_max
}

/// A field of that number with a body.
fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// Broken: a few bytes that announce many make a node run out of memory.
#[test]
fn an_announced_length_takes_no_memory() {
    for number in 1..8 {
        for announced in [&[0xff, 0xff, 0xff, 0x7f][..], &[0xff; 9], &[0x80, 0x80, 0x80, 0x01]] {
            let bomb = [&[(number << 3 | 2) as u8], announced, &[1; 20]].concat();
            let bomb = Bytes::from([&field(number, &bomb)[..], &bomb].concat());
            for kind in Kind::ALL {
                let peak = peak(|| drop(Message::decode(*kind, bomb.clone())));
                assert!(peak < 4096, "{}: {peak} bytes", kind.name());
            }
            for (kind, name) in NodeRecord::KINDS {
                let peak = peak(|| drop(NodeRecord::decode(*kind, bomb.clone())));
                assert!(peak < 4096, "{name}: {peak} bytes");
            }
        }
    }
}

/// Broken: a frame full of elements of two bytes each takes a hundred times its length.
#[test]
fn repeated_small_elements_take_bounded_memory() {
    // A quarter of a full frame shows the factor as well as a full one.
    let full = frame::BODY_LEN_MAX as usize / 4;
    // A path of field numbers from the body down to the field that is repeated.
    let paths: [&[u32]; 18] = [
        &[1],
        &[2],
        &[3],
        &[2, 1],
        &[3, 1],
        &[1, 1],
        &[1, 5],
        &[4, 1],
        &[2, 2, 1],
        &[2, 2, 5],
        &[3, 2, 1],
        &[2, 1, 1],
        &[3, 1, 1],
        &[2, 1, 1, 2, 2],
        &[2, 1, 2, 2],
        &[2, 1, 1, 2, 4],
        &[2, 1, 2, 4],
        &[3, 2, 1, 1],
    ];
    for path in paths {
        let (last, outer) = path.split_last().unwrap();
        let empties = [(last << 3 | 2) as u8, 0].repeat(full / 2);
        let packed = field(*last, &vec![1; full]);
        let unpacked = [(last << 3) as u8, 1].repeat(full / 2);
        for inner in [empties, packed, unpacked] {
            let bomb = outer.iter().rev().fold(inner, |inner, number| field(*number, &inner));
            let bomb = Bytes::from(bomb);
            let check = |name: &str, peak: u64| {
                assert!(peak < 20 << 20, "{name} by {path:?}: {peak} bytes");
            };
            for kind in Kind::ALL {
                check(kind.name(), peak(|| drop(Message::decode(*kind, bomb.clone()))));
            }
            for (kind, name) in NodeRecord::KINDS {
                check(name, peak(|| drop(NodeRecord::decode(*kind, bomb.clone()))));
            }
        }
    }
}

/// Broken: a body just short enough not to be counted takes more than its share.
#[test]
fn a_short_body_takes_bounded_memory() {
    // Commands in a batch are the worst: two bytes each on the wire.
    let batch = [10, 0].repeat(16_000);
    let bomb = Bytes::from(field(2, &field(1, &batch)));
    let peak = peak(|| drop(Message::decode(Kind::Commit, bomb.clone())));
    assert!(peak < 8 << 20, "{peak} bytes");
}

/// Broken: decoding takes memory that the message does not need.
#[test]
fn a_sample_takes_little_more_than_itself() {
    for (name, message) in sample::messages() {
        let body = message.encode();
        let peak = peak(|| drop(Message::decode(message.kind(), body.clone())));
        assert!(peak < 4096, "{name}: {peak} bytes for {}", body.len());
    }
    for (name, record) in sample::records() {
        let body = record.encode();
        let peak = peak(|| drop(NodeRecord::decode(record.kind(), body.clone())));
        assert!(peak < 4096, "{name}: {peak} bytes for {}", body.len());
    }
}
