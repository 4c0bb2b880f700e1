//! Where commands on a contended resource are best proposed: arithmetic on distances and rates.
//!
//! A command waits for the commits of those that it is ordered after. Where regions contend, that
//! wait is what hurts the tail: far regions' commits take long to arrive. A region may let a better
//! placed node, the hub, propose its commands instead: a way longer for itself, shorter for those who
//! wait for it, and commands of one proposer are committed in order and wait for nothing.
//!
//! # The model
//! Each home, a node whose clients contend, proposes at itself or at the hub. For a command `x` of
//! `a` and a later one `y` of `b`, [`Sites::known`] says how long, at most, `y` waits for `x`: it is
//! ordered after `x` as soon as one of its quorum met `x` first. Commands come at random (a Poisson
//! process at the observed rate), so that `y` waits longer than `u` with probability
//! `1 - exp(-sum of rate * (wait - u))`. Where f is above one, a quorum that disagrees costs a second
//! round trip, whose probability is counted in the same way. What is minimised is the mean over
//! commands of the *square* of the latency: a hundred commands that wait 1 ms are better than one
//! that waits 100 ms.
//!
//! Only latency depends on any of this. Any proposer may take any command.

use althing_model::{Membership, Micros, NodeId, Path, Role};
use althing_wire::Demand;
use std::collections::BTreeMap;

/// Steps of the numeric integration over a command's wait.
const STEPS: usize = 8;

/// Homes that are placed, the busiest; the others propose at home. With as many hubs tried, the
/// search takes less than a millisecond in a cluster of nine nodes and a few in one of 64.
const HOMES_MAX: usize = 8;

/// Hubs that are tried: those that serve the homes best if all of them propose there.
const HUBS_MAX: usize = 8;

/// By how much a placement must be better than the present one: measured rates are never quite still.
const GAIN_LEAST: f64 = 0.01;

/// The nodes that are up, and how far apart they are; times in microseconds.
#[derive(Debug)]
pub(crate) struct Sites {
    nodes: Vec<NodeId>,
    one_way: Vec<Vec<f64>>,
    /// From a node's proposal to its commit, without a failure; none where it cannot be a hub.
    commit: Vec<Option<f64>>,
    /// The nodes whose dependency answers it takes.
    quorum: Vec<Vec<usize>>,
    /// On the fast path, the second round trip of a commit whose quorum disagreed.
    second: Vec<f64>,
    /// How many of the quorum must report a dependency, or there is a second round trip; 0 on the
    /// classic path, where nobody minds.
    threshold: usize,
}

impl Sites {
    /// None while a proposer's distance to one of them is not known, or too few are up.
    pub(crate) fn new(
        membership: &Membership,
        round_trips: &BTreeMap<(NodeId, NodeId), Micros>,
        is_up: impl Fn(NodeId) -> bool,
    ) -> Option<Self> {
        let nodes: Vec<NodeId> = membership.nodes().filter(|node| is_up(*node)).collect();
        let one_way_of = |a: NodeId, b: NodeId| {
            if a == b {
                return Some(0.0);
            }
            let measured = round_trips.get(&(a, b)).or_else(|| round_trips.get(&(b, a)));
            measured.map(|round_trip| *round_trip as f64 / 2.0)
        };
        // Proposers measure, and only their ways matter.
        let row = |a: &NodeId| -> Option<Vec<f64>> {
            let is_proposer = membership.has(*a, Role::Proposer);
            let cell = |b: &NodeId| one_way_of(*a, *b).or((!is_proposer).then_some(f64::INFINITY));
            nodes.iter().map(cell).collect()
        };
        let one_way: Vec<Vec<f64>> = nodes.iter().map(row).collect::<Option<_>>()?;
        let threshold = match membership.path() {
            Path::Fast => membership.acceptor_quorums().f(),
            Path::Classic => 0,
        };
        let (commit, quorum, second) = (Vec::new(), Vec::new(), Vec::new());
        let mut sites = Self { nodes, one_way, commit, quorum, second, threshold };
        for place in 0..sites.nodes.len() {
            let (commit, quorum, second) = sites.commit_at(membership, place)?;
            let is_hub = [Role::Proposer, Role::Replica]
                .iter()
                .all(|role| membership.has(sites.nodes[place], *role));
            sites.commit.push(is_hub.then_some(commit));
            sites.quorum.push(quorum);
            sites.second.push(second);
        }
        Some(sites)
    }

    /// How long a commit takes a proposer there, whose dependencies it counts, and how long a second
    /// round trip takes it.
    fn commit_at(&self, membership: &Membership, place: usize) -> Option<(f64, Vec<usize>, f64)> {
        let nearest = |role: Role, count: usize| {
            let mut with: Vec<usize> = (0..self.nodes.len())
                .filter(|other| membership.has(self.nodes[*other], role))
                .collect();
            with.sort_by(|a, b| {
                let row = &self.one_way[place];
                row[*a].total_cmp(&row[*b]).then(a.cmp(b))
            });
            with.truncate(count);
            (with.len() == count).then_some(with)
        };
        let round_trip = |quorum: &[usize]| {
            quorum.last().map_or(0.0, |farthest| 2.0 * self.one_way[place][*farthest])
        };
        let acceptors = membership.acceptor_quorums();
        let voters = nearest(Role::Acceptor, acceptors.phase2())?;
        Some(match membership.path() {
            Path::Fast => {
                let quorum = nearest(Role::Acceptor, acceptors.fast())?;
                (round_trip(&quorum), quorum, round_trip(&voters))
            }
            Path::Classic => {
                let dependency = membership.dependency_quorums().dependency();
                let quorum = nearest(Role::Dependency, dependency)?;
                (round_trip(&quorum) + round_trip(&voters), quorum, 0.0)
            }
        })
    }

    /// Where `me` best proposes its clients' commands on a resource of that demand; now it does so
    /// at `current`.
    pub(crate) fn place(&self, demand: &Demand, me: NodeId, current: NodeId) -> NodeId {
        let mut homes: Vec<Home> = demand
            .commands
            .iter()
            .filter_map(|(node, commands)| {
                let place = self.nodes.iter().position(|it| it == node)?;
                self.commit[place]?;
                Some(Home { place, rate: *commands as f64 / demand.window.max(1) as f64 })
            })
            .collect();
        homes.sort_by(|a, b| b.rate.total_cmp(&a.rate).then(a.place.cmp(&b.place)));
        homes.truncate(HOMES_MAX);
        let Some(mine) = homes.iter().position(|home| self.nodes[home.place] == me) else {
            return me;
        };
        let (cost, proposers) = self.best(&homes);
        let Some(current) = self.nodes.iter().position(|it| *it == current) else {
            return self.nodes[proposers[mine]];
        };
        let mut unchanged = proposers.clone();
        unchanged[mine] = current;
        let is_better = cost < (1.0 - GAIN_LEAST) * self.cost(&homes, &unchanged);
        self.nodes[if is_better { proposers[mine] } else { current }]
    }

    /// The cheapest assignment of homes to proposers that was found: each at itself, or some of them
    /// at one hub. For each hub all begin there, and one after the other goes where that helps most.
    fn best(&self, homes: &[Home]) -> (f64, Vec<usize>) {
        let at_home: Vec<usize> = homes.iter().map(|home| home.place).collect();
        let mut best = (self.cost(homes, &at_home), at_home);
        for hub in self.hubs(homes) {
            let mut proposers = vec![hub; homes.len()];
            let mut cost = self.cost(homes, &proposers);
            loop {
                let mut better = None;
                for (index, home) in homes.iter().enumerate().filter(|(_, it)| it.place != hub) {
                    let mut other = proposers.clone();
                    other[index] = if proposers[index] == hub { home.place } else { hub };
                    let other_cost = self.cost(homes, &other);
                    if other_cost < cost {
                        cost = other_cost;
                        better = Some(other);
                    }
                }
                match better {
                    Some(other) => proposers = other,
                    None => break,
                }
            }
            if cost < best.0 {
                best = (cost, proposers);
            }
        }
        best
    }

    /// The nodes that could propose for all of them, the best for that first.
    fn hubs(&self, homes: &[Home]) -> Vec<usize> {
        let mean = |hub: usize| -> f64 {
            homes.iter().map(|home| home.rate * self.own_latency(home.place, hub)).sum()
        };
        let can = |place: &usize| self.commit[*place].is_some();
        let mut hubs: Vec<(f64, usize)> =
            (0..self.nodes.len()).filter(can).map(|place| (mean(place), place)).collect();
        hubs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        hubs.truncate(HUBS_MAX);
        hubs.into_iter().map(|(_, place)| place).collect()
    }

    /// The root of the mean square latency of the homes' commands.
    fn cost(&self, homes: &[Home], proposers: &[usize]) -> f64 {
        let seconds: Vec<f64> =
            (0..homes.len()).map(|later| self.second_round_trip(homes, proposers, later)).collect();
        let (mut sum, mut rates) = (0.0, 0.0);
        for (later, home) in homes.iter().enumerate() {
            let own = self.own_latency(home.place, proposers[later]) + seconds[later];
            let waits: Vec<(f64, f64)> = homes
                .iter()
                .enumerate()
                .filter(|(earlier, _)| *earlier != later)
                .map(|(earlier, other)| {
                    let (x, y) =
                        ((other.place, proposers[earlier]), (home.place, proposers[later]));
                    (self.known(x, y) + seconds[earlier] - own, other.rate)
                })
                .filter(|(wait, _)| *wait > 0.0)
                .collect();
            let longest = waits.iter().map(|(wait, _)| *wait).fold(0.0, f64::max);
            let step = longest / STEPS as f64;
            // The mean of L^2 is the integral of 2 l * P(L > l).
            let mut square = own * own;
            for index in 0..STEPS {
                let waited = (index as f64 + 0.5) * step;
                let expected: f64 =
                    waits.iter().map(|(wait, rate)| rate * (wait - waited).max(0.0)).sum();
                square += 2.0 * (own + waited) * (1.0 - (-expected).exp()) * step;
            }
            sum += home.rate * square;
            rates += home.rate;
        }
        (sum / rates.max(f64::MIN_POSITIVE)).sqrt()
    }

    /// From a client's submission at `home` until its command, proposed at `proposer`, is known at
    /// `home` to be committed.
    fn own_latency(&self, home: usize, proposer: usize) -> f64 {
        2.0 * self.one_way[home][proposer] + self.commit[proposer].unwrap_or(f64::INFINITY)
    }

    /// What a second round trip costs a home's command on the average: it takes one when fewer than
    /// the threshold of its quorum met an earlier command, and some did.
    fn second_round_trip(&self, homes: &[Home], proposers: &[usize], later: usize) -> f64 {
        let r = proposers[later];
        let expected: f64 = homes
            .iter()
            .zip(proposers)
            // The commands of one proposer are in order, and its own voter knows it.
            .filter(|(_, proposer)| self.threshold > 1 && **proposer != r)
            .map(|(home, proposer)| {
                let mut meets = self.meets((home.place, *proposer), (homes[later].place, r));
                // What its own voter met, all members report.
                let by_all = meets[self.quorum[r].iter().position(|j| *j == r).unwrap_or(0)];
                meets.sort_by(f64::total_cmp);
                home.rate * (by_all.min(meets[self.threshold - 1]) - meets[0])
            })
            .sum();
        (1.0 - (-expected).exp()) * self.second[r]
    }

    /// When a command of the home and proposer `y` must be submitted, after one of `x`, so that a
    /// member of its quorum meets `x` first: for each member.
    fn meets(&self, x: (usize, usize), y: (usize, usize)) -> Vec<f64> {
        let ((a, p), (b, r)) = (x, y);
        let at = |j: &usize| {
            self.one_way[a][p] + self.one_way[p][*j] - self.one_way[b][r] - self.one_way[r][*j]
        };
        self.quorum[r].iter().map(at).collect()
    }

    /// How long after the submission of the earliest `y` that is ordered after `x` it is known at
    /// the home of `y` that `x` is committed; a `y` that is submitted later knows it sooner.
    fn known(&self, x: (usize, usize), y: (usize, usize)) -> f64 {
        let ((a, p), (b, _)) = (x, y);
        let commit = self.commit[p].unwrap_or(f64::INFINITY);
        let known = self.one_way[a][p] + commit + self.one_way[p][b];
        known - self.meets(x, y).into_iter().fold(f64::INFINITY, f64::min)
    }
}

/// A node whose clients contend.
#[derive(Debug, Clone, Copy)]
struct Home {
    place: usize,
    /// Commands a microsecond.
    rate: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::Epoch;
    use bytes::Bytes;

    /// Measured round trips in milliseconds, from the table of 2020-06-05: Ireland, California,
    /// Singapore, Montreal, Sao Paulo.
    const MS: [[u64; 5]; 5] = [
        [0, 141, 187, 72, 184],
        [141, 0, 181, 78, 190],
        [187, 181, 0, 221, 338],
        [72, 78, 221, 0, 124],
        [184, 190, 338, 124, 0],
    ];
    const HUB: NodeId = NodeId(3);
    const FAR: NodeId = NodeId(2);

    fn sites(is_up: impl Fn(NodeId) -> bool) -> Option<Sites> {
        sites_of(1, Path::Fast, is_up)
    }

    fn sites_of(f: usize, path: Path, is_up: impl Fn(NodeId) -> bool) -> Option<Sites> {
        let membership = Membership::colocated(5, f, path).unwrap();
        let mut round_trips = BTreeMap::new();
        for (a, row) in (0..).zip(MS) {
            for (b, ms) in (0..).zip(row).filter(|(b, _)| a != *b) {
                round_trips.insert((NodeId(a), NodeId(b)), ms * 1000);
            }
        }
        Sites::new(&membership, &round_trips, is_up)
    }

    /// So many commands of each in ten seconds.
    fn demand(commands: [u64; 5]) -> Demand {
        let commands = (0..).map(NodeId).zip(commands).filter(|(_, commands)| *commands > 0);
        let (resource, window) = (Bytes::from_static(b"hot"), 10_000_000);
        Demand { resource, window, commands: commands.collect() }
    }

    /// Broken: commands that hardly ever meet would take a detour.
    #[test]
    fn rare_commands_stay_at_home() {
        let sites = sites(|_| true).unwrap();
        for node in (0..5).map(NodeId) {
            assert_eq!(sites.place(&demand([1; 5]), node, node), node);
        }
        // Nobody else contends.
        assert_eq!(sites.place(&demand([900, 0, 0, 0, 0]), NodeId(0), NodeId(0)), NodeId(0));
    }

    /// Broken: regions would wait for each other's far commits although a node between them could
    /// propose for all.
    #[test]
    fn contending_regions_meet_in_the_middle() {
        let sites = sites(|_| true).unwrap();
        let often = demand([25; 5]);
        let placed: Vec<NodeId> =
            (0..5).map(NodeId).map(|node| sites.place(&often, node, node)).collect();
        assert_eq!(placed, [HUB, HUB, FAR, HUB, HUB], "the far one is better off at home");
        let always = demand([400; 5]);
        assert_eq!(sites.place(&always, FAR, FAR), HUB);
        // Whoever does not contend has nothing to place.
        assert_eq!(sites.place(&demand([25, 25, 0, 25, 25]), FAR, FAR), FAR);
    }

    fn placed(sites: &Sites, demand: &Demand) -> Vec<u32> {
        (0..5).map(|node| sites.place(demand, NodeId(node), NodeId(node)).0).collect()
    }

    /// Broken: the second round trips that disagreement costs would not count, or the classic path
    /// would be placed as if it were the fast one.
    #[test]
    fn what_a_commit_costs_depends_on_f_and_the_path() {
        let two = sites_of(2, Path::Fast, |_| true).unwrap();
        // Without second round trips these would be 0 1 2 3 4, and 3 3 2 3 3.
        assert_eq!(placed(&two, &demand([5; 5])), [3, 3, 2, 3, 4]);
        assert_eq!(placed(&two, &demand([25; 5])), [3, 3, 3, 3, 3]);
        let classic = sites_of(1, Path::Classic, |_| true).unwrap();
        // Montreal: a dependency quorum of three, 78 ms, and a vote of another one, 72 ms.
        assert_eq!(classic.commit[3], Some(150_000.0));
        // From Sao Paulo the way there and back is shorter than two rounds at home, whoever contends.
        assert_eq!(placed(&classic, &demand([1; 5])), [0, 1, 2, 3, 3]);
        assert_eq!(placed(&classic, &demand([400; 5])), [3, 3, 3, 3, 3]);
    }

    /// Broken: where roles are apart nothing would ever be placed, since nobody measures between
    /// nodes that do not propose.
    #[test]
    fn only_proposers_distances_are_needed() {
        let all = [Role::Proposer, Role::Replica];
        let voters = [Role::Dependency, Role::Acceptor];
        let roles = (0..5).map(|node| (NodeId(node), if node < 2 { all } else { voters }.to_vec()));
        // Each role needs three nodes, or two.
        let roles = roles.chain([(NodeId(5), voters.to_vec())]);
        let membership = Membership::new(Epoch(0), Path::Classic, 1, roles.collect()).unwrap();
        let mut round_trips = BTreeMap::new();
        for (proposer, near) in [(0u32, 10_000), (1, 10_000)] {
            for other in (0..6).filter(|other| *other != proposer) {
                round_trips.insert((NodeId(proposer), NodeId(other)), near);
            }
        }
        let sites = Sites::new(&membership, &round_trips, |_| true).unwrap();
        assert_eq!(sites.commit[0], Some(20_000.0));
        assert_eq!(sites.commit[2], None);
    }

    /// Broken: a large cluster's proposers would do nothing but compute placements.
    #[test]
    fn a_search_is_bounded() {
        let n = 31;
        let membership = Membership::colocated(n, 1, Path::Fast).unwrap();
        let mut round_trips = BTreeMap::new();
        for a in 0..n {
            for b in (0..n).filter(|b| *b != a) {
                let apart = u64::from(a.abs_diff(b)) * 10_000;
                round_trips.insert((NodeId(a), NodeId(b)), apart);
            }
        }
        let sites = Sites::new(&membership, &round_trips, |_| true).unwrap();
        let commands = (0..n).map(|node| (NodeId(node), u64::from(100 + node))).collect();
        let demand = Demand { resource: Bytes::new(), window: 10_000_000, commands };
        // Of the busiest it places one, the others stay.
        assert_ne!(sites.place(&demand, NodeId(30), NodeId(30)), NodeId(0));
        assert_eq!(sites.place(&demand, NodeId(0), NodeId(0)), NodeId(0));
        let homes: Vec<Home> = (0..8).map(|place| Home { place, rate: 1e-5 }).collect();
        assert_eq!(sites.hubs(&homes).len(), HUBS_MAX);
    }

    /// Broken: a placement would swing with every wobble of the measured rates.
    #[test]
    fn what_is_hardly_better_is_not_worth_a_move() {
        let sites = sites(|_| true).unwrap();
        let moved = (1..400).find(|n| sites.place(&demand([*n; 5]), FAR, FAR) == HUB).unwrap();
        let back = (1..400).rev().find(|n| sites.place(&demand([*n; 5]), FAR, HUB) == FAR);
        assert!(back.unwrap() < moved, "{back:?}, {moved}");
    }

    /// Broken: a node that is down would be proposed at, or a missing distance be taken for none.
    #[test]
    fn only_nodes_that_are_up_and_measured_count() {
        let without_hub = sites(|node| node != HUB).unwrap();
        let often = demand([25; 5]);
        for node in (0..5).map(NodeId).filter(|node| *node != HUB) {
            assert_ne!(without_hub.place(&often, node, HUB), HUB);
        }
        assert!(sites(|node| node.0 < 2).is_none(), "no fast quorum is up");
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let one = BTreeMap::from([((NodeId(0), NodeId(1)), 5_000)]);
        assert!(Sites::new(&membership, &one, |_| true).is_none());
    }
}
