//! Fields and their values.

use super::Blob;
use crate::digest;
use imbl::OrdMap;

/// A map from fields to values, ascending by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hash {
    fields: OrdMap<Blob, Blob>,
    digest: u64,
}

impl Hash {
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn get(&self, field: &[u8]) -> Option<&Blob> {
        self.fields.get(field)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Blob, &Blob)> {
        self.fields.iter()
    }

    /// The fields after this one, or all.
    pub(crate) fn after(&self, field: Option<&[u8]>) -> impl Iterator<Item = (&Blob, &Blob)> {
        self.fields.range::<_, [u8]>(super::after(field))
    }

    /// Sets the field; whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.digest = self.digest.wrapping_add(digest::hash(field, value));
        let before = self.fields.insert(field.into(), value.into());
        if let Some(before) = &before {
            self.digest = self.digest.wrapping_sub(digest::hash(field, before));
        }
        before.is_none()
    }

    /// Whether there was one to remove.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        let before = self.fields.remove(field);
        if let Some(before) = &before {
            self.digest = self.digest.wrapping_sub(digest::hash(field, before));
        }
        before.is_some()
    }
}
