//! `CONFIG`: what clients and `redis-benchmark` ask a server about itself. Nothing can be set.

use super::{World, local};
use crate::encode::Answer;
use crate::limits;
use crate::request::Request;
use crate::settings::Settings;
use althing_kv::redis::RedisReply;
use std::collections::BTreeMap;

pub(super) fn answer(request: &Request, world: &dyn World) -> Answer {
    let asked = &request[1];
    let is = |name: &str| asked.eq_ignore_ascii_case(name.as_bytes());
    match request.len() {
        _ if is("GET") && request.len() < 3 => local::wrong_arity("config|get").into(),
        _ if is("GET") => get(&request[2..], world.settings()),
        2 if is("RESETSTAT") => Answer::error("ERR counters are never reset here"),
        2 if is("REWRITE") => Answer::error("ERR The server is running without a config file"),
        _ if is("SET") && (request.len() < 4 || !request.len().is_multiple_of(2)) => {
            local::wrong_arity("config|set").into()
        }
        _ if is("SET") => {
            let name = String::from_utf8_lossy(&request[2]);
            Answer::error(format!(
                "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set: the \
                 gateway's settings are in its configuration"
            ))
        }
        _ => local::unknown_subcommand("CONFIG", asked).into(),
    }
}

/// The parameters whose names match one of the patterns, each once.
fn get(patterns: &[bytes::Bytes], settings: &Settings) -> Answer {
    let parameters = parameters(settings);
    let is_asked = |name: &str| {
        patterns.iter().any(|pattern| {
            let pattern = pattern.to_ascii_lowercase();
            super::glob::is_match(&pattern, name.as_bytes())
        })
    };
    let found = parameters.into_iter().filter(|(name, _)| is_asked(name));
    let bulk = |text: String| RedisReply::Bulk(text.into());
    RedisReply::Map(found.map(|(name, value)| (bulk(name.to_owned()), bulk(value))).collect())
        .into()
}

fn parameters(settings: &Settings) -> BTreeMap<&'static str, String> {
    let text = |text: &str| text.to_owned();
    BTreeMap::from([
        // There are snapshots, but not at times that a client could set.
        ("save", String::new()),
        // A write is on the disks of a majority before it is answered.
        ("appendonly", text("yes")),
        ("appendfsync", text("always")),
        ("bind", settings.listen.ip().to_string()),
        ("port", settings.listen.port().to_string()),
        ("databases", text("1")),
        ("maxclients", settings.clients_max.to_string()),
        ("maxmemory", text("0")),
        ("maxmemory-policy", text("noeviction")),
        ("proto-max-bulk-len", limits::BULK_LEN_MAX.to_string()),
        ("timeout", settings.idle_timeout.map_or(0, |timeout| timeout.as_secs()).to_string()),
        ("cluster-enabled", text("no")),
        ("notify-keyspace-events", String::new()),
        ("io-threads", text("1")),
    ])
}
