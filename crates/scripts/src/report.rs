//! Commands that look and change nothing.

use crate::cluster::Cluster;
use crate::node::Node;
use crate::show;
use althing_acceptor::Register;
use althing_model::{Ballot, Path, Role, VertexId};

type Result<T = ()> = std::result::Result<T, String>;

/// Who there is, and the quorums.
pub(crate) fn members(cluster: &Cluster) -> Vec<String> {
    let membership = &cluster.setting.membership;
    let with = |role: Role| show::nodes(&membership.with(role).collect::<Vec<_>>());
    let all = show::nodes(&membership.nodes().collect::<Vec<_>>());
    let are_together = Role::ALL.iter().all(|role| with(*role) == all);
    let mut lines = match are_together {
        true => vec![format!("{all}, all roles on each")],
        false => Role::ALL.iter().map(|role| format!("{role}: {}", with(*role))).collect(),
    };
    let quorums = membership.acceptor_quorums();
    let fast = match membership.path() {
        Path::Fast => format!("fast {}, ", quorums.fast()),
        Path::Classic => String::new(),
    };
    lines.push(format!(
        "quorums: {fast}dependencies {}, phase 1 {}, phase 2 {}",
        membership.dependency_quorums().dependency(),
        quorums.phase1(),
        quorums.phase2()
    ));
    lines
}

/// What is on its way.
pub(crate) fn flight(cluster: &mut Cluster) {
    let lists = [(&cluster.flight.sent, ""), (&cluster.flight.held, ", held")];
    let mut lines = Vec::new();
    for (list, held) in lists {
        for sent in list {
            lines.push(format!(
                "{}->{} {}{held}",
                sent.from,
                sent.to,
                show::message(&sent.message)
            ));
        }
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines.into_iter().for_each(|line| cluster.say(line));
}

/// What each node knows of a vertex.
pub(crate) fn state(cluster: &mut Cluster, vertex: VertexId) {
    let lines: Vec<_> = cluster
        .nodes
        .values()
        .map(|node| format!("{}: {}", node.id, state_at(node, vertex)))
        .collect();
    lines.into_iter().for_each(|line| cluster.say(line));
}

fn state_at(node: &Node, vertex: VertexId) -> String {
    let Some(roles) = &node.roles else { return "down".to_owned() };
    let mut parts = Vec::new();
    let by_voter = roles.voter.as_ref().and_then(|it| it.register(vertex));
    let by_acceptor = roles.acceptor.as_ref().and_then(|it| it.get(vertex));
    parts.extend(by_voter.or(by_acceptor).map(|register| register_in_words(vertex, register)));
    let known = roles
        .voter
        .as_ref()
        .and_then(|voter| voter.committed().find(|(it, _)| *it == vertex).map(|(_, value)| value));
    let known = known.or_else(|| roles.replica.as_ref()?.committed_value(vertex));
    parts.extend(known.map(|value| format!("committed {}", show::value(value))));
    let floors = [
        roles.voter.as_ref().map(|voter| voter.floor()),
        roles.acceptor.as_ref().map(|acceptor| acceptor.floor()),
        roles.dependency.as_ref().map(|dependency| dependency.floor()),
    ];
    if floors.into_iter().flatten().any(|floor| floor.contains(vertex)) {
        parts.push("pruned".to_owned());
    }
    if node.executed.contains(&vertex) {
        parts.push("executed".to_owned());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn register_in_words(vertex: VertexId, register: &Register) -> String {
    let promised = match register.promised() {
        ballot if ballot == Ballot::fast(vertex) => String::new(),
        ballot => format!("promised {}, ", show::ballot(ballot)),
    };
    match register.vote() {
        None => format!("{promised}no vote"),
        Some(vote) => format!("{promised}voted {}", show::vote(vote)),
    }
}

/// In which order each replica executed.
pub(crate) fn executed(cluster: &mut Cluster) {
    let lines: Vec<_> = replicas(cluster)
        .map(|node| match &node.roles {
            None => format!("{}: down", node.id),
            Some(_) => {
                let vertices = node.executed.iter().map(|vertex| show::vertex(*vertex));
                let snapshot = node.began_from.map(|number| format!("snapshot {number}"));
                let all: Vec<_> = snapshot.into_iter().chain(vertices).collect();
                match all.is_empty() {
                    true => format!("{}: nothing", node.id),
                    false => format!("{}: {}", node.id, all.join(" ")),
                }
            }
        })
        .collect();
    lines.into_iter().for_each(|line| cluster.say(line));
}

/// The oracles' verdict.
///
/// They are asked at every step, so that here only what was left open is settled.
pub(crate) fn check(cluster: &mut Cluster, must_be_converged: bool) -> Result {
    let open = cluster.oracles.settle().map_err(|violation| violation.to_string())?;
    let mut parts = Vec::new();
    let mut states = Vec::new();
    for node in replicas(cluster) {
        let Some(replica) = node.roles.as_ref().and_then(|roles| roles.replica.as_ref()) else {
            parts.push(format!("{} down", node.id));
            continue;
        };
        let waiting = match replica.pending_len() {
            0 => String::new(),
            waiting => format!(" and {waiting} wait"),
        };
        let snapshot = node.began_from.map(|number| format!(" after snapshot {number}"));
        let snapshot = snapshot.unwrap_or_default();
        parts.push(format!("{} executed {}{snapshot}{waiting}", node.id, node.executed.len()));
        states.push((replica.digest(), replica.committed().clone(), replica.pending_len()));
    }
    if must_be_converged {
        let is_same = states.windows(2).all(|pair| pair[0] == pair[1]);
        if !is_same || states.iter().any(|(_, _, waiting)| *waiting > 0) {
            return Err(format!("not converged: {}", parts.join(", ")));
        }
    }
    let open = match open {
        0 => String::new(),
        open => format!(", {open} undecided until more is committed"),
    };
    cluster.say(format!("consistent{open}: {}", parts.join(", ")));
    Ok(())
}

fn replicas(cluster: &Cluster) -> impl Iterator<Item = &Node> {
    let membership = &cluster.setting.membership;
    cluster.nodes.values().filter(|node| membership.has(node.id, Role::Replica))
}
