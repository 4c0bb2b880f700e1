//! The bytes of every kind of message and record, in `golden.txt`. `ALTHING_REWRITE=1` rewrites the
//! file: then the protocol version, or the journal's, has to change with it.

mod sample;

use althing_wire::{Kind, Message, NodeRecord};
use bytes::Bytes;
use std::fmt::Write;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.txt");

/// Broken: two builds of one version do not understand each other, or not an old journal.
#[test]
fn bytes_stay_as_they_are() {
    let mut fresh = String::new();
    for (name, message) in sample::messages() {
        writeln!(fresh, "{name}: {}", hex(&message.encode())).unwrap();
    }
    for (name, record) in sample::records() {
        writeln!(fresh, "{name}: {}", hex(&record.encode())).unwrap();
    }
    if std::env::var_os("ALTHING_REWRITE").is_some() {
        std::fs::write(GOLDEN, &fresh).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (fresh, golden) in fresh.lines().zip(golden.lines()) {
        assert_eq!(fresh, golden, "the format changed");
    }
    assert_eq!(fresh.lines().count(), golden.lines().count());
}

/// Broken: what was written by an earlier build reads as something else.
#[test]
fn golden_bytes_read_as_their_samples() {
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    let bytes_of = |name: &str| {
        let line = golden.lines().find_map(|line| {
            let (own, hex) = line.split_once(": ")?;
            (own == name).then_some(hex)
        });
        unhex(line.unwrap_or_else(|| panic!("{name} has no golden bytes")))
    };
    for (name, message) in sample::messages() {
        let read = Message::decode(message.kind(), bytes_of(&name));
        assert_eq!(read, Ok(message), "{name}");
    }
    for (name, record) in sample::records() {
        let read = NodeRecord::decode(record.kind(), bytes_of(&name));
        assert_eq!(read, Ok(record), "{name}");
    }
}

/// Broken: a field that a later version adds makes an earlier one refuse the message.
#[test]
fn unknown_fields_are_skipped() {
    // Field 1000, a number; field 1001, three bytes.
    let later = [0xc0, 0x3e, 42, 0xca, 0x3e, 3, b'n', b'e', b'w'];
    for (name, message) in sample::messages() {
        let body = Bytes::from([&message.encode()[..], &later].concat());
        assert_eq!(Message::decode(message.kind(), body), Ok(message), "{name}");
    }
}

/// Broken: numbers of kinds could be given twice or be forgotten by the golden file.
#[test]
fn kinds_are_told_apart() {
    let numbers: Vec<u8> = NodeRecord::KINDS.iter().map(|(number, _)| *number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert!(Kind::ALL.iter().is_sorted_by(|a, b| a < b));
    let unknown = NodeRecord::decode(0, Bytes::new()).unwrap_err();
    assert_eq!(unknown.to_string(), "NodeRecord: kind: kind 0 is unknown to this version");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
