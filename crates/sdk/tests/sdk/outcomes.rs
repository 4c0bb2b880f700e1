//! What a client makes of nodes that answer, die, are silent or overloaded.

use crate::fake_node::{PATIENCE, World};
use althing_model::{NodeId, Operation};
use althing_sdk::{Client, ConnectError, Error, Failure, NodeAddress, Prefer};
use althing_wire::Outcome;
use std::net::UdpSocket;
use std::time::Duration;

/// Broken: nothing works.
#[tokio::test]
async fn a_command_is_executed_in_a_session_by_the_first_node() {
    let world = World::new();
    let (mut first, second) = (world.node(0), world.node(1));
    let client = Client::connect(world.config(&[&first, &second])).await.unwrap();
    assert_eq!(client.order(), [NodeId(0), NodeId(1)]);
    let (executed, ()) = tokio::join!(client.execute_detailed("x".into()), async {
        first.open_session().await;
        first.echo().await;
    });
    let executed = executed.unwrap();
    assert_eq!((&executed.reply[..], executed.node), (&b"n0:x"[..], NodeId(0)));
    // The session is there: the next command goes at once.
    let (reply, ()) = tokio::join!(client.execute("y".into()), first.echo());
    assert_eq!(reply.unwrap(), "n0:y");
}

/// Broken: commands of one client wait for each other, or the replies are mixed up.
#[tokio::test]
async fn many_callers_share_one_session() {
    let world = World::new();
    let node = world.node(0);
    let mut config = world.config(&[&node]);
    // Fewer than there are callers: they take turns.
    config.in_flight_max = 16;
    let serving = tokio::spawn(node.serve());
    let client = Client::connect(config).await.unwrap();
    let calls = (0..500).map(|number: u32| {
        let client = client.clone();
        tokio::spawn(async move {
            let payload = number.to_string();
            assert_eq!(client.execute(payload.clone().into()).await.unwrap(), payload);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    serving.abort();
}

/// Broken: a client that knows its node is dead waits for it, or submits a command to the next one
/// under another number, and it takes effect twice.
#[tokio::test]
async fn a_command_moves_to_the_next_node_when_its_node_dies() {
    let world = World::new();
    let (mut first, mut second) = (world.node(0), world.node(1));
    let client = Client::connect(world.config(&[&first, &second])).await.unwrap();
    let dies = async {
        first.open_session().await;
        let (_, submit) = first.submission().await;
        first.endpoint.close().await;
        let (to, again) = second.submission().await;
        assert_eq!(submit.operation.request(), again.operation.request());
        let Operation::Apply { payload, .. } = again.operation else { panic!("no command") };
        let reply = althing_model::Reply::Applied(payload);
        second.answer(to, again.ticket, Outcome::Executed(reply));
    };
    let (executed, ()) = tokio::join!(client.execute_detailed("x".into()), dies);
    assert_eq!(executed.unwrap().node, NodeId(1));
}

/// Broken: a node that came back is not used again until the client is restarted.
#[tokio::test]
async fn a_node_that_comes_back_is_asked_again() {
    let world = World::new();
    let (mut first, mut second) = (world.node(0), world.node(1));
    let client = Client::connect(world.config(&[&first, &second])).await.unwrap();
    let (reply, ()) = tokio::join!(client.execute("x".into()), async {
        first.open_session().await;
        first.echo().await;
    });
    assert_eq!(reply.unwrap(), "n0:x");
    let address = first.endpoint.local_address();
    first.endpoint.close().await;
    let (reply, ()) = tokio::join!(client.execute("y".into()), second.echo());
    assert_eq!(reply.unwrap(), "n1:y");
    let first = world.node_at(0, address);
    let serving = (tokio::spawn(first.serve()), tokio::spawn(second.serve()));
    // The first is preferred as soon as it is connected.
    let back = async {
        while client.execute_detailed("z".into()).await.unwrap().node != NodeId(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it is asked again");
    serving.0.abort();
    serving.1.abort();
}

/// Broken: an application is told that a command failed although it may have taken effect.
#[tokio::test]
async fn silence_is_an_unknown_outcome() {
    let world = World::new();
    let mut node = world.node(0);
    let mut config = world.config(&[&node]);
    config.timeout = Duration::from_secs(4);
    config.attempt_timeout = Duration::from_secs(1);
    let client = Client::connect(config).await.unwrap();
    let (result, attempts) = tokio::join!(client.execute("x".into()), async {
        node.open_session().await;
        // It is asked again, under the same number, and stays silent.
        let (_, first) = node.submission().await;
        let (_, second) = node.submission().await;
        (first.operation.request(), second.operation.request())
    });
    assert_eq!(result, Err(Error::Unknown));
    assert_eq!(attempts.0, attempts.1);
}

/// Broken: an overloaded node is hammered, or a command that was always turned away counts as
/// unknown.
#[tokio::test]
async fn overload_is_waited_out_and_failing_by_it_is_sure() {
    let world = World::new();
    let mut node = world.node(0);
    let client = Client::connect(world.config(&[&node])).await.unwrap();
    let (reply, ()) = tokio::join!(client.execute("x".into()), async {
        node.open_session().await;
        for _ in 0..3 {
            let (to, submit) = node.submission().await;
            node.answer(to, submit.ticket, Outcome::Overloaded);
        }
        node.echo().await;
    });
    assert_eq!(reply.unwrap(), "n0:x");

    let mut config = world.config(&[&node]);
    config.timeout = Duration::from_secs(2);
    config.attempt_timeout = config.timeout;
    let client = Client::connect(config).await.unwrap();
    let overloaded = async {
        node.open_session().await;
        loop {
            let (to, submit) = node.submission().await;
            node.answer(to, submit.ticket, Outcome::Overloaded);
        }
    };
    tokio::select! {
        result = client.execute("x".into()) => {
            assert_eq!(result, Err(Error::Failed(Failure::Overloaded)));
        }
        () = overloaded => {}
    }
}

/// Broken: what no state machine understands is retried until it times out.
#[tokio::test]
async fn an_invalid_command_fails_at_once() {
    let world = World::new();
    let mut node = world.node(0);
    let client = Client::connect(world.config(&[&node])).await.unwrap();
    let (result, ()) = tokio::join!(client.execute("x".into()), async {
        node.open_session().await;
        let (to, submit) = node.submission().await;
        node.answer(to, submit.ticket, Outcome::Invalid("no such verb".into()));
    });
    assert_eq!(result, Err(Error::Failed(Failure::Invalid("no such verb".into()))));
    let long = vec![0; althing_sdk::limits::PAYLOAD_LEN_MAX + 1];
    let result = client.execute(long.into()).await;
    assert!(matches!(result, Err(Error::Failed(Failure::Invalid(_)))), "{result:?}");
}

/// Broken: a client whose nodes are all gone calls its commands unknown, and nobody dares to repeat
/// what never left.
#[tokio::test]
async fn nothing_is_unknown_about_what_never_left() {
    let world = World::new();
    let mut node = world.node(0);
    let mut config = world.config(&[&node]);
    config.timeout = Duration::from_secs(2);
    config.attempt_timeout = config.timeout;
    let client = Client::connect(config).await.unwrap();
    let (reply, ()) = tokio::join!(client.execute("x".into()), async {
        node.open_session().await;
        node.echo().await;
    });
    assert_eq!(reply.unwrap(), "n0:x");
    node.endpoint.close().await;
    // The first may still have been sent into the closing connection.
    let _ = client.execute("y".into()).await;
    assert_eq!(client.execute("z".into()).await, Err(Error::Failed(Failure::Unreachable)));
}

/// Broken: `connect` hangs, or does not say what is wrong with which node.
#[tokio::test]
async fn a_port_that_speaks_something_else_is_named() {
    let world = World::new();
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap().to_string();
    let nodes = vec![NodeAddress { id: NodeId(0), address: address.clone(), region: "".into() }];
    let mut config = althing_sdk::Config::new(nodes, world.tls());
    config.connect_timeout = Duration::from_millis(300);
    let error = Client::connect(config).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NoNode { problems } if problems.len() == 1));
    let text = error.to_string();
    assert!(text.contains("node 0") && text.contains(&address), "{text}");
}

/// Broken: a client takes any node of the cluster for the one that it asked for, and orders its
/// nodes by the wrong distances.
#[tokio::test]
async fn a_node_that_is_another_one_is_refused_at_once() {
    let world = World::new();
    let node = world.node(1);
    let address = NodeAddress { id: NodeId(0), ..node.address() };
    let mut config = althing_sdk::Config::new(vec![address], world.tls());
    config.connect_timeout = PATIENCE;
    let error = Client::connect(config).await.unwrap_err().to_string();
    assert!(error.contains("its certificate is not valid for this"), "{error}");
}

/// Broken: a client in a region talks across the world.
#[tokio::test]
async fn the_preferred_region_goes_first() {
    let world = World::new();
    let nodes = [world.node(0), world.node(1), world.node(2)];
    let mut config = world.config(&[&nodes[0], &nodes[1], &nodes[2]]);
    config.prefer = Prefer::Region("region-2".into());
    let client = Client::connect(config).await.unwrap();
    assert_eq!(client.order()[0], NodeId(2));
}
