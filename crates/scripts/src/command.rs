//! The commands of a story.

use crate::cluster::Cluster;
use crate::flight::{Selector, parse_hop};
use crate::node::Setting;
use crate::{report, show};
use althing_model::{Epoch, Membership, Micros, NodeId, Path, Role};
use std::collections::BTreeMap;

type Result<T = ()> = std::result::Result<T, String>;

/// Does a command; what happened.
pub(crate) fn run(world: &mut Option<Cluster>, command: &str) -> Result<Vec<String>> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if let ["quietly", words @ ..] = &words[..] {
        run_words(world, words)?;
        return Ok(Vec::new());
    }
    run_words(world, &words)
}

fn run_words(world: &mut Option<Cluster>, words: &[&str]) -> Result<Vec<String>> {
    if let ["times", times, words @ ..] = words {
        let mut lines = Vec::new();
        for _ in 0..times.parse().map_err(|_| "how many times")? {
            lines.extend(run_words(world, words)?);
        }
        return Ok(lines);
    }
    if let ["cluster", options @ ..] = words {
        let cluster = start(options)?;
        let lines = report::members(&cluster);
        *world = Some(cluster);
        return Ok(lines);
    }
    let cluster = world.as_mut().ok_or("a story begins with a cluster")?;
    match words {
        ["open", client, node] => cluster.open(parse_client(client)?, parse_node(node)?)?,
        ["submit", client, node, command @ ..] if show::parse_node(node).is_some() => {
            cluster.submit(parse_client(client)?, parse_node(node)?, command)?;
        }
        ["submit", client, command @ ..] => {
            let client = parse_client(client)?;
            cluster.submit(client, NodeId(client as u32), command)?;
        }
        ["retry", request, node] => {
            let (client, sequence) = request.split_once('#').ok_or("a request is c0#0")?;
            let sequence = sequence.parse().map_err(|_| "a request is c0#0")?;
            cluster.retry(parse_client(client)?, sequence, parse_node(node)?)?;
        }
        [verb @ ("deliver" | "drop" | "duplicate" | "hold" | "release"), selector @ ..] => {
            let selector = Selector::parse(selector.iter().copied())?;
            if on_flight(cluster, verb, &selector)? == 0 && !selector.is_all {
                return Err("no such message".to_owned());
            }
        }
        ["flight"] => report::flight(cluster),
        ["cut", what] => {
            if let Some(hop) = parse_hop(what) {
                cluster.flight.cut(hop);
            } else {
                let node = parse_node(what)?;
                cluster.flight.cut((Some(node), None));
                cluster.flight.cut((None, Some(node)));
            }
        }
        ["heal"] => cluster.flight.heal(),
        ["manual-sync", node] => cluster.node(parse_node(node)?)?.disk.is_manual = true,
        ["auto-sync", node] => {
            let node = parse_node(node)?;
            cluster.node(node)?.disk.is_manual = false;
            cluster.sync(node, usize::MAX)?;
        }
        ["sync", node] => cluster.sync(parse_node(node)?, usize::MAX)?,
        ["sync", node, appends] => {
            let appends = appends.parse().map_err(|_| "how many appends")?;
            cluster.sync(parse_node(node)?, appends)?;
        }
        ["crash", node] => {
            let node = parse_node(node)?;
            match cluster.crash(node)? {
                0 => {}
                lost => cluster.say(format!("{node} loses {lost} records")),
            }
        }
        ["restart", node] => {
            cluster.start_node(parse_node(node)?)?;
            // It asks at once for what it missed.
            cluster.wait(0)?;
        }
        [state @ ("down" | "up"), node] => {
            let node = parse_node(node)?;
            let now = cluster.now();
            for other in cluster.nodes.values_mut().filter(|other| other.id != node) {
                other.believe(now, node, |link| link.is_up = *state == "up");
            }
            cluster.wait(0)?;
        }
        ["rtt", from, to, time] => {
            let (to, time) = (parse_node(to)?, parse_time(time)?);
            let now = cluster.now();
            cluster.node(parse_node(from)?)?.believe(now, to, |link| link.round_trip = Some(time));
        }
        ["wait", time] => cluster.wait(parse_time(time)?)?,
        ["barrier", node] => cluster.barrier(parse_node(node)?)?,
        ["save", node] => cluster.save(parse_node(node)?)?,
        ["install", node] => cluster.install(parse_node(node)?)?,
        ["recover", node, vertex] => {
            let vertex = show::parse_vertex(vertex).ok_or("a vertex is 0.1")?;
            cluster.recover(parse_node(node)?, vertex)?;
        }
        ["state", vertex] => {
            report::state(cluster, show::parse_vertex(vertex).ok_or("a vertex is 0.1")?);
        }
        ["executed"] => report::executed(cluster),
        ["check"] => report::check(cluster, false)?,
        ["check", "converged"] => report::check(cluster, true)?,
        _ => return Err("no such command".to_owned()),
    }
    Ok(cluster.take_lines())
}

/// How many messages it was about.
fn on_flight(cluster: &mut Cluster, verb: &str, selector: &Selector) -> Result<usize> {
    let count = match verb {
        "deliver" => return cluster.deliver(selector),
        "drop" => cluster.flight.take(selector).len(),
        "duplicate" => {
            let taken = cluster.flight.take(selector);
            cluster.flight.sent.extend(taken.iter().flat_map(|sent| [sent.clone(), sent.clone()]));
            taken.len()
        }
        "hold" => {
            let taken = cluster.flight.take(selector);
            let count = taken.len();
            cluster.flight.held.extend(taken);
            count
        }
        _ => {
            let taken = cluster.flight.take_held(selector);
            let count = taken.len();
            cluster.flight.sent.extend(taken);
            count
        }
    };
    Ok(count)
}

fn start(options: &[&str]) -> Result<Cluster> {
    let (mut path, mut n, mut f, mut is_apart) = (Path::Fast, 3, 1, false);
    let (mut reserve_len, mut chain_len_max, mut tells_reservations) = (1, 1000, false);
    let (mut catch_up_len_max, mut log_len_max) = (1000, 1000);
    for option in options {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{option}: a number"));
        match option.split_once('=') {
            None if *option == "fast" => path = Path::Fast,
            None if *option == "classic" => path = Path::Classic,
            None if *option == "apart" => is_apart = true,
            Some(("n", text)) => n = number(text)? as u32,
            Some(("f", text)) => f = number(text)? as usize,
            Some(("reserve", text)) => reserve_len = number(text)?,
            Some(("catch-up", text)) => catch_up_len_max = number(text)? as usize,
            Some(("log", text)) => log_len_max = number(text)? as usize,
            Some(("chain", text)) => chain_len_max = number(text)? as usize,
            Some(("records", "all")) => tells_reservations = true,
            _ => return Err(format!("no such option: {option}")),
        }
    }
    let membership = if is_apart {
        // f + 1 proposers and replicas, n dependency nodes and acceptors.
        let few = f as u32 + 1;
        let roles = [(Role::Proposer, few), (Role::Dependency, n), (Role::Acceptor, n)];
        let roles = roles.into_iter().chain([(Role::Replica, few)]);
        let each = roles.flat_map(|(role, count)| (0..count).map(move |_| vec![role]));
        let nodes: BTreeMap<_, _> = (0..).map(NodeId).zip(each).collect();
        Membership::new(Epoch(0), path, f, nodes)
    } else {
        Membership::colocated(n, f, path)
    };
    let membership = membership.map_err(|invalid| invalid.to_string())?;
    Cluster::start(
        Setting { membership, reserve_len, chain_len_max, catch_up_len_max, log_len_max },
        tells_reservations,
    )
}

fn parse_node(word: &str) -> Result<NodeId> {
    show::parse_node(word).ok_or_else(|| format!("{word} is no node"))
}

fn parse_client(word: &str) -> Result<u64> {
    let number = word.strip_prefix('c').and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("{word} is no client"))
}

fn parse_time(word: &str) -> Result<Micros> {
    let (number, unit) = match word.strip_suffix("ms") {
        Some(number) => (number, 1000),
        None => (word.strip_suffix('s').ok_or("a time is 50ms or 2s")?, 1_000_000),
    };
    number.parse::<Micros>().map(|it| it * unit).map_err(|_| "a time is 50ms or 2s".to_owned())
}
