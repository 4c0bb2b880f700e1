//! Members.

use super::Blob;
use crate::digest;
use imbl::OrdSet;

/// A set of members, ascending.
#[derive(Debug, Clone, Default)]
pub(crate) struct Set {
    members: OrdSet<Blob>,
    digest: u64,
}

impl Set {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        self.members.contains(member)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Blob> {
        self.members.iter()
    }

    /// The members after this one, or all.
    pub(crate) fn after(&self, member: Option<&[u8]>) -> impl Iterator<Item = &Blob> {
        self.members.range::<_, [u8]>(super::after(member))
    }

    /// Whether it is new.
    pub(crate) fn insert(&mut self, member: &[u8]) -> bool {
        if self.contains(member) {
            return false;
        }
        self.digest = self.digest.wrapping_add(digest::hash(member, &[]));
        self.members.insert(member.into());
        true
    }

    /// Whether there was one to remove.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let was = self.members.remove(member).is_some();
        if was {
            self.digest = self.digest.wrapping_sub(digest::hash(member, &[]));
        }
        was
    }
}
