//! All keys and what they hold.

use crate::collection::{Blob, Collection};
use crate::digest::Digest;
use crate::entry::{Entry, Meta};
use imbl::{OrdMap, OrdSet};

/// Keys with values of the store's own type, which is Redis' string, and keys with Redis' other types:
/// a key is of one of the two. Cloning shares them, in no time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyspace {
    texts: OrdSet<Entry>,
    collections: OrdMap<Blob, Collection>,
    /// Each key that has an end, after the time of its end.
    deadlines: OrdSet<(u64, Blob)>,
    digest: Digest,
}

impl Keyspace {
    pub(crate) fn texts(&self) -> &OrdSet<Entry> {
        &self.texts
    }

    pub(crate) fn collections(&self) -> &OrdMap<Blob, Collection> {
        &self.collections
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len() + self.collections.len()
    }

    pub(crate) fn text(&self, key: &[u8]) -> Option<&Entry> {
        self.texts.get(key)
    }

    pub(crate) fn collection(&self, key: &[u8]) -> Option<&Collection> {
        self.collections.get(key)
    }

    /// The keys after this one, or all, ascending.
    pub(crate) fn after(&self, last: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
        let range = crate::collection::after(last);
        let mut texts = self.texts.range::<_, [u8]>(range).map(Entry::key).peekable();
        let collections = self.collections.range::<_, [u8]>(range);
        let mut collections = collections.map(|(key, _)| &key[..]).peekable();
        std::iter::from_fn(move || match (texts.peek(), collections.peek()) {
            (Some(text), Some(collection)) if text < collection => texts.next(),
            (Some(_), None) => texts.next(),
            _ => collections.next(),
        })
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.text(key).is_some() || self.collection(key).is_some()
    }

    /// When the key was last written to, and when it ends; `None` where there is none.
    pub(crate) fn meta(&self, key: &[u8]) -> Option<Meta> {
        let text = self.text(key).map(Entry::meta);
        text.or_else(|| self.collection(key).map(|collection| collection.meta))
    }

    /// A number for what the key holds: 0 where there is none, and never `u64`'s upper half.
    pub(crate) fn version(&self, key: &[u8]) -> u64 {
        let mut digest = Digest::default();
        match (self.text(key), self.collection(key)) {
            (Some(entry), _) => digest.add_entry(entry),
            (None, Some(collection)) => digest.add_collection(key, collection),
            (None, None) => return 0,
        }
        (digest.value() >> 1).max(1)
    }

    /// The keys that end before this time, those that end first first.
    pub(crate) fn due(&self, now_ms: u64) -> impl Iterator<Item = &[u8]> {
        self.deadlines.iter().take_while(move |(end, _)| *end < now_ms).map(|(_, key)| &key[..])
    }

    /// Sets the key's value, whatever it held, and returns its entry before, if it had one.
    pub(crate) fn put_text(&mut self, key: &[u8], value: &[u8], meta: Meta) -> Option<Entry> {
        let entry = Entry::new(key, value, meta);
        self.digest.add_entry(&entry);
        let before = self.texts.insert(entry);
        match &before {
            Some(before) => self.forget_text(before),
            None => drop(self.remove_collection(key)),
        }
        self.note_end(key, meta);
        before
    }

    /// Sets what the key holds, whatever it held. A collection without items is none: the key is
    /// removed then.
    pub(crate) fn put_collection(&mut self, key: &[u8], collection: Collection) {
        if collection.body.len() == 0 {
            self.remove(key);
            return;
        }
        self.remove_text(key);
        self.remove_collection(key);
        self.digest.add_collection(key, &collection);
        self.note_end(key, collection.meta);
        self.collections.insert(key.into(), collection);
    }

    /// Changes what the key holds, if it is a collection.
    pub(crate) fn change_collection<R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut Collection) -> R,
    ) -> Option<R> {
        let collection = self.collections.get_mut(key)?;
        self.digest.remove_collection(key, collection);
        let before = collection.meta;
        let result = change(collection);
        let (after, is_empty) = (collection.meta, collection.body.len() == 0);
        if is_empty {
            self.collections.remove(key);
            self.forget_end(key, before);
            return Some(result);
        }
        self.digest.add_collection(key, collection);
        if before.end_ms != after.end_ms {
            self.forget_end(key, before);
            self.note_end(key, after);
        }
        Some(result)
    }

    /// Changes when the key ends and when it was written to; whether there is one.
    pub(crate) fn set_meta(&mut self, key: &[u8], meta: Meta) -> bool {
        if let Some(entry) = self.texts.get(key) {
            let entry = entry.clone();
            self.put_text(key, entry.value(), meta);
            return true;
        }
        self.change_collection(key, |collection| collection.meta = meta).is_some()
    }

    /// Removes the key, whatever it holds; whether there was one.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.remove_text(key).is_some() || self.remove_collection(key).is_some()
    }

    pub(crate) fn remove_text(&mut self, key: &[u8]) -> Option<Entry> {
        let before = self.texts.remove(key)?;
        self.forget_text(&before);
        Some(before)
    }

    pub(crate) fn remove_collection(&mut self, key: &[u8]) -> Option<Collection> {
        let before = self.collections.remove(key)?;
        self.digest.remove_collection(key, &before);
        self.forget_end(key, before.meta);
        Some(before)
    }

    fn forget_text(&mut self, before: &Entry) {
        self.digest.remove_entry(before);
        self.forget_end(before.key(), before.meta());
    }

    fn note_end(&mut self, key: &[u8], meta: Meta) {
        if let Some(end) = meta.end_ms {
            self.deadlines.insert((end, key.into()));
        }
    }

    fn forget_end(&mut self, key: &[u8], meta: Meta) {
        if let Some(end) = meta.end_ms {
            self.deadlines.remove(&(end, Blob::from(key)));
        }
    }
}
