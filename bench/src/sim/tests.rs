//! Runs whose figures follow by arithmetic, and runs that must not pass.

use super::leader::{self, LeaderNode, QuorumSizes};
use super::node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
use super::world::World;
use super::*;
use crate::Crash;
use crate::{Keys, Load};
use althing_kv::{KvReply, Store};
use althing_model::{Micros, StateMachine};
use althing_planet::{Planet, Region};
use althing_proposer::Link;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;

const ALL: [&str; 7] = [
    "fast",
    "atlas",
    "classic",
    "leader:ca-central-1",
    "leader-majority:ca-central-1",
    "epaxos",
    "leader:sa-east-1",
];

fn named(name: &str) -> Protocol {
    Protocol::named(name, &Workload::default().regions).unwrap().remove(0)
}

fn pool(conflict_percent: f64) -> Keys {
    Keys::Pool { conflict_percent, len: 1 }
}

/// Everything that can differ between two runs, region by region.
fn figures(run: &Run) -> Vec<String> {
    let figures = |region: &RegionRun| {
        let RegionRun { latency, unanswered, fast_share, timeline, .. } = region;
        let counts = latency.iter_recorded();
        let counts: Vec<_> =
            counts.map(|it| (it.value_iterated_to(), it.count_at_value())).collect();
        format!("{counts:?} {unanswered} {fast_share:?} {timeline:?}")
    };
    run.regions.iter().map(figures).collect()
}

/// Whether each client of a region waited exactly so long, to the precision of the histogram.
fn assert_each_took(run: &Run, expected_us: &[u64]) {
    for (region, expected) in run.regions.iter().zip(expected_us) {
        let latency = &region.latency;
        let (name, title) = (&region.name, &run.title);
        for found in [latency.min(), latency.max()] {
            assert!(
                latency.equivalent(found, *expected),
                "{title}, {name}: {found} us, and arithmetic says {expected}"
            );
        }
    }
}

/// Says why not, where it is not.
fn assert_linearizable(run: &Run, workload: &Workload, protocol: &Protocol) {
    if run.linearizable != Some(true) {
        let why = violation(workload, protocol, run.f, &Settings::default()).unwrap();
        panic!("{}: {why:?}", run.title);
    }
}

/// Broken: a figure could not be reproduced, or one protocol's clients would do other things than
/// another's.
#[test]
fn the_same_seed_gives_the_same_run() {
    for name in ALL {
        let workload = Workload {
            clients: 3,
            load: Load::Closed { commands: 60 },
            keys: pool(30.0),
            read_percent: 20.0,
            ..Workload::default()
        };
        let [first, second] = [(); 2].map(|()| run(&workload, &named(name), 2).unwrap());
        assert_eq!(figures(&first), figures(&second), "{name}");
        let other = Workload { seed: 2, ..workload };
        let other = run(&other, &named(name), 2).unwrap();
        assert_ne!(figures(&first), figures(&other), "{name}");
    }
}

/// Broken: additions to one key wait for each other, or for more than a round trip; or those that some
/// node left out, or that a read missed, would pass.
#[test]
fn additions_to_one_key_wait_for_nobody() {
    for f in [1, 2] {
        let workload = Workload { additions: true, keys: pool(100.0), ..Workload::default() };
        let run = run(&workload, &Protocol::Fast, f).unwrap();
        assert_linearizable(&run, &workload, &Protocol::Fast);
        for region in &run.regions {
            let p99_us = region.latency.value_at_quantile(0.99);
            assert!(p99_us <= region.bound_us + 200, "{}: {p99_us}", region.name);
        }
        let workload = Workload { read_percent: 20.0, ..workload };
        let run = super::run(&workload, &Protocol::Fast, f).unwrap();
        assert_linearizable(&run, &workload, &Protocol::Fast);
    }
    let workload = Workload { additions: true, ..Workload::default() };
    let error = run(&workload, &Protocol::Epaxos, 1).unwrap_err().to_string();
    assert!(error.contains("--additions"), "{error}");
}

/// Broken: a message takes another time than the planet says, is sent once too often, or a quorum
/// has another size.
#[test]
fn three_regions_by_hand() {
    // Round trips: a-b 20 ms, a-c 60 ms, b-c 80 ms.
    let table = "from,to,min_ms,avg_ms,max_ms,mdev_ms\n\
                 a,b,20,20,20,0\na,c,60,60,60,0\nb,c,80,80,80,0\n\
                 a,a,0.1,0.1,0.1,0\nb,b,0.1,0.1,0.1,0\nc,c,0.1,0.1,0.1,0\n";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rtt-three.csv");
    std::fs::write(&path, table).unwrap();
    let workload = Workload {
        planet: path.to_str().unwrap().into(),
        regions: ["a", "b", "c"].map(String::from).into(),
        load: Load::Closed { commands: 50 },
        keys: pool(0.0),
        ..Workload::default()
    };
    let cases = [
        ("fast", [20, 20, 60]),
        ("atlas", [20, 20, 60]),
        // Dependencies of a majority, then votes of f + 1.
        ("classic", [40, 40, 120]),
        // To the leader and back, and its nearest acceptor between.
        ("leader:a", [20, 40, 80]),
        ("leader:c", [120, 140, 60]),
        ("leader-majority:b", [40, 20, 100]),
        ("epaxos", [20, 20, 60]),
        ("bound", [20, 20, 60]),
    ];
    for (name, expected_ms) in cases {
        let protocol = Protocol::named(name, &workload.regions).unwrap().remove(0);
        let run = run(&workload, &protocol, 1).unwrap();
        assert_each_took(&run, &expected_ms.map(|ms| ms * 1000));
        assert_eq!(run.latency().len(), 150, "{name}");
        assert_eq!(run.linearizable, (name != "bound").then_some(true), "{name}");
        assert!(run.regions.iter().all(|it| it.unanswered == 0));
        assert_eq!(
            run.regions.iter().map(|it| it.bound_us).collect::<Vec<_>>(),
            [20_000, 20_000, 60_000]
        );
    }
}

/// Broken: a protocol's figures on a real planet are not those of its quorums.
#[test]
fn five_regions_by_the_planet_s_arithmetic() {
    let workload =
        Workload { load: Load::Closed { commands: 40 }, keys: pool(0.0), ..Workload::default() };
    let planet = Planet::named(&workload.planet).unwrap();
    let members: Vec<Region> = workload.regions.iter().map(|it| Region::new(it)).collect();
    let bound = |region: &Region, size| planet.bound_us(region, &members, size).unwrap();
    let led = |leader: &str, size: usize| {
        let leader = Region::new(leader);
        let to_leader = |region: &Region| match *region == leader {
            true => 0,
            false => planet.round_trip_us(region, &leader).unwrap(),
        };
        members.iter().map(|it| to_leader(it) + bound(&leader, size)).collect::<Vec<_>>()
    };
    let each = |size| members.iter().map(|it| bound(it, size)).collect::<Vec<_>>();
    let two = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
    let cases = [
        ("fast", 1, each(3)),
        ("fast", 2, each(4)),
        ("epaxos", 1, each(3)),
        ("bound", 2, each(4)),
        ("classic", 1, two(each(3), each(2))),
        ("classic", 2, two(each(3), each(3))),
        ("leader:ca-central-1", 1, led("ca-central-1", 2)),
        ("leader:ca-central-1", 2, led("ca-central-1", 3)),
        ("leader-majority:sa-east-1", 1, led("sa-east-1", 3)),
    ];
    for (name, f, expected_us) in cases {
        assert_each_took(&run(&workload, &named(name), f).unwrap(), &expected_us);
    }
}

/// Broken: a protocol orders conflicting commands wrongly, or a right one is condemned.
#[test]
fn contended_runs_are_linearizable() {
    let loads = [
        Load::Closed { commands: 60 },
        Load::ClosedFor { duration_ms: 6_000 },
        Load::Open { rate: 30.0, duration_ms: 6_000 },
    ];
    for name in ALL {
        for (seed, load) in (1..).zip(loads) {
            for (keys, read_percent) in [
                (pool(100.0), 0.0),
                (pool(60.0), 50.0),
                (Keys::Zipf { exponent: 1.2, len: 8 }, 30.0),
            ] {
                let (clients, batch_len_max) = (3, 1 + seed as usize % 2 * 15);
                let workload = Workload {
                    clients,
                    load,
                    keys,
                    read_percent,
                    batch_len_max,
                    batch_delay_us: 3_000,
                    seed,
                    ..Workload::default()
                };
                for f in [1, 2] {
                    let protocol = named(name);
                    let run = run(&workload, &protocol, f).unwrap();
                    assert_linearizable(&run, &workload, &protocol);
                    assert!(run.regions.iter().all(|it| it.unanswered == 0), "{name}");
                }
            }
        }
    }
}

/// Broken: what is submitted in the warm-up is measured, or an open load has another rate.
#[test]
fn an_open_load_keeps_its_rate_and_warms_up() {
    let load = Load::Open { rate: 200.0, duration_ms: 10_000 };
    let workload = Workload { load, clients: 4, ..Workload::default() };
    let all = run(&workload, &Protocol::Fast, 1).unwrap();
    let warmed = Workload { warm_up_ms: 5_000, ..workload };
    let half = run(&warmed, &Protocol::Fast, 1).unwrap();
    for (all, half) in all.regions.iter().zip(&half.regions) {
        // Poisson: 2,000 with a deviation of 45; clients connect in the first half second.
        assert!((1_750..2_250).contains(&all.latency.len()), "{}", all.latency.len());
        assert!((800..1_200).contains(&half.latency.len()), "{}", half.latency.len());
        let answers = |region: &RegionRun| region.timeline.iter().map(|it| it.ops).sum::<u64>();
        assert_eq!(answers(all), answers(half), "the clients did something else");
    }
}

/// What a region's clients were answered between two times, in milliseconds.
fn answered(region: &RegionRun, from_ms: u64, to_ms: u64) -> u64 {
    let within = |it: &&crate::Bucket| (from_ms..to_ms).contains(&it.at_ms);
    region.timeline.iter().filter(within).map(|it| it.ops).sum()
}

fn crashing(region: &str, until_ms: Option<u64>) -> Workload {
    Workload {
        clients: 4,
        load: Load::ClosedFor { duration_ms: 14_000 },
        keys: pool(10.0),
        read_percent: 20.0,
        crash: Some(Crash { region: region.into(), at_ms: 5_000, until_ms }),
        ..Workload::default()
    }
}

/// Broken: a region that fails takes others with it, loses what it had answered, or does not come
/// back.
#[test]
fn others_go_on_when_a_region_crashes() {
    for name in ["fast", "classic"] {
        for until_ms in [None, Some(9_000)] {
            let workload = crashing("ca-central-1", until_ms);
            let run = run(&workload, &named(name), 1).unwrap();
            assert_linearizable(&run, &workload, &named(name));
            for region in &run.regions {
                let is_down = region.name == "ca-central-1";
                let meanwhile = answered(region, 7_000, 9_000);
                assert_eq!(meanwhile > 0, !is_down, "{name}, {}", region.name);
                assert_eq!(region.unanswered, if is_down { 4 } else { 0 }, "{name}");
                let afterwards = answered(region, 10_500, 14_000);
                assert_eq!(afterwards > 0, !is_down || until_ms.is_some(), "{name}");
            }
        }
    }
}

/// Broken: the leader's baseline survives its leader without anybody noticing, or not at all.
#[test]
fn a_leader_s_crash_is_a_gap() {
    for name in ["leader:ca-central-1", "leader-majority:ca-central-1"] {
        for until_ms in [None, Some(9_000)] {
            let workload = crashing("ca-central-1", until_ms);
            let run = run(&workload, &named(name), 1).unwrap();
            assert_linearizable(&run, &workload, &named(name));
            for region in &run.regions {
                let is_down = region.name == "ca-central-1";
                // What was under way is still answered; then nobody is, until one leads again.
                assert_eq!(answered(region, 5_300, 5_500), 0, "{name}, {}", region.name);
                assert_eq!(answered(region, 7_000, 9_000) > 0, !is_down, "{name}");
                let afterwards = answered(region, 10_500, 14_000);
                assert_eq!(afterwards > 0, !is_down || until_ms.is_some(), "{name}");
            }
        }
    }
}

/// Broken: what the crash leaves of a follower costs more than its own clients.
#[test]
fn a_follower_s_crash_is_no_gap() {
    let run = run(&crashing("sa-east-1", None), &named("leader:ca-central-1"), 1).unwrap();
    assert_eq!(run.linearizable, Some(true));
    for region in run.regions.iter().filter(|it| it.name != "sa-east-1") {
        let slowest = region.latency.max();
        let before = answered(region, 3_000, 5_000) as f64;
        let after = answered(region, 5_000, 7_000) as f64;
        assert!((after / before - 1.0).abs() < 0.1, "{}: {before} then {after}", region.name);
        assert!(slowest < 320_000, "{}: {slowest} us", region.name);
    }
}

/// What is broken about a leader's node.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// A write is answered before anyone has it.
    AnswersAtOnce,
    /// A read is answered from what is executed here.
    ReadsLocally,
    /// Nodes execute when they hear of a command, in no common order.
    NoOrder,
}

/// A leader's node with a fault.
struct Faulty {
    fault: Fault,
    inner: LeaderNode,
    /// All requests, by what they are.
    payloads: Rc<RefCell<FxHashMap<RequestNumber, Bytes>>>,
    /// What is executed here.
    store: Store,
}

enum FaultyMessage {
    Inner(leader::Message),
    Told(Request),
}

impl Faulty {
    fn inner(
        &mut self,
        out: &mut Out<FaultyMessage>,
        call: impl FnOnce(&mut LeaderNode, &mut Out<leader::Message>),
    ) {
        let mut inner = Out::default();
        call(&mut self.inner, &mut inner);
        for (to, message) in inner.sends {
            out.send(to, FaultyMessage::Inner(message));
        }
        for id in inner.executed {
            self.store.apply(&self.payloads.borrow()[&id]);
            out.executed(id);
        }
        inner.connected.into_iter().for_each(|client| out.connected(client));
        inner.answers.into_iter().for_each(|(id, outcome)| out.answer(id, outcome));
    }
}

impl ProtocolNode for Faulty {
    type Message = FaultyMessage;

    fn start(&mut self, now: Micros, out: &mut Out<FaultyMessage>) {
        self.inner(out, |inner, out| inner.start(now, out));
    }

    fn crash(&mut self) {
        self.inner.crash();
    }

    fn on_connect(&mut self, now: Micros, from: RequestNumber, out: &mut Out<FaultyMessage>) {
        self.inner(out, |inner, out| inner.on_connect(now, from, out));
    }

    fn on_submit(&mut self, now: Micros, request: Request, out: &mut Out<FaultyMessage>) {
        let id = request.id;
        self.payloads.borrow_mut().insert(id, request.payload.clone());
        match self.fault {
            Fault::AnswersAtOnce if !request.is_read => {
                // Not in no time at all: then its client would never stop.
                out.send(0, FaultyMessage::Told(request.clone()));
                out.send(1, FaultyMessage::Told(request.clone()));
            }
            Fault::ReadsLocally if request.is_read => {
                let reply = self.store.apply(&request.payload);
                out.answer(id, Outcome::Executed(reply));
            }
            Fault::NoOrder => {
                for other in 0..3 {
                    out.send(other, FaultyMessage::Told(request.clone()));
                }
                return;
            }
            _ => {}
        }
        self.inner(out, |inner, out| inner.on_submit(now, request, out));
    }

    fn on_message(
        &mut self,
        now: Micros,
        from: usize,
        message: FaultyMessage,
        out: &mut Out<FaultyMessage>,
    ) {
        match (message, self.fault) {
            (FaultyMessage::Inner(message), _) => {
                self.inner(out, |inner, out| inner.on_message(now, from, message, out));
            }
            (FaultyMessage::Told(request), Fault::NoOrder) => {
                let reply = self.store.apply(&request.payload);
                out.executed(request.id);
                out.answer(request.id, Outcome::Executed(reply));
            }
            (FaultyMessage::Told(request), _) => {
                out.answer(request.id, Outcome::Executed(KvReply::Done.encode()));
            }
        }
    }

    fn on_link(&mut self, now: Micros, other: usize, link: Link, out: &mut Out<FaultyMessage>) {
        self.inner(out, |inner, out| inner.on_link(now, other, link, out));
    }

    fn take_commits(&mut self) -> Commits {
        Commits::default()
    }
}

/// Broken: a protocol that lies to its clients would pass.
#[test]
fn a_broken_protocol_is_not_linearizable() {
    let ms = |ms: u64| ms * 1000;
    // A node sends itself nothing here, but for the faults: their way to it is as long.
    let distances =
        vec![vec![ms(5), ms(30), ms(50)], vec![ms(30), ms(5), ms(40)], vec![ms(50), ms(40), ms(5)]];
    let verdict = |fault, read_percent| {
        let workload = Workload {
            regions: ["a", "b", "c"].map(String::from).into(),
            clients: 2,
            load: Load::Closed { commands: 50 },
            keys: pool(80.0),
            read_percent,
            ..Workload::default()
        };
        let payloads = Rc::default();
        let node = |me| Faulty {
            fault,
            inner: LeaderNode::new(me, vec![2, 1, 0], QuorumSizes { phase1: 2, phase2: 2 }, false),
            payloads: Rc::clone(&payloads),
            store: Store::default(),
        };
        let settings = Settings::default();
        let nodes = (0..3).map(node).collect();
        let world = World::new(&workload, &settings, distances.clone(), nodes, &|_| {});
        world.run().verdict.expect("it is checked")
    };
    assert_eq!(verdict(Fault::None, 0.0), Ok(()));
    assert_eq!(verdict(Fault::None, 50.0), Ok(()));
    assert!(verdict(Fault::AnswersAtOnce, 0.0).is_err());
    assert!(verdict(Fault::AnswersAtOnce, 50.0).is_err());
    assert!(verdict(Fault::ReadsLocally, 50.0).is_err());
    assert!(verdict(Fault::NoOrder, 0.0).is_err());
}

/// Broken: a baseline runs in a setting that it was not made for, and the figures say nothing.
#[test]
fn what_does_not_fit_is_refused() {
    let error = run(&crashing("sa-east-1", None), &Protocol::Epaxos, 1).unwrap_err().to_string();
    assert!(error.contains("without failures only"), "{error}");
    let error = run(&Workload::default(), &Protocol::Fast, 3).unwrap_err().to_string();
    assert!(
        error.contains("f = 3 is too large for 5 regions") && error.contains("to 2"),
        "{error}"
    );
}
