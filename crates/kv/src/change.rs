//! What a command that took effect changed, from its payload and its reply: for those who watch.

use crate::{KvCommand, KvConflicts, KvReply};
use althing_model::{Filter, ModeSet, Scope};
use bytes::Bytes;

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvChange {
    /// The key; none where a command may have changed any.
    pub key: Option<Bytes>,
    /// What became of it.
    pub what: KvChanged,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvChanged {
    /// This is its value.
    Put(Bytes),
    /// It has none any more.
    Deleted,
    /// So much was added to its number. Adds commute, so that replicas may tell of several in
    /// different orders, and none knows the sum.
    Added(i64),
    /// It may have changed, and this version cannot tell how: read it.
    Unclear,
}

/// A filter that lets everything through that may change a key in that scope, and no mere read.
pub fn changes_in(scope: Scope) -> Filter {
    Filter { scope, modes: ModeSet(!ModeSet::of([KvConflicts::READ]).0) }
}

/// What a command changed in that scope, given its reply; nothing where it found that there was nothing
/// to change.
///
/// ```
/// use althing_kv::{KvChange, KvChanged, KvCommand, KvReply, changes};
/// use althing_model::{Range, Scope};
/// let scope = Scope::Range(Range::prefix("user/"));
/// let put = KvCommand::Put { key: "user/7".into(), value: "Gunnar".into() };
/// let expected = KvChange { key: Some("user/7".into()), what: KvChanged::Put("Gunnar".into()) };
/// assert_eq!(changes(put.encode(), KvReply::Done.encode(), &scope), [expected]);
/// let delete = KvCommand::Delete { key: "user/8".into() };
/// assert_eq!(changes(delete.encode(), KvReply::Deleted(false).encode(), &scope), []);
/// ```
pub fn changes(payload: Bytes, reply: Bytes, scope: &Scope) -> Vec<KvChange> {
    let unclear = || vec![KvChange { key: None, what: KvChanged::Unclear }];
    let (Ok(command), Ok(reply)) = (KvCommand::decode(payload), KvReply::decode(reply)) else {
        return unclear();
    };
    let one = |key: Bytes, what| vec![KvChange { key: Some(key), what }];
    let all = match (command, reply) {
        (KvCommand::Get { .. } | KvCommand::MultiGet { .. }, _) => Vec::new(),
        (_, KvReply::NotANumber | KvReply::Overflow | KvReply::NotACommand) => Vec::new(),
        (KvCommand::Put { key, value }, KvReply::Done) => one(key, KvChanged::Put(value)),
        (KvCommand::Delete { key }, KvReply::Deleted(true)) => one(key, KvChanged::Deleted),
        (KvCommand::Delete { .. }, KvReply::Deleted(false)) => Vec::new(),
        (KvCommand::CompareAndSwap { .. }, KvReply::Swapped { swapped: false, .. }) => Vec::new(),
        (KvCommand::CompareAndSwap { key, new, .. }, KvReply::Swapped { swapped: true, .. }) => {
            one(key, new.map_or(KvChanged::Deleted, KvChanged::Put))
        }
        (KvCommand::Increment { key, .. }, KvReply::Number(sum)) => {
            one(key, KvChanged::Put(sum.to_string().into()))
        }
        (KvCommand::Add { key, by }, KvReply::Done) => one(key, KvChanged::Added(by)),
        (KvCommand::MultiPut { pairs }, KvReply::Done) => {
            let change = |(key, value)| KvChange { key: Some(key), what: KvChanged::Put(value) };
            pairs.into_iter().map(change).collect()
        }
        _ => unclear(),
    };
    let is_watched = |it: &KvChange| it.key.as_ref().is_none_or(|key| scope.contains(key));
    all.into_iter().filter(is_watched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use althing_model::{Range, StateMachine};

    /// What the store's own replies say of these commands, one after the other.
    fn watch(commands: Vec<KvCommand>, scope: &Scope) -> Vec<(Option<String>, KvChanged)> {
        let mut store = Store::default();
        let told = commands.into_iter().flat_map(|command| {
            let payload = command.encode();
            let reply = store.apply(&payload);
            changes(payload, reply, scope)
        });
        let key = |key: Bytes| String::from_utf8_lossy(&key).into_owned();
        told.map(|change| (change.key.map(key), change.what)).collect()
    }

    /// Broken: a watcher's copy of a key would differ from the store's.
    #[test]
    fn each_command_tells_what_it_did() {
        let key = || Bytes::from_static(b"k");
        let cas = |expected: Option<&'static str>, new: Option<&'static str>| {
            let (expected, new) = (expected.map(Bytes::from), new.map(Bytes::from));
            KvCommand::CompareAndSwap { key: key(), expected, new }
        };
        let commands = vec![
            KvCommand::Put { key: key(), value: "4".into() },
            KvCommand::Get { key: key() },
            KvCommand::Increment { key: key(), by: 3 },
            KvCommand::Add { key: key(), by: 2 },
            cas(Some("7"), Some("no")),
            cas(Some("9"), Some("yes")),
            KvCommand::Increment { key: key(), by: 1 },
            KvCommand::Add { key: key(), by: 1 },
            cas(Some("yes"), None),
            KvCommand::Delete { key: key() },
            KvCommand::MultiPut {
                pairs: vec![("k".into(), "a".into()), ("other".into(), "b".into())],
            },
            KvCommand::Delete { key: key() },
        ];
        let put = |value: &'static str| KvChanged::Put(value.into());
        let expected = [
            put("4"),
            put("7"),
            KvChanged::Added(2),
            put("yes"),
            KvChanged::Deleted,
            put("a"),
            KvChanged::Deleted,
        ];
        let of_key = watch(commands.clone(), &Scope::Resource(key()));
        assert_eq!(of_key, expected.map(|what| (Some("k".to_owned()), what)));
        let of_others = watch(commands, &Scope::Range(Range::prefix("o")));
        assert_eq!(of_others, [(Some("other".to_owned()), put("b"))]);
    }

    /// Broken: a newer store's command would be taken for one that changes nothing.
    #[test]
    fn what_is_not_understood_is_unclear() {
        let scope = Scope::Everything;
        let unclear = [KvChange { key: None, what: KvChanged::Unclear }];
        assert_eq!(changes(Bytes::from_static(b"\xff"), KvReply::Done.encode(), &scope), unclear);
        let put = KvCommand::Put { key: "k".into(), value: "v".into() };
        assert_eq!(changes(put.encode(), KvReply::Number(3).encode(), &scope), unclear);
    }
}
