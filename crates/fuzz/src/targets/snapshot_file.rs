//! The files of snapshots: one that was written in order, then damaged; and one that is fetched, of
//! peers that send whatever they like.

use crate::allocation::bounded;
use crate::target::any_bytes;
use crate::{Outcomes, Target};
use althing_journal::memory::MemoryDisk;
use althing_model::NodeId;
use althing_snapshot::limits::{ASKS_MAX, CHUNK_BYTES, TIMEOUT_US};
use althing_snapshot::{Ask, Chunk, Digest, Fetch, Listed, Piece, SnapshotError, Store, serve};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target = Target {
    name: "snapshot_file",
    run,
    len_max: 1024,
    generate: any_bytes,
    words: &["ALTHSNAP", "ALTHSEND"],
};

const CLUSTER: [u8; 16] = *b"a cluster of us.";
const ANOTHER: [u8; 16] = *b"and one of them.";
/// Of the snapshot that there is.
const NUMBER: u64 = 7;
/// Files are at most a few hundred KiB: a chunk, what hashes it, and the copies that a disk in memory
/// makes of them.
const MEMORY: usize = 8 << 20;
/// So many messages bring a small snapshot over from one honest peer.
const ENOUGH: usize = 200;

fn run(data: &[u8], outcomes: &mut Outcomes) {
    let mut bytes = Unstructured::new(data);
    // Bytes that end early end the story.
    let _ = match bytes.arbitrary::<bool>() {
        Ok(true) => damage_and_read(&mut bytes, outcomes),
        _ => fetch(&mut bytes, outcomes),
    };
}

/// What is read is what was written, or an error.
fn damage_and_read(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let disk = MemoryDisk::new();
    let written = pieces(bytes)?;
    write(&disk, CLUSTER, NUMBER, &written);
    let mut has_changed = false;
    for _ in 0..bytes.int_in_range(0..=3)? {
        has_changed |= edit(bytes, &disk, outcomes)?;
    }
    let found = bounded(MEMORY, || {
        let (store, listed) = Store::open(disk.clone(), CLUSTER, 2)?;
        assert!(listed.len() <= disk.names().len());
        for unusable in store.unusable() {
            assert!(!unusable.to_string().is_empty(), "the operator is told");
        }
        let read = store.read(NUMBER)?.collect::<std::result::Result<Vec<Piece>, _>>();
        Ok((read, store.verify(NUMBER).is_ok()))
    });
    let (read, is_verified) = found.unwrap_or_else(|error| (Err(error), false));
    match read {
        Ok(read) => {
            outcomes.note(("read", read.len().min(4), has_changed));
            assert_eq!(read, written, "pieces that nobody wrote");
        }
        Err(error) => {
            assert!(has_changed, "a sound snapshot is refused: {error}");
            let text = error.to_string();
            outcomes.note(text.replace(|c: char| c.is_ascii_hexdigit(), ""));
            assert!(!is_verified, "what cannot be read is said to be whole: {error}");
        }
    }
    Ok(())
}

/// What is fetched is what was offered, whatever else was sent; and an honest peer is enough.
fn fetch(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let (theirs, foreign, ours) = (MemoryDisk::new(), MemoryDisk::new(), MemoryDisk::new());
    let written = pieces(bytes)?;
    write(&theirs, CLUSTER, NUMBER, &written);
    write(&foreign, ANOTHER, NUMBER + 1, &written);
    let (theirs, _) = Store::open(theirs, CLUSTER, 2).expect("it is sound");
    let (foreign, _) = Store::open(foreign, ANOTHER, 2).expect("it is sound");
    let genuine = theirs.list()[0];
    let mut now = 0;
    let (mut store, mut fetch) = begin(&ours);
    let mut asked: Vec<(NodeId, Ask)> = Vec::new();
    while !bytes.is_empty() && fetch.finished().is_none() {
        let peer = NodeId(bytes.int_in_range(1..=3)?);
        match bytes.int_in_range(0..=11)? {
            0 | 1 => {
                let offer = offer(bytes, genuine, foreign.list()[0])?;
                outcomes.note(("offer", fetch.on_offer(peer, offer)));
            }
            2 => fetch.on_refused(peer, NUMBER + bytes.int_in_range(0..=1)?),
            3 => fetch.on_peer_down(peer),
            4 => {
                drop((fetch, store));
                ours.kill();
                (store, fetch) = begin(&ours);
            }
            5 => now += bytes.int_in_range(0..=2 * TIMEOUT_US)?,
            6 => {
                // A file half fetched is changed behind its back.
                let names = ours.names();
                if let Ok(name) = bytes.choose(&names) {
                    let (place, mask) = (bytes.arbitrary::<u16>()?, bytes.arbitrary::<u8>()?);
                    ours.edit(name, |file| {
                        if let Some(byte) = file.get_mut(usize::from(place)) {
                            *byte ^= mask;
                        }
                    });
                }
            }
            _ => {}
        }
        let asks = bounded(MEMORY, || fetch.poll(now));
        match asks {
            Ok(asks) => {
                assert!(asks.len() <= ASKS_MAX);
                assert!(asks.iter().all(|(_, ask)| ask.len as usize <= CHUNK_BYTES));
                asked.extend(asks);
            }
            Err(error) => note(outcomes, &error),
        }
        let Some(back) = asked.len().checked_sub(1) else { continue };
        if !bytes.ratio(2, 3)? {
            continue;
        }
        let at = bytes.int_in_range(0..=back)?;
        let (peer, ask) = if bytes.ratio(1, 4)? { asked[at] } else { asked.swap_remove(at) };
        if asked.len() > 32 {
            asked.clear();
        }
        let chunk = chunk(bytes, [&theirs, &foreign], ask)?;
        match bounded(MEMORY, || fetch.on_chunk(peer, &chunk)) {
            Ok(taken) => outcomes.note(("chunk", taken as u8)),
            Err(error) => note(outcomes, &error),
        }
    }
    outcomes.note(("finished", fetch.finished().is_some(), fetch.is_starved()));
    if let Some(finished) = fetch.finished() {
        assert_eq!(finished, genuine, "nobody has that");
        assert_eq!(read(&store), written, "pieces that nobody wrote");
        return Ok(());
    }
    // Whatever is on its disk by now.
    drop((fetch, store));
    ours.kill();
    let (store, mut fetch) = begin(&ours);
    let honest = NodeId(9);
    for _ in 0..ENOUGH {
        if fetch.finished().is_some() {
            break;
        }
        fetch.on_offer(honest, genuine);
        for (peer, ask) in fetch.poll(now).expect("memory does not fail") {
            let chunk = serve(&theirs, ask).expect("it asks for what there is");
            fetch.on_chunk(peer, &chunk).expect("memory does not fail");
        }
        now += TIMEOUT_US;
    }
    assert_eq!(fetch.finished(), Some(genuine), "an honest peer is not enough");
    assert_eq!(read(&store), written, "pieces that nobody wrote");
    Ok(())
}

fn note(outcomes: &mut Outcomes, error: &SnapshotError) {
    outcomes.note(error.to_string().replace(|c: char| c.is_ascii_hexdigit(), ""));
}

fn begin(disk: &MemoryDisk) -> (Store<MemoryDisk>, Fetch<MemoryDisk>) {
    let (store, _) = Store::open(disk.clone(), CLUSTER, 2).expect("half a file is no reason");
    let fetch = Fetch::new(store.clone(), 1, TIMEOUT_US);
    (store, fetch)
}

fn read(store: &Store<MemoryDisk>) -> Vec<Piece> {
    let pieces = store.read(NUMBER).expect("it is listed");
    pieces.collect::<std::result::Result<_, _>>().expect("it was proven")
}

/// A few pieces; some are longer than what a file is cut into.
fn pieces(bytes: &mut Unstructured<'_>) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for index in 0..bytes.int_in_range(0..=3u8)? {
        let len = match bytes.int_in_range(0..=15)? {
            0 => CHUNK_BYTES - 100 + bytes.int_in_range(0..=200)?,
            _ => bytes.int_in_range(0..=60)?,
        };
        let content: Vec<u8> = (0..len).map(|at| (at * 7 + at / 251) as u8 ^ index).collect();
        pieces.push(Piece { kind: bytes.arbitrary()?, bytes: content.into() });
    }
    Ok(pieces)
}

fn write(disk: &MemoryDisk, cluster: [u8; 16], number: u64, pieces: &[Piece]) {
    let (store, _) = Store::open(disk.clone(), cluster, 2).expect("nothing is there");
    let mut draft = store.begin(number).expect("nothing is there");
    for piece in pieces {
        draft.push(piece).expect("it is within the limits");
    }
    draft.finish().expect("memory does not fail");
}

/// Changes something behind the store's back; whether a file may be another now.
fn edit(bytes: &mut Unstructured<'_>, disk: &MemoryDisk, outcomes: &mut Outcomes) -> Result<bool> {
    let names: Vec<String> =
        disk.names().into_iter().filter(|name| !disk.bytes(name).is_empty()).collect();
    if names.is_empty() {
        return Ok(false);
    }
    let name = bytes.choose(&names)?.clone();
    let len = disk.bytes(&name).len();
    // Ends are where most is decided.
    let place = match bytes.int_in_range(0..=2)? {
        0 => bytes.int_in_range(0..=len.min(96) - 1)?,
        1 => len - 1 - bytes.int_in_range(0..=len.min(160) - 1)?,
        _ => bytes.int_in_range(0..=len - 1)?,
    };
    let kind = bytes.int_in_range(0..=6)?;
    outcomes.note(("edit", kind));
    match kind {
        0..=2 => {
            let mask = bytes.int_in_range(1..=255u8)?;
            disk.edit(&name, |file| file[place] ^= mask);
        }
        3 => disk.edit(&name, |file| file.truncate(place)),
        4 => {
            let more = bytes.int_in_range(1..=200)?;
            disk.edit(&name, |file| file.resize(len + more, 0));
        }
        5 => {
            let content = bytes.bytes(bytes.len().min(64))?.to_vec();
            disk.edit(&name, |file| {
                for (old, new) in file[place..].iter_mut().zip(&content) {
                    *old = *new;
                }
            });
        }
        _ => disk.lose(&name),
    }
    Ok(true)
}

fn offer(bytes: &mut Unstructured<'_>, genuine: Listed, foreign: Listed) -> Result<Listed> {
    Ok(match bytes.int_in_range(0..=7)? {
        0..=3 => genuine,
        4 => foreign,
        // Another cluster's, or another's length, under a number of ours.
        5 => Listed { number: NUMBER, ..foreign },
        6 => Listed { len: genuine.len + bytes.int_in_range(0..=100)? - 50, ..genuine },
        _ => Listed {
            number: bytes.int_in_range(0..=9)?,
            len: bytes.arbitrary()?,
            digest: Digest(bytes.arbitrary()?),
        },
    })
}

/// What a peer sends when it is asked for this.
fn chunk(
    bytes: &mut Unstructured<'_>,
    [theirs, foreign]: [&Store<MemoryDisk>; 2],
    ask: Ask,
) -> Result<Chunk> {
    let genuine = serve(theirs, Ask { number: NUMBER, ..ask }).ok();
    let other = || serve(foreign, Ask { number: NUMBER + 1, ..ask }).ok();
    let len = (ask.len as usize).min(CHUNK_BYTES);
    let zeros = || Chunk::new(ask.number, ask.offset, vec![0; len].into());
    Ok(match (bytes.int_in_range(0..=9)?, genuine) {
        (0..=4, Some(genuine)) => genuine,
        // Changed on the way, or sent so.
        (5, Some(genuine)) => Chunk { checksum: genuine.checksum ^ 1, ..genuine },
        (6, Some(genuine)) if !genuine.bytes.is_empty() => {
            let mut content = genuine.bytes.to_vec();
            let place = bytes.int_in_range(0..=content.len() - 1)?;
            content[place] ^= bytes.int_in_range(1..=255u8)?;
            Chunk::new(ask.number, ask.offset, content.into())
        }
        (7, _) => other().map_or_else(zeros, |it| Chunk::new(ask.number, ask.offset, it.bytes)),
        (8, _) => {
            let content = Bytes::copy_from_slice(bytes.bytes(bytes.len().min(32))?);
            let offset = bytes.arbitrary::<u64>()?;
            Chunk::new(ask.number, offset, content)
        }
        _ => zeros(),
    })
}
