//! The metrics that dashboards are built on. A process of its own, because a recorder is global.

use althing_model::{ClusterId, ConflictsId, NodeId, Role};
use althing_transport::certs::{ClusterAuthority, Identity, Tls};
use althing_transport::{Config, Dialer, Endpoint, Gate, Inbound, Inbox, Refusal, Settings};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use std::sync::Arc;

struct Closed;

impl Gate for Closed {
    fn admit(&self, _: &Identity, _: u8, _: u32) -> Result<(), Refusal> {
        Err(Refusal::UnknownKind)
    }
}

impl Inbox for Closed {
    fn deliver(&self, _: Inbound) -> Result<(), Inbound> {
        Ok(())
    }
}

/// Broken: a dashboard or an alert that was built on these names shows nothing.
#[tokio::test]
async fn metrics_have_their_names_and_labels() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let authority = ClusterAuthority::create(ClusterId([3; 16])).unwrap();
    authority.write(dir.path(), false).unwrap();
    authority.issue_node(NodeId(1), &Role::ALL).unwrap().write(dir.path(), false).unwrap();
    authority.issue_client("c").unwrap().write(dir.path(), false).unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Tls::of_node(dir.path(), NodeId(1)),
        cluster: authority.cluster(),
        conflicts: ConflictsId::NONE,
        me: NodeId(1),
        peers: Vec::new(),
        settings: Settings::default(),
    };
    let endpoint = Endpoint::bind(config, Arc::new(Closed), Arc::new(Closed)).unwrap();
    let dialer = Dialer::new(&Tls::of_client(dir.path(), "c"), Settings::default()).unwrap();
    let address = endpoint.local_address().to_string();
    let connection = dialer.connect(&address, None).await.unwrap();
    connection.send(77, "?".into()).unwrap();
    connection.closed().await;

    let snapshot = snapshotter.snapshot().into_vec();
    let find = |name: &str, label: Option<(&str, &str)>| {
        let (_, unit, text, value) = snapshot
            .iter()
            .find(|(key, ..)| {
                let key = key.key();
                key.name() == name
                    && label.is_none_or(|(k, v)| {
                        key.labels().any(|label| label.key() == k && label.value() == v)
                    })
            })
            .unwrap_or_else(|| panic!("{name} {label:?} is missing"));
        assert!(text.is_some(), "{name} is not described");
        let _ = unit;
        value
    };
    let refused = find("althing_transport_refused_total", Some(("reason", "unknown_kind")));
    assert_eq!(refused, &DebugValue::Counter(1));
    for name in [
        "althing_transport_connections_total",
        "althing_transport_dropped_total",
        "althing_transport_frames_total",
        "althing_transport_bytes_total",
        "althing_transport_writes_total",
        "althing_transport_held_up_total",
        "althing_transport_clients",
        "althing_transport_certificate_ends_timestamp_seconds",
    ] {
        find(name, None);
    }
}
