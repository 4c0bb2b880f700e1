//! Certificates in files, and what a person is told when they are not in order.

use crate::world::{CLUSTER, Node, Rules, World, node};
use althing_model::{ClusterId, NodeId, Role};
use althing_transport::certs::{CertsError, ClusterAuthority, Tls, Validity};
use althing_transport::{Config, Dialer, Endpoint, Error, Inbound, Inbox, Settings};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

struct Nobody;

impl Inbox for Nobody {
    fn deliver(&self, _: Inbound) -> Result<(), Inbound> {
        Ok(())
    }
}

fn refused(config: Config) -> Error {
    Endpoint::bind(config, Arc::new(Rules), Arc::new(Nobody)).expect_err("it was opened")
}

fn certs_refused(config: Config) -> CertsError {
    match refused(config) {
        Error::Certs(error) => error,
        other => panic!("not about certificates: {other}"),
    }
}

/// Broken: a person cannot tell from the message what is wrong with the certificates, or the node
/// starts with them.
#[tokio::test]
async fn every_mistake_has_its_own_message() {
    let world = World::new();
    let (dir, good) = (world.dir(), world.config(1, &[]));
    let with_tls = |tls: Tls| Config { tls, ..good.clone() };

    let error = certs_refused(with_tls(Tls::of_node(dir, NodeId(9))));
    assert!(matches!(error, CertsError::FileMissing { .. }), "{error:?}");
    assert!(error.to_string().contains("node-9.pem does not exist"), "{error}");

    let other = ClusterId([1; 16]);
    let error = certs_refused(Config { cluster: other, ..good.clone() });
    assert!(matches!(error, CertsError::AnotherCluster { .. }), "{error:?}");
    assert!(error.to_string().contains(&CLUSTER.to_string()), "{error}");

    let error = certs_refused(with_tls(Tls::of_client(dir, "tester")));
    assert!(matches!(error, CertsError::ClientCertificate { .. }), "{error:?}");

    let error = certs_refused(Config { me: NodeId(2), ..good.clone() });
    assert!(matches!(error, CertsError::AnotherNode { .. }), "{error:?}");

    let error = certs_refused(with_tls(Tls { key: dir.join("node-2.key"), ..good.tls.clone() }));
    assert!(matches!(error, CertsError::KeyMismatch { .. }), "{error:?}");

    let error = certs_refused(with_tls(Tls { key: dir.join("node-1.pem"), ..good.tls.clone() }));
    assert!(matches!(error, CertsError::KeyReadable { .. }), "{error:?}");

    let stranger = World::new();
    let ca = stranger.dir().join("ca.pem");
    let error = certs_refused(with_tls(Tls { ca, ..good.tls.clone() }));
    assert!(matches!(error, CertsError::AnotherAuthority { .. }), "{error:?}");

    let error = certs_refused(with_tls(Tls { ca: dir.join("node-1.key"), ..good.tls.clone() }));
    assert!(matches!(error, CertsError::NotPem { .. }), "{error:?}");

    let error = certs_refused(with_tls(Tls { cert: dir.join("ca.pem"), ..good.tls.clone() }));
    assert!(matches!(error, CertsError::NoIdentity { .. }), "{error:?}");

    let (now, day) = (SystemTime::now(), Duration::from_secs(24 * 3600));
    let past = Validity { not_before: now - 9 * day, not_after: now - day };
    let future = Validity { not_before: now + day, not_after: now + 9 * day };
    for (validity, id) in [(past, 8), (future, 9)] {
        let issued = world.authority.issue_node_for(NodeId(id), &Role::ALL, validity).unwrap();
        issued.write(dir, false).unwrap();
        let me = NodeId(id);
        let error = certs_refused(Config { tls: Tls::of_node(dir, me), me, ..good.clone() });
        match id {
            8 => assert!(matches!(error, CertsError::Expired { .. }), "{error:?}"),
            _ => assert!(matches!(error, CertsError::NotValidYet { .. }), "{error:?}"),
        }
    }

    let error = Dialer::new(&Tls::of_node(dir, NodeId(1)), Settings::default()).unwrap_err();
    assert!(matches!(error, Error::Certs(CertsError::NodeCertificate { .. })), "{error:?}");
}

/// Broken: a taken port is a bare errno.
#[tokio::test]
async fn a_taken_port_is_named() {
    let world = World::new();
    let one: Node = world.open(world.config(1, &[]));
    let listen = one.address();
    let error = refused(Config { listen, ..world.config(2, &[]) });
    assert!(matches!(error, Error::AddressInUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}

/// Broken: a private key can be read by others, is overwritten by accident, or printed.
#[test]
fn keys_are_kept() {
    let world = World::new();
    let dir = world.dir();
    for key in ["ca.key", "node-1.key", "client-tester.key"] {
        let mode = std::fs::metadata(dir.join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    let before = std::fs::read_to_string(dir.join("node-1.key")).unwrap();
    let issued = world.authority.issue_node(NodeId(1), &Role::ALL).unwrap();
    assert!(!format!("{issued:?} {:?}", world.authority).contains("PRIVATE"));
    let error = issued.write(dir, false).unwrap_err();
    assert!(matches!(error, CertsError::FileExists { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(dir.join("node-1.key")).unwrap(), before);
    issued.write(dir, true).unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("node-1.key")).unwrap(), issued.key_pem());
    let leftovers = std::fs::read_dir(dir)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".new"));
    assert_eq!(leftovers.count(), 0);

    std::fs::set_permissions(dir.join("ca.key"), PermissionsExt::from_mode(0o644)).unwrap();
    let error = ClusterAuthority::load(dir).unwrap_err();
    assert!(matches!(error, CertsError::KeyReadable { mode: 0o644, .. }), "{error:?}");
}

/// Broken: an authority that was written cannot issue certificates later that its nodes accept.
#[tokio::test]
async fn a_loaded_authority_issues_for_its_cluster() {
    let world = World::new();
    let loaded = ClusterAuthority::load(world.dir()).unwrap();
    assert_eq!(loaded.cluster(), CLUSTER);
    loaded.issue_client("late").unwrap().write(world.dir(), false).unwrap();
    let mut two = world.two();
    let tls = Tls::of_client(world.dir(), "late");
    let dialer = Dialer::new(&tls, Settings::default()).unwrap();
    let _connection = dialer.connect(&two.address().to_string(), None).await.unwrap();
    assert_eq!(&two.connected().await.identity, dialer.identity());
    assert!(loaded.issue_client("a b").is_err() && loaded.issue_node(NodeId(1), &[]).is_err());
}

/// Broken: renewing a certificate needs a restart, or cuts the connections that exist.
#[tokio::test]
async fn certificates_are_renewed_without_a_restart() {
    let world = World::new();
    let (mut one, two) = world.pair().await;
    let issued = world.authority.issue_node(NodeId(2), &[Role::Replica]).unwrap();
    issued.write(world.dir(), true).unwrap();
    two.endpoint.reload(&Tls::of_node(world.dir(), NodeId(2))).unwrap();
    assert!(one.endpoint.links()[0].connected);
    two.endpoint.expel(node(1), althing_transport::Refusal::Misbehaved);
    one.disconnected().await;
    let renewed = one.connected().await;
    assert!(renewed.identity.has_role(Role::Replica) && !renewed.identity.has_role(Role::Proposer));
    // A bad file changes nothing.
    assert!(two.endpoint.reload(&Tls::of_node(world.dir(), NodeId(3))).is_err());
}
