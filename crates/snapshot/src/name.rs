//! The names of files, which tell what they hold.

use crate::digest::Digest;

/// A file of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// Finished.
    Snapshot(u64),
    /// Being written from this node's own state.
    Draft(u64),
    /// Being fetched from a peer.
    Fetch(u64, Digest),
}

impl Name {
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Snapshot(number) | Self::Draft(number) | Self::Fetch(number, _) => number,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Snapshot(number) => format!("snapshot-{number:016x}"),
            Self::Draft(number) => format!("snapshot-{number:016x}.draft"),
            Self::Fetch(number, digest) => format!("snapshot-{number:016x}-{digest}.fetch"),
        }
    }

    /// `None` for what is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("snapshot-")?;
        let number = u64::from_str_radix(rest.get(..16)?, 16).ok()?;
        let name = match &rest[16..] {
            "" => Self::Snapshot(number),
            ".draft" => Self::Draft(number),
            fetch => {
                let digest = fetch.strip_prefix('-')?.strip_suffix(".fetch")?;
                Self::Fetch(number, Digest::parse(digest)?)
            }
        };
        // Other spellings of the same number would be another file.
        (name.text() == text).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_no_others() {
        // If this failed, a draft could pass for a snapshot, or a foreign file be removed.
        for name in [Name::Snapshot(7), Name::Draft(u64::MAX), Name::Fetch(3, Digest([0xa5; 32]))] {
            assert_eq!(Name::parse(&name.text()), Some(name));
        }
        for foreign in [
            "lock",
            "snapshot-7",
            "snapshot-000000000000000A",
            "snapshot-+00000000000000a",
            "snapshot-0000000000000001.old",
            "snapshot-000000000000000é",
            "snapshot-0000000000000001-00.fetch",
        ] {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
