//! What was read of each list, put together; and everything that contradicts it without a graph.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::account::{list_words, words};
use super::{Anomaly, Class, ListHistory, Step};
use crate::register_map::Blob;
use crate::{OperationId, Outcome};

/// The lists of a history.
#[derive(Debug, Default)]
pub(super) struct Lists<'h> {
    /// By key.
    pub(super) lists: BTreeMap<&'h Blob, List<'h>>,
    /// The operations that are known to have taken effect.
    pub(super) effective: BTreeSet<OperationId>,
}

/// One list.
#[derive(Debug, Default)]
pub(super) struct List<'h> {
    /// The longest that was read.
    pub(super) longest: &'h [u64],
    /// Who appended its elements.
    pub(super) writers: Vec<OperationId>,
    /// Who appended what was never read, with one such element.
    pub(super) unread: BTreeMap<OperationId, u64>,
    /// Who read it, and how much of it others had appended.
    pub(super) reads: Vec<(OperationId, &'h [u64])>,
}

/// An element's append.
#[derive(Debug, Clone, Copy)]
struct Append {
    by: OperationId,
    /// Which of its transaction's elements for this list it is, counted from 0.
    place: usize,
    /// Whether it is the last of them.
    is_last: bool,
    /// Whether it may have been done.
    is_possible: bool,
}

type Writers<'h> = FxHashMap<(&'h Blob, u64), Append>;

impl<'h> Lists<'h> {
    /// Reads the lists together.
    pub(super) fn read(history: &'h ListHistory) -> Result<Self, Box<Anomaly>> {
        let writers = writers(history);
        let mut lists = Self::default();
        for (id, operation) in history.ids().zip(history.operations()) {
            if let Outcome::Returned { output, .. } = &operation.outcome {
                lists.effective.insert(id);
                lists.add_reads(history, id, output)?;
            }
        }
        for (key, list) in &mut lists.lists {
            let of_list = OfList { history, writers: &writers, key };
            for (reader, seen) in &list.reads {
                of_list.check_elements(*reader, seen)?;
                if seen.len() > list.longest.len() {
                    list.longest = seen;
                }
            }
            for (reader, seen) in &list.reads {
                of_list.check_begins(*reader, seen, list)?;
            }
            list.writers = list.longest.iter().map(|e| writers[&(*key, *e)].by).collect();
            lists.effective.extend(&list.writers);
        }
        lists.add_unread(&writers);
        lists.check_lost(history)?;
        Ok(lists)
    }

    /// Takes what a transaction itself appended off its reads, and checks that it was there.
    fn add_reads(
        &mut self,
        history: &ListHistory,
        id: OperationId,
        steps: &'h [Step],
    ) -> Result<(), Box<Anomaly>> {
        let mut own: FxHashMap<&Blob, Vec<u64>> = FxHashMap::default();
        let mut seen: FxHashMap<&Blob, &[u64]> = FxHashMap::default();
        for step in steps {
            let (key, list) = match step {
                Step::Append { key, element } => {
                    own.entry(key).or_default().push(*element);
                    continue;
                }
                Step::Read { key, list } => (key, list),
            };
            let appended = own.get(key).map_or(&[][..], Vec::as_slice);
            let others = list.strip_suffix(appended).ok_or_else(|| {
                let what = format!(
                    "it appended {} to {key} and then read {}",
                    list_words(appended),
                    list_words(list)
                );
                internal(history, id, what)
            })?;
            match seen.insert(key, others) {
                None => {
                    self.lists.entry(key).or_default().reads.push((id, others));
                }
                Some(before) if before == others => {}
                Some(before) => {
                    let what = format!(
                        "what others appended to {key} was first {} and then {}",
                        list_words(before),
                        list_words(others)
                    );
                    return Err(internal(history, id, what));
                }
            }
        }
        Ok(())
    }

    /// Appends of effective transactions that nobody read.
    fn add_unread(&mut self, writers: &Writers<'h>) {
        let lists = self.lists.iter();
        let read =
            lists.flat_map(|(key, list)| list.longest.iter().map(|element| (*key, *element)));
        let read: FxHashSet<(&Blob, u64)> = read.collect();
        for ((key, element), append) in writers {
            let is_effective = append.is_possible && self.effective.contains(&append.by);
            if is_effective && !read.contains(&(*key, *element)) {
                let list = self.lists.entry(key).or_default();
                let unread = list.unread.entry(append.by).or_insert(*element);
                *unread = (*unread).min(*element);
            }
        }
    }

    fn check_lost(&self, history: &ListHistory) -> Result<(), Box<Anomaly>> {
        for (key, list) in &self.lists {
            // Operations are numbered as they were invoked.
            let Some((last, seen)) = list.reads.iter().max_by_key(|(reader, _)| *reader) else {
                continue;
            };
            let invoked = history.operations()[last.number()].invoked.event;
            for (writer, element) in &list.unread {
                let Outcome::Returned { at, .. } = &history.operations()[writer.number()].outcome
                else {
                    continue;
                };
                if at.event < invoked {
                    let account = format!(
                        "no other transaction's read of {key} saw {element}, not even one that was invoked after \
                         the append had returned and saw {}\n  {}\n  {}",
                        list_words(seen),
                        words(history, *writer),
                        words(history, *last)
                    );
                    return Err(anomaly(Class::LostAppend, [*writer, *last], account));
                }
            }
        }
        Ok(())
    }
}

/// Who appended what, or would have.
fn writers(history: &ListHistory) -> Writers<'_> {
    let mut writers: Writers<'_> = FxHashMap::default();
    for (id, operation) in history.ids().zip(history.operations()) {
        let mut appends: Vec<(&Blob, u64, bool)> = Vec::new();
        let mut done = FxHashSet::default();
        if let Outcome::Returned { output, .. } = &operation.outcome {
            for step in output {
                if let Step::Append { key, element } = step {
                    appends.push((key, *element, true));
                    done.insert((key, *element));
                }
            }
        }
        // What it returned without, or would have appended had it not failed.
        let is_unknown = matches!(operation.outcome, Outcome::Unknown);
        for (key, element) in &operation.input {
            if !done.contains(&(key, *element)) {
                appends.push((key, *element, is_unknown));
            }
        }
        let mut counts: FxHashMap<&Blob, usize> = FxHashMap::default();
        for (key, _, is_possible) in &appends {
            *counts.entry(key).or_default() += usize::from(*is_possible);
        }
        let mut places: FxHashMap<&Blob, usize> = FxHashMap::default();
        for (key, element, is_possible) in appends {
            let place = places.entry(key).or_default();
            let is_last = *place + 1 == counts[key];
            let append = Append { by: id, place: *place, is_last, is_possible };
            *place += 1;
            let other = writers.insert((key, element), append);
            assert!(other.is_none(), "{element} is appended to {key} twice in the history's input");
        }
    }
    writers
}

/// What the checks of one list look at.
struct OfList<'a, 'h> {
    history: &'h ListHistory,
    writers: &'a Writers<'h>,
    key: &'h Blob,
}

impl OfList<'_, '_> {
    /// Each element was appended by somebody else, and is there once.
    fn check_elements(&self, reader: OperationId, seen: &[u64]) -> Result<(), Box<Anomaly>> {
        let Self { history, key, .. } = self;
        let mut before = FxHashSet::default();
        for element in seen {
            let read = || format!("{element} of {key} in {}", list_words(seen));
            if !before.insert(*element) {
                let account = format!("{} is there twice\n  {}", read(), words(history, reader));
                return Err(anomaly(Class::DuplicateAppend, [reader], account));
            }
            match self.writers.get(&(self.key, *element)) {
                None => {
                    let account =
                        format!("nobody appended {}\n  {}", read(), words(history, reader));
                    return Err(anomaly(Class::Garbage, [reader], account));
                }
                Some(append) if !append.is_possible => {
                    let account = format!(
                        "{} was read, and its transaction did not append it\n  {}\n  {}",
                        read(),
                        words(history, append.by),
                        words(history, reader)
                    );
                    return Err(anomaly(Class::G1a, [append.by, reader], account));
                }
                Some(append) if append.by == reader => {
                    let what = format!("it read {} before it appended it", read());
                    return Err(internal(history, reader, what));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What was read is a beginning of the longest list, in the writers' own order, and has no part
    /// of a transaction at its end.
    fn check_begins(
        &self,
        reader: OperationId,
        seen: &[u64],
        list: &List<'_>,
    ) -> Result<(), Box<Anomaly>> {
        let Self { history, key, .. } = self;
        if !list.longest.starts_with(seen) {
            let other = list.reads.iter().find(|(_, other)| *other == list.longest);
            let other = other.expect("the longest was read by somebody").0;
            let account = format!(
                "{key} was read as {} and as {}\n  {}\n  {}",
                list_words(seen),
                list_words(list.longest),
                words(history, reader),
                words(history, other)
            );
            return Err(anomaly(Class::IncompatibleOrders, [reader, other], account));
        }
        if seen.len() == list.longest.len() {
            let mut next: FxHashMap<OperationId, usize> = FxHashMap::default();
            for element in seen {
                let append = self.writers[&(self.key, *element)];
                let place = next.entry(append.by).or_default();
                if append.place != *place {
                    let account = format!(
                        "{element} of {key} in {} is not where its transaction appended it\n  {}\n  {}",
                        list_words(seen),
                        words(history, append.by),
                        words(history, reader)
                    );
                    let involved = [append.by, reader];
                    return Err(anomaly(Class::IncompatibleOrders, involved, account));
                }
                *place += 1;
            }
        }
        if let Some(last) = seen.last() {
            let append = self.writers[&(self.key, *last)];
            if !append.is_last {
                let account = format!(
                    "{} of {key} ends within what one transaction appended\n  {}\n  {}",
                    list_words(seen),
                    words(history, append.by),
                    words(history, reader)
                );
                return Err(anomaly(Class::G1b, [append.by, reader], account));
            }
        }
        Ok(())
    }
}

fn internal(history: &ListHistory, id: OperationId, what: String) -> Box<Anomaly> {
    anomaly(Class::Internal, [id], format!("{what}\n  {}", words(history, id)))
}

fn anomaly(class: Class, operations: impl Into<Vec<OperationId>>, account: String) -> Box<Anomaly> {
    Box::new(Anomaly { class, operations: operations.into(), account })
}
