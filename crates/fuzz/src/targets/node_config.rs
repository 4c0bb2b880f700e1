//! A node's configuration.

use super::client_file::first_words;
use crate::{Outcomes, Target};
use althing_model::{ClusterId, Path as CommitPath};
use althing_node::{Config, ConfigFile};
use arbitrary::{Result, Unstructured};
use std::path::Path;

pub(crate) const TARGET: Target = Target {
    name: "node_config",
    run,
    len_max: 4096,
    generate,
    words: &[
        "cluster = ",
        "epoch = ",
        "path = \"fast\"\n",
        "path = \"classic\"\n",
        "f = ",
        "node = ",
        "data_dir = ",
        "listen = ",
        "[tls]\n",
        "ca = \"Cargo.toml\"\n",
        "[[nodes]]\n",
        "id = ",
        "region = ",
        "address = \"127.0.0.1:7000\"\n",
        "dial = ",
        "roles = [\"proposer\"]\n",
        "[timeouts]\n",
        "heartbeat_ms = ",
        "down_after_ms = ",
        "answer_ms = ",
        "[limits]\n",
        "in_flight = ",
        "inbox_mib = ",
        "clients = ",
        "[journal]\n",
        "segment_mib = ",
        "sync_delay_us = ",
        "[admin]\n",
        "[transport]\n",
        "congestion = \"bbr\"\n",
        "idle_timeout_ms = ",
        "redial_max_ms = ",
    ],
};

fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Where the files that it may name are: this package's own.
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    match Config::parse(text, base) {
        Ok(config) => {
            outcomes.note(("right", config.nodes.len()));
            assert!(config.nodes.contains_key(&config.me));
            assert!(config.membership.nodes().eq(config.nodes.keys().copied()));
        }
        Err(error) => {
            assert!(!error.problems.is_empty(), "it is refused without a reason");
            for problem in &error.problems {
                assert!(!problem.text.is_empty(), "{} is refused without a reason", problem.key);
                outcomes.note((problem.key.is_empty(), first_words(&problem.text)));
            }
        }
    }
    if let Ok(file) = toml::from_str::<ConfigFile>(text) {
        outcomes.note("of the shape");
        let again = toml::from_str::<ConfigFile>(&file.to_toml());
        assert_eq!(again.as_ref(), Ok(&file), "what tools write, nodes read");
    }
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let n = bytes.int_in_range(3..=6u16)?;
    let addresses: Vec<String> = (0..n).map(|node| format!("10.0.0.{node}:7000")).collect();
    let path = *bytes.choose(&[CommitPath::Fast, CommitPath::Classic])?;
    let f = bytes.int_in_range(1..=2)?;
    let mut file =
        ConfigFile::example(ClusterId([7; 16]), bytes.int_in_range(0..=2)?, &addresses, f, path);
    for path in [&mut file.tls.ca, &mut file.tls.cert, &mut file.tls.key] {
        *path = "Cargo.toml".into();
    }
    if bytes.arbitrary()? {
        file.listen = Some("0.0.0.0:7000".to_owned());
    }
    if bytes.arbitrary()? {
        file.nodes[0].roles.truncate(bytes.int_in_range(0..=3)?);
    }
    let text = file.to_toml();
    // Only what has no default; the rest makes a text too long for many mutations to matter.
    let is_short = bytes.ratio(3, 4)?;
    let end = text.find("[timeouts]").filter(|_| is_short).unwrap_or(text.len());
    Ok(text[..end].into())
}
