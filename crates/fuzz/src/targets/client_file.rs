//! A client's configuration.

use crate::{Outcomes, Target};
use althing_sdk::{ClientFile, ClientNodeEntry, ClientTlsEntry};
use arbitrary::{Result, Unstructured};

pub(crate) const TARGET: Target = Target {
    name: "client_file",
    run,
    len_max: 4096,
    generate,
    words: &[
        "cluster = ",
        "region = ",
        "[tls]\n",
        "ca = ",
        "[[nodes]]\n",
        "id = ",
        "address = ",
        "admin = ",
        "\"\"\"",
        "'",
        "\n",
        "= [",
        "{",
        "\\u0000",
    ],
};

fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match toml::from_str::<ClientFile>(text) {
        Ok(file) => {
            outcomes.note(("of the shape", file.nodes.len(), file.region.is_some()));
            outcomes.note(file.config().is_ok());
            let again = toml::from_str::<ClientFile>(&file.to_toml());
            assert_eq!(again.as_ref(), Ok(&file), "what tools write, clients read");
        }
        Err(error) => {
            outcomes.note(first_words(error.message()));
        }
    }
}

/// The first words of an error, without what they quote.
pub(super) fn first_words(error: &str) -> String {
    let words = error.split(['"', '`', '\'', '\n', '(']).next().unwrap_or_default();
    words.chars().filter(|c| c.is_ascii_alphabetic() || *c == ' ').take(40).collect()
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let nodes = 0..bytes.int_in_range(0..=3u32)?;
    let file = ClientFile {
        cluster: "07070707-0707-0707-0707-070707070707".to_owned(),
        region: bytes.arbitrary()?,
        tls: ClientTlsEntry { ca: "ca".into(), cert: "cert".into(), key: "key".into() },
        nodes: nodes
            .map(|id| {
                let region = bytes.arbitrary()?;
                let address = format!("10.0.0.{id}:7000");
                Ok(ClientNodeEntry { id, region, address, admin: bytes.arbitrary()? })
            })
            .collect::<Result<_>>()?,
    };
    Ok(file.to_toml().into())
}
