//! What clients watch, and what they are told, to and from the schema.

use super::decode::{Body, Result};
use super::{DecodeError, Fault, count, encode, parse, to_bytes};
use crate::generated as pb;
use crate::limits::*;
use crate::{Change, Watch, WatchEnd, WatchEnded, Watched};
use althing_model::{DepSet, Filter, ModeSet, Range, RequestId, Scope};
use bytes::Bytes;

/// The number of each end; 0 is none.
const ENDS: [(u32, WatchEnd); 4] = [
    (1, WatchEnd::Compacted),
    (2, WatchEnd::TooSlow),
    (3, WatchEnd::Behind),
    (4, WatchEnd::TooMany),
];

pub(super) fn watch(watch: &Watch) -> pb::Watch {
    use pb::filter::Scope as Coded;
    let Filter { scope, modes } = &watch.filter;
    let scope = match scope {
        Scope::Resource(name) => Coded::Resource(name.clone()),
        Scope::Range(range) => Coded::Range(pb::NameRange {
            from: range.begin().clone(),
            to: range.end().cloned().unwrap_or_default(),
        }),
        Scope::Everything => Coded::Everything(pb::Nothing {}),
    };
    pb::Watch {
        watch: watch.watch,
        filter: Some(pb::Filter { scope: Some(scope), modes: modes.0 }),
        token: watch.token.as_ref().and_then(encode::deps),
    }
}

pub(super) fn watched(watched: &Watched) -> pb::Watched {
    let change = |change: &Change| pb::Change {
        vertex: encode::vertex(change.vertex),
        slot: change.slot,
        session: Some(encode::session(change.request.session)),
        sequence: change.request.sequence,
        payload: change.payload.clone(),
        reply: change.reply.clone(),
    };
    pb::Watched {
        watch: watched.watch,
        number: watched.number,
        changes: watched.changes.iter().map(change).collect(),
        is_cut: watched.is_cut,
        token: watched.token.as_ref().and_then(encode::deps),
    }
}

pub(super) fn ended(ended: &WatchEnded) -> pb::WatchEnded {
    let why = ENDS.iter().find(|(_, why)| *why == ended.why);
    let (why, _) = why.expect("each end has a number");
    pb::WatchEnded { watch: ended.watch, why: *why }
}

/// A set of vertices by itself: a token, for whoever stores it.
pub fn encode_token(token: &DepSet) -> Bytes {
    to_bytes(&encode::deps(token).expect("each set has a form"))
}

/// The token that [`encode_token`] wrote.
///
/// # Errors
/// When the bytes are none.
pub fn decode_token(bytes: Bytes) -> std::result::Result<DepSet, DecodeError> {
    let (body, deps) = parse("Token", bytes, count::DEPS)?;
    body.deps("token", Some(deps))
}

impl Body {
    pub(super) fn watch(self, watch: pb::Watch) -> Result<Watch> {
        let filter = self.required("filter", watch.filter)?;
        Ok(Watch {
            watch: watch.watch,
            filter: self.filter(filter)?,
            token: watch.token.map(|token| self.deps("token", Some(token))).transpose()?,
        })
    }

    fn filter(self, filter: pb::Filter) -> Result<Filter> {
        use pb::filter::Scope as Coded;
        let scope = match self.required("Filter.scope", filter.scope)? {
            Coded::Resource(name) => Scope::Resource(self.resource(name)?),
            Coded::Range(range) => {
                let (from, to) = (self.resource(range.from)?, self.resource(range.to)?);
                Scope::Range(match to.is_empty() {
                    true => Range::from(from),
                    false => match Range::between(from, to) {
                        Some(range) => range,
                        None => return self.fault("Filter.range", Fault::NoRange),
                    },
                })
            }
            Coded::Everything(pb::Nothing {}) => Scope::Everything,
        };
        Ok(Filter { scope, modes: ModeSet(filter.modes) })
    }

    pub(super) fn watched(self, watched: pb::Watched) -> Result<Watched> {
        self.at_most("Watched.changes", watched.changes.len(), CHANGES_MAX)?;
        let changes = watched.changes.into_iter().map(|change| self.change(change));
        Ok(Watched {
            watch: watched.watch,
            number: watched.number,
            changes: changes.collect::<Result<_>>()?,
            is_cut: watched.is_cut,
            token: watched.token.map(|token| self.deps("token", Some(token))).transpose()?,
        })
    }

    fn change(self, change: pb::Change) -> Result<Change> {
        self.number("Change.slot", change.slot.into(), COMMANDS_PER_VERTEX_MAX as u64 - 1)?;
        self.no_longer("Change.payload", change.payload.len(), PAYLOAD_LEN_MAX)?;
        self.no_longer("Change.reply", change.reply.len(), REPLY_LEN_MAX)?;
        Ok(Change {
            vertex: self.vertex(change.vertex)?,
            slot: change.slot,
            request: RequestId {
                session: self.session("Change.session", change.session)?,
                sequence: self.number("Change.sequence", change.sequence, SEQ_END - 1)?,
            },
            payload: self.own(change.payload),
            reply: self.own(change.reply),
        })
    }

    pub(super) fn watch_ended(self, ended: &pb::WatchEnded) -> Result<WatchEnded> {
        match ENDS.iter().find(|(number, _)| *number == ended.why) {
            Some((_, why)) => Ok(WatchEnded { watch: ended.watch, why: *why }),
            None => {
                let (found, max) = (ended.why.into(), ENDS.len() as u64);
                self.fault("WatchEnded.why", Fault::TooHigh { found, max })
            }
        }
    }
}
