//! Who a certificate says somebody is.

use crate::{Outcomes, Target};
use althing_model::{ClusterId, NodeId, Role};
use althing_transport::certs::Identity;
use arbitrary::{Result, Unstructured};

pub(crate) const TARGET: Target = Target {
    name: "identity",
    run,
    len_max: 4096,
    generate,
    words: &[
        "althing://",
        "07070707-0707-0707-0707-070707070707",
        "/node/",
        "/client/",
        "/authority",
        "?roles=",
        "proposer",
        "dependency",
        "acceptor",
        "replica",
        ",",
        "0",
        "4294967296",
    ],
};

/// Of a client, with its identity as a URI among its names.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");

/// The first byte says what the rest is.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Some((what, rest)) = data.split_first() else { return };
    if what % 4 == 0 {
        let identity = Identity::from_certificate(rest);
        outcomes.note(("certificate", identity.is_ok(), identity.as_ref().err().map(discriminant)));
        if let Ok(identity) = identity {
            assert_eq!(Identity::from_uri(&identity.to_uri()), Ok(identity));
        }
        return;
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    if what % 4 == 1 {
        let cluster = text.parse::<ClusterId>();
        outcomes.note(("cluster", cluster.is_ok()));
        if let Ok(cluster) = cluster {
            assert_eq!(cluster.to_string().parse(), Ok(cluster));
        }
        return;
    }
    let identity = Identity::from_uri(text);
    outcomes.note((identity.is_ok(), identity.as_ref().err().map(discriminant)));
    if let Ok(identity) = identity {
        outcomes.note(identity.node_id().is_some());
        // One spelling for each identity, or it would be two keys in every table.
        assert_eq!(identity.to_uri(), text);
    }
}

fn discriminant(error: &althing_transport::certs::NotAnIdentity) -> impl std::hash::Hash + use<> {
    std::mem::discriminant(error)
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let cluster = ClusterId(bytes.arbitrary()?);
    Ok(match bytes.int_in_range(0..=3u8)? {
        0 => [&[0], CERTIFICATE].concat(),
        1 => format!("\u{1}{cluster}").into(),
        2 => {
            let roles: Vec<Role> =
                Role::ALL.into_iter().filter(|_| bytes.arbitrary().unwrap_or(true)).collect();
            let id = NodeId(bytes.arbitrary()?);
            format!("\u{2}{}", Identity::node(cluster, id, &roles).to_uri()).into()
        }
        _ => format!("\u{2}althing://{cluster}/client/orders-7.eu_west").into(),
    })
}
