//! The bytes of format version 1, which every later release must open.

use crate::{ME, open, segment, written};

/// Broken: journals of earlier releases could not be opened any more. A change
/// of these bytes needs a new format version, and both to be read.
#[test]
fn version_1_is_these_bytes() {
    let (disk, mut journal, _) = written(&[]);
    journal.append(1, b"first").unwrap();
    journal.append(2, b"").unwrap();
    journal.commit().unwrap();
    journal.append(255, &[0xcc; 500]).unwrap();
    journal.commit().unwrap();
    journal.close().unwrap();
    let found = hex(&disk.bytes("superblock")) + "\n" + &hex(&disk.bytes(&segment(1))[..4 * 512]);
    assert_eq!(found, GOLDEN, "\n{found}\n");

    // And they are read as what they were.
    let (_, recovered, seen) = open(&disk).unwrap();
    assert_eq!((recovered.closed, ME.node), (true, 3));
    assert_eq!(seen[0], (1, 1, b"first".to_vec()));
    assert_eq!(seen[1], (2, 2, Vec::new()));
    assert_eq!(seen[2], (3, 255, vec![0xcc; 500]));
}

/// 32 bytes a line; a run of equal lines is one line with its count.
fn hex(bytes: &[u8]) -> String {
    let lines: Vec<String> = bytes
        .chunks(32)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    lines
        .chunk_by(|one, next| one == next)
        .map(|run| match run {
            [line] => line.clone(),
            run => format!("{} *{}", run[0], run.len()),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

const GOLDEN: &str = "\
414c54484a524e4c01000000030000006120636c7573746572206f662075732e
0100000000000000010000000000000004000000000000000200000000000000
0300000000000000b89ff28d0100000000000000000000000000000000000000
00000000000000000000000000000000000000000000000000000000718e9988
cd268bf600000000010000000000000048000400414c54485345474d01000000
030000006120636c7573746572206f662075732e010000000000000010000000
0000000001000000000000000100000000000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000 *12
00000000000000000000000000000000000000000000000000000000414c5448
dbe4737ecd268bf601000000000000002700030005000000b477a7e801000000
0000000001666972737400000000760addad0200000000000000020000000000
0000000000000000000000000000000000000000000000000000000000000000 *13
00000000000000000000000000000000000000000000000000000000414c5448
33b9060bdbe4737e0200000000000000e8010100f40100003f7e89b503000000
00000000ffcccccccccccccccccccccccccccccccccccccccccccccccccccccc
cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc *13
cccccccccccccccccccccccccccccccccccccccccccccccccccccccc414c5448
b89ff28d33b9060b02000000000000001d000200cccccccccccccccccccccccc
cccccccccccccccccccccccccccccccccc000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000 *13
00000000000000000000000000000000000000000000000000000000414c5448";
