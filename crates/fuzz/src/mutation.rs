//! Inputs from inputs: flipped, cut, spliced, with numbers and words that decoders care about.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Numbers at the edges of types and of the formats' limits.
const EDGES: [u64; 22] = [
    0,
    1,
    2,
    16,
    127,
    128,
    255,
    256,
    511,
    512,
    4095,
    4096,
    65_535,
    65_536,
    (1 << 20) + 1,
    (4 << 20) + 1,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    (1 << 62) - 1,
    1 << 62,
    u64::MAX,
];

/// Changes `input` in one to eight places; `other` is another input to take parts of.
pub(crate) fn mutate(
    input: &mut Vec<u8>,
    other: &[u8],
    words: &[&str],
    len_max: usize,
    rng: &mut ChaCha8Rng,
) {
    for _ in 0..1 << rng.random_range(0..4u32) {
        change(input, other, words, rng);
    }
    input.truncate(len_max);
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&str], rng: &mut ChaCha8Rng) {
    let place = rng.random_range(0..=input.len());
    let range = place..(place + rng.random_range(0..32)).min(input.len());
    match rng.random_range(0..13u32) {
        0 | 1 => flip(input, place, rng.random_range(0..8u32)),
        2 => set(input, place, &[rng.random()]),
        3 => set(input, place, &edge(rng)),
        4 => insert(input, place, &edge(rng)),
        // A length that is one off.
        5 => nudge(input, place, if rng.random() { 1 } else { 255 }),
        6 => drop(input.drain(range)),
        7 => input.truncate(place),
        8 => {
            let repeated = input[range].repeat(rng.random_range(1..8));
            insert(input, place, &repeated);
        }
        9 => {
            let fresh: Vec<u8> = (0..rng.random_range(1..16)).map(|_| rng.random()).collect();
            insert(input, place, &fresh);
        }
        10 if !words.is_empty() => {
            insert(input, place, words[rng.random_range(0..words.len())].as_bytes());
        }
        // The end of another input, or a piece of it.
        11 => {
            let from = rng.random_range(0..=other.len());
            input.truncate(place);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let from = rng.random_range(0..=other.len());
            let to = (from + rng.random_range(0..64)).min(other.len());
            insert(input, place, &other[from..to]);
        }
    }
}

fn flip(input: &mut [u8], place: usize, bit: u32) {
    if let Some(byte) = input.get_mut(place) {
        *byte ^= 1 << bit;
    }
}

fn nudge(input: &mut [u8], place: usize, by: u8) {
    if let Some(byte) = input.get_mut(place) {
        *byte = byte.wrapping_add(by);
    }
}

fn set(input: &mut [u8], place: usize, bytes: &[u8]) {
    for (old, new) in input[place..].iter_mut().zip(bytes) {
        *old = *new;
    }
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    input.splice(place..place, bytes.iter().copied());
}

/// A number at an edge, in one of the forms in which decoders read numbers.
fn edge(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let number = EDGES[rng.random_range(0..EDGES.len())];
    match rng.random_range(0..6u32) {
        0 => vec![number as u8],
        1 => (number as u16).to_be_bytes().to_vec(),
        2 => (number as u32).to_be_bytes().to_vec(),
        3 => number.to_le_bytes().to_vec(),
        4 => number.to_string().into_bytes(),
        _ => varint(number),
    }
}

/// As protobuf writes a number.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
