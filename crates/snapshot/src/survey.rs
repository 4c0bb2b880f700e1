//! Looking at snapshots from outside, without the store: of any cluster, also while a node runs.

use althing_journal::disk::{Disk, DiskFile};

use crate::error::SnapshotError;
use crate::format::{HEADER_BYTES, Header};
use crate::name::Name;
use crate::read::{Reader, read_exact};
use crate::store::{Listed, read_footer};

/// What the two ends of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Whose it is.
    pub cluster: [u8; 16],
    /// Which snapshot.
    pub listed: Listed,
}

/// The names of all finished snapshots of a directory, oldest first.
///
/// # Errors
/// A failing disk.
pub fn finished<D: Disk>(disk: &D) -> Result<Vec<String>, SnapshotError> {
    let location = disk.location();
    let names = disk.list().map_err(|source| SnapshotError::io("list", &location, source))?;
    let mut numbers: Vec<Name> = names.iter().filter_map(|name| Name::parse(name)).collect();
    numbers.retain(|name| matches!(name, Name::Snapshot(_)));
    numbers.sort();
    Ok(numbers.into_iter().map(Name::text).collect())
}

/// Opens a file, whatever its name, and reads its two ends. The pieces are proven as they are read; the
/// last of them proves the digest.
///
/// # Errors
/// It is none, of another version, or damaged; a failing disk.
pub fn open<D: Disk>(disk: &D, name: &str) -> Result<(Survey, Reader<D>), SnapshotError> {
    let failed = |operation| move |source| SnapshotError::io(operation, name, source);
    let file = disk.open_read(name).map_err(failed("open"))?;
    let len = file.len().map_err(failed("measure"))?;
    let mut bytes = [0; HEADER_BYTES];
    read_exact(&file, name, &mut bytes, 0)?;
    let header = Header::read(&bytes, name)?;
    let (_, footer) = read_footer(&file, name, len)?;
    let listed = Listed { number: header.number, len, digest: footer.digest };
    let reader = Reader::open(disk, name.to_owned(), header, listed, None)?;
    Ok((Survey { cluster: header.cluster, listed }, reader))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Damage, Piece, Store};
    use althing_journal::memory::MemoryDisk;

    /// Broken: a backup cannot be looked at before it is needed, or a damaged one looks sound.
    #[test]
    fn a_file_is_read_whatever_its_name_and_its_damage_shows() {
        let disk = MemoryDisk::new();
        let (store, _) = Store::open(disk.clone(), [7; 16], 2).unwrap();
        let mut draft = store.begin(3).unwrap();
        let piece = Piece { kind: 2, bytes: b"a piece"[..].into() };
        draft.push(&piece).unwrap();
        let listed = draft.finish().unwrap();
        // While the store is open.
        let names = finished(&disk).unwrap();
        assert_eq!(names.len(), 1);
        disk.rename(&names[0], "backup").unwrap();
        let (survey, reader) = open(&disk, "backup").unwrap();
        assert_eq!(survey, Survey { cluster: [7; 16], listed });
        assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), [piece]);
        disk.edit("backup", |bytes| bytes[70] ^= 1);
        // All of it is one chunk, which is proven when the file is opened.
        let refused = open(&disk, "backup").err();
        assert!(
            matches!(refused, Some(SnapshotError::Damaged { damage: Damage::Chunk, .. })),
            "{refused:?}"
        );
        disk.edit("backup", |bytes| bytes[3] ^= 1);
        let refused = open(&disk, "backup").err();
        assert!(
            matches!(refused, Some(SnapshotError::Damaged { damage: Damage::Header, .. })),
            "{refused:?}"
        );
    }
}
