//! `althing kv watch`: changes of keys, as they happen.

use crate::exit::{Exit, Failure};
use crate::kv::{text, to_json};
use althing_sdk::{KvChange, KvChanged, KvClient, WatchError, token};
use anyhow::anyhow;
use serde_json::{Value, json};
use std::io::Write;

/// What is watched.
pub(crate) enum WatchedKeys {
    /// One key.
    One(String),
    /// All that begin so.
    Prefix(String),
}

/// Prints changes until there were `count`, or the user has enough.
pub(crate) async fn watch(
    kv: &KvClient,
    keys: WatchedKeys,
    from: Option<String>,
    count: Option<u64>,
    as_json: bool,
) -> Result<(), Failure> {
    let cluster = kv.client().cluster();
    let from = from.map(|text| token::from_text(&text, cluster)).transpose();
    let from = from.map_err(|error| Failure::usage(anyhow!("--from: {error}")))?;
    let watch = match keys {
        WatchedKeys::One(key) => kv.watch_key(key, from).await,
        WatchedKeys::Prefix(prefix) => kv.watch_prefix(prefix, from).await,
    };
    let mut watch = watch.map_err(|error| over(error, kv))?;
    if !as_json {
        eprintln!("watching; Ctrl-C ends it");
    }
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let told = tokio::select! {
            told = watch.next() => told.map_err(|error| over(error, kv))?,
            _ = tokio::signal::ctrl_c() => break,
        };
        let token = token::to_text(&told.token, cluster);
        // A pipe that is closed ends it as any other command.
        let mut out = std::io::stdout().lock();
        for change in &told.changes {
            match as_json {
                true => writeln!(out, "{}", in_json(change, &token))?,
                false => writeln!(out, "{}", in_words(change))?,
            }
        }
        out.flush()?;
        left = left.saturating_sub(told.changes.len() as u64);
    }
    if !as_json {
        eprintln!("token: {}", watch.token_text());
    }
    Ok(())
}

fn in_words(change: &KvChange) -> String {
    let key = change.key.as_ref().map_or("(any key)".to_owned(), text);
    match &change.what {
        KvChanged::Put(value) => format!("put\t{key}\t{}", text(value)),
        KvChanged::Deleted => format!("del\t{key}"),
        KvChanged::Added(by) => format!("add\t{key}\t{by}"),
        KvChanged::Unclear => format!("changed\t{key}"),
    }
}

fn in_json(change: &KvChange, token: &str) -> Value {
    let (what, value) = match &change.what {
        KvChanged::Put(value) => ("put", to_json(&Some(value.clone()))),
        KvChanged::Deleted => ("del", Value::Null),
        KvChanged::Added(by) => ("add", json!(by)),
        KvChanged::Unclear => ("changed", Value::Null),
    };
    json!({ "change": what, "key": to_json(&change.key), "value": value, "token": token })
}

/// A watch did not begin, or is over.
fn over(error: WatchError, kv: &KvClient) -> Failure {
    match &error {
        WatchError::Compacted { token } => {
            let token = token::to_text(token, kv.client().cluster());
            Failure::new(Exit::Failed, anyhow!("{error}\ntoken: {token}"))
        }
        _ => anyhow!("{error}").into(),
    }
}
