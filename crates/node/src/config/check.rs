//! From a configuration file to a configuration, with every problem named.

use super::{Config, ConfigFile, Member, Module, Problem, Resp, RespEntry};
use crate::limits;
use althing_journal::Options;
use althing_model::{ClusterId, Epoch, Membership, MembershipInvalid, NodeId, Path, Quorums, Role};
use althing_snapshot::Digest;
use althing_transport::{Congestion, Settings, certs::Tls};
use althing_wire::limits as wire;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

pub(super) fn check(file: &ConfigFile, base: &FilePath) -> Result<Config, Vec<Problem>> {
    let mut check = Check { base, problems: Vec::new() };
    let cluster = check.cluster(&file.cluster);
    let path = check.path(&file.path);
    let (nodes, roles) = check.nodes(file);
    let me = NodeId(file.node);
    if !nodes.contains_key(&me) {
        let known: Vec<_> = nodes.keys().map(|node| node.0.to_string()).collect();
        check.problem(
            "node",
            format!("{} is not among the nodes; they are {}", file.node, known.join(", ")),
        );
    }
    // A membership of wrong parts would only say again what they did.
    let membership = match path {
        Some(path) if check.problems.is_empty() => check.membership(file, path, roles),
        _ => None,
    };
    let listen = check.listen(file, nodes.get(&me));
    let tls = Tls {
        ca: check.existing("tls.ca", &file.tls.ca),
        cert: check.existing("tls.cert", &file.tls.cert),
        key: check.existing("tls.key", &file.tls.key),
    };
    let data_dir = check.data_dir(&file.data_dir);
    check.numbers(file);
    let transport = check.transport(file);
    let module = check.module(file);
    let admin =
        file.admin.as_ref().and_then(|admin| check.socket_address("admin.listen", &admin.listen));
    let resp = file.resp.as_ref().and_then(|resp| check.resp(resp));
    let (Some(cluster), Some(membership), Some(listen), Some(transport), []) =
        (cluster, membership, listen, transport, &check.problems[..])
    else {
        assert!(!check.problems.is_empty(), "what is missing was a problem");
        return Err(check.problems);
    };
    let micros = |ms: u64| ms * 1000;
    let (timeouts, numbers, snapshots) = (&file.timeouts, &file.limits, &file.snapshots);
    Ok(Config {
        cluster,
        membership,
        nodes,
        me,
        data_dir,
        listen,
        tls,
        proposer_timing: althing_proposer::Timing {
            fast_path: micros(timeouts.fast_path_ms),
            retry: micros(timeouts.retry_ms),
            back_off: micros(timeouts.back_off_ms),
            answer: micros(timeouts.answer_ms),
            ..althing_proposer::Timing::default()
        },
        proposer_limits: althing_proposer::Limits {
            in_flight_max: numbers.in_flight,
            queue_len_max: numbers.queue,
            batch_len_max: numbers.batch_commands,
            batch_bytes_max: numbers.batch_bytes,
            batch_delay: numbers.batch_delay_us,
            recoveries_max: numbers.recoveries,
            placements_max: numbers.placements,
            ..althing_proposer::Limits::default()
        },
        replica_timing: althing_replica::Timing {
            recover: micros(timeouts.recover_ms),
            catch_up: micros(timeouts.catch_up_ms),
            probe: limits::PROBE_EVERY.as_micros() as u64,
            barrier_least: micros(snapshots.barrier_least_ms),
            barrier_most: micros(snapshots.barrier_most_s * 1000),
            ..althing_replica::Timing::default()
        },
        replica_limits: althing_replica::Limits {
            demand_len_max: numbers.placements,
            barrier_len: snapshots.barrier_vertices,
            barrier_bytes: snapshots.barrier_mib << 20,
            log_len_max: snapshots.log_vertices,
            log_bytes_max: snapshots.log_mib << 20,
            ..althing_replica::Limits::default()
        },
        down_after: Duration::from_millis(timeouts.down_after_ms),
        inbox_len_max: numbers.inbox,
        inbox_bytes_max: numbers.inbox_mib << 20,
        snapshots_keep: snapshots.keep,
        seed: snapshots.seed.as_deref().and_then(Digest::parse),
        disk_reserve: file.journal.reserve_mib.map(|mib| mib << 20),
        journal: journal_options(file),
        sync_delay: Duration::from_micros(file.journal.sync_delay_us),
        module,
        adds: file.store.adds,
        admin,
        resp,
        transport,
    })
}

struct Check<'a> {
    base: &'a FilePath,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.problems.push(Problem::new(key, text));
    }

    fn module(&mut self, file: &ConfigFile) -> Option<Module> {
        let entry = file.conflicts.as_ref()?;
        let module = self.existing("conflicts.module", &entry.module);
        for (key, value) in
            [("conflicts.fuel", entry.fuel), ("conflicts.memory_mib", entry.memory_mib as u64)]
        {
            if value == 0 {
                self.problem(key, "with 0 every command would be over everything");
            }
        }
        Some(Module {
            file: module,
            fuel: entry.fuel,
            memory: entry.memory_mib.saturating_mul(1 << 20),
        })
    }

    fn cluster(&mut self, text: &str) -> Option<ClusterId> {
        text.parse()
            .inspect_err(|error| self.problem("cluster", format!("{text:?} is none: {error}")))
            .ok()
    }

    fn path(&mut self, text: &str) -> Option<Path> {
        let path = [Path::Fast, Path::Classic].into_iter().find(|path| path.name() == text);
        if path.is_none() {
            self.problem("path", format!("it is \"fast\" or \"classic\", not {text:?}"));
        }
        path
    }

    fn nodes(
        &mut self,
        file: &ConfigFile,
    ) -> (BTreeMap<NodeId, Member>, BTreeMap<NodeId, Vec<Role>>) {
        let (mut nodes, mut roles) = (BTreeMap::new(), BTreeMap::new());
        let mut addresses: BTreeMap<&str, u32> = BTreeMap::new();
        if file.nodes.len() > limits::NODES_MAX {
            let (have, max) = (file.nodes.len(), limits::NODES_MAX);
            self.problem("nodes", format!("{have} nodes, of at most {max}"));
        }
        for (index, entry) in file.nodes.iter().enumerate() {
            let key = |key: &str| format!("nodes[{index}].{key}");
            self.host_port(key("address"), &entry.address);
            if let Some(dial) = &entry.dial {
                self.host_port(key("dial"), dial);
            }
            if let Some(other) = addresses.insert(&entry.address, entry.id) {
                let text = format!(
                    "{:?} is the address of node {other} already; each node needs its own",
                    entry.address
                );
                self.problem(key("address"), text);
            }
            let member = Member {
                region: entry.region.clone(),
                address: entry.address.clone(),
                dial: entry.dial.clone().unwrap_or(entry.address.clone()),
            };
            if nodes.insert(NodeId(entry.id), member).is_some() {
                let text = format!("{} is used twice; each node needs its own number", entry.id);
                self.problem(key("id"), text);
            }
            roles.insert(NodeId(entry.id), self.roles(key("roles"), &entry.roles));
        }
        (nodes, roles)
    }

    fn roles(&mut self, key: String, names: &[String]) -> Vec<Role> {
        if names.is_empty() {
            self.problem(&key, "a node without a role does nothing; leave it out");
        }
        let mut roles = Vec::new();
        for name in names {
            match Role::from_name(name) {
                Some(role) if roles.contains(&role) => {
                    self.problem(&key, format!("{name:?} is named twice"));
                }
                Some(role) => roles.push(role),
                None => {
                    let known = Role::ALL.map(Role::name).join(", ");
                    self.problem(&key, format!("{name:?} is no role; the roles are {known}"));
                }
            }
        }
        roles
    }

    fn membership(
        &mut self,
        file: &ConfigFile,
        path: Path,
        roles: BTreeMap<NodeId, Vec<Role>>,
    ) -> Option<Membership> {
        // Asked first: where even all nodes are too few it says so in fewer words than the roles.
        Quorums::new(roles.len(), file.f)
            .map_err(MembershipInvalid::from)
            .and_then(|_| Membership::new(Epoch(file.epoch), path, file.f, roles))
            .inspect_err(|invalid| {
                let key = match invalid {
                    MembershipInvalid::Quorums(_) => "f",
                    _ => "nodes.roles",
                };
                self.problem(key, invalid.to_string());
            })
            .ok()
    }

    fn listen(&mut self, file: &ConfigFile, own: Option<&Member>) -> Option<SocketAddr> {
        if let Some(text) = &file.listen {
            let listen = self.socket_address("listen", text)?;
            if listen.port() == 0 {
                self.problem("listen", "port 0 is any port, and nobody would find this node");
            }
            return Some(listen);
        }
        let address = &own?.address;
        if let Ok(listen) = address.parse() {
            return Some(listen);
        }
        // A host name: the port on all interfaces. Who gets in is for the certificates to say.
        let port = address.rsplit_once(':')?.1.parse().ok()?;
        Some(SocketAddr::from(([0, 0, 0, 0], port)))
    }

    fn host_port(&mut self, key: String, text: &str) {
        let port = text
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            self.problem(key, format!("{text:?} is no HOST:PORT, for instance 10.0.0.1:7000"));
        }
    }

    fn socket_address(&mut self, key: &str, text: &str) -> Option<SocketAddr> {
        text.parse()
            .inspect_err(|_| {
                self.problem(key, format!("{text:?} is no IP:PORT, for instance 127.0.0.1:7000"));
            })
            .ok()
    }

    fn existing(&mut self, key: &str, path: &FilePath) -> PathBuf {
        let path = self.base.join(path);
        if !path.is_file() {
            self.problem(
                key,
                format!("{} does not exist; `althing cert` makes certificates", path.display()),
            );
        }
        path
    }

    fn resp(&mut self, entry: &RespEntry) -> Option<Resp> {
        let listen = self.socket_address("resp.listen", &entry.listen);
        let client = self.base.join(&entry.client);
        if !client.is_file() {
            let text = format!(
                "{} does not exist; it is a client's configuration, as `althing kv --client` takes it",
                client.display()
            );
            self.problem("resp.client", text);
        }
        match &entry.password {
            Some(password) if password.is_empty() => {
                self.problem("resp.password", "it is empty: leave it out, or set one");
            }
            None if listen.is_some_and(|listen| !listen.ip().is_loopback()) => {
                let text = format!(
                    "it is missing, and {} can be reached from other machines: set one, or listen on \
                     127.0.0.1",
                    entry.listen
                );
                self.problem("resp.password", text);
            }
            _ => {}
        }
        self.range("resp.clients", entry.clients as u64, 1..=1 << 16);
        self.range("resp.idle_timeout_s", entry.idle_timeout_s, 0..=31_536_000);
        let idle_timeout = Duration::from_secs(entry.idle_timeout_s);
        Some(Resp {
            listen: listen?,
            client,
            password: entry.password.clone(),
            clients_max: entry.clients,
            idle_timeout: (!idle_timeout.is_zero()).then_some(idle_timeout),
        })
    }

    fn data_dir(&mut self, path: &FilePath) -> PathBuf {
        if path.as_os_str().is_empty() {
            self.problem("data_dir", "it names the directory of the journal");
        }
        let path = self.base.join(path);
        if path.exists() && !path.is_dir() {
            self.problem(
                "data_dir",
                format!("{} is no directory; name one, it is made if missing", path.display()),
            );
        }
        path
    }

    fn range(&mut self, key: &str, found: u64, range: RangeInclusive<u64>) {
        if !range.contains(&found) {
            let (least, most) = (range.start(), range.end());
            self.problem(key, format!("{found} is not from {least} to {most}"));
        }
    }

    fn numbers(&mut self, file: &ConfigFile) {
        let t = &file.timeouts;
        for (key, found) in [
            ("timeouts.fast_path_ms", t.fast_path_ms),
            ("timeouts.retry_ms", t.retry_ms),
            ("timeouts.recover_ms", t.recover_ms),
            ("timeouts.catch_up_ms", t.catch_up_ms),
            ("timeouts.back_off_ms", t.back_off_ms),
            ("timeouts.answer_ms", t.answer_ms),
            ("timeouts.heartbeat_ms", t.heartbeat_ms),
            ("timeouts.down_after_ms", t.down_after_ms),
            ("transport.initial_round_trip_ms", file.transport.initial_round_trip_ms),
            ("transport.idle_timeout_ms", file.transport.idle_timeout_ms),
            ("transport.redial_max_ms", file.transport.redial_max_ms),
        ] {
            self.range(key, found, 1..=limits::TIMEOUT_MS_MAX);
        }
        if t.down_after_ms < t.heartbeat_ms.saturating_mul(2) {
            let text = format!(
                "{} is less than two heartbeats (timeouts.heartbeat_ms is {}): every node would \
                 be believed down again and again",
                t.down_after_ms, t.heartbeat_ms
            );
            self.problem("timeouts.down_after_ms", text);
        }
        let (l, s) = (&file.limits, &file.snapshots);
        if let Some(seed) = s.seed.as_deref().filter(|seed| Digest::parse(seed).is_none()) {
            let text = format!(
                "{seed:?} is no digest: 64 hexadecimal digits, as `althing snapshot restore` prints them"
            );
            self.problem("snapshots.seed", text);
        }
        if s.barrier_most_s.saturating_mul(1000) < s.barrier_least_ms {
            let (most, least) = (s.barrier_most_s, s.barrier_least_ms);
            let text = format!(
                "{most} s is less than snapshots.barrier_least_ms, {least} ms: a barrier would be due \
                 before it may be"
            );
            self.problem("snapshots.barrier_most_s", text);
        }
        let payload = wire::PAYLOAD_LEN_MAX as u64;
        for (key, found, range) in [
            ("limits.in_flight", l.in_flight as u64, 1..=1 << 20),
            ("limits.queue", l.queue as u64, 1..=1 << 24),
            (
                "limits.batch_commands",
                l.batch_commands as u64,
                1..=wire::COMMANDS_PER_VERTEX_MAX as u64,
            ),
            ("limits.batch_bytes", l.batch_bytes as u64, 1..=payload),
            ("limits.batch_delay_us", l.batch_delay_us, 0..=1_000_000),
            ("limits.recoveries", l.recoveries as u64, 1..=1 << 16),
            ("limits.placements", l.placements as u64, 0..=4096),
            ("limits.inbox", l.inbox as u64, 1..=1 << 20),
            // Room for the longest message, or none would ever enter.
            ("limits.inbox_mib", l.inbox_mib as u64, 4..=4096),
            ("limits.clients", l.clients as u64, 1..=1 << 16),
            ("limits.connections_per_client", l.connections_per_client as u64, 1..=1 << 16),
            (
                "journal.segment_mib",
                file.journal.segment_mib,
                limits::SEGMENT_MIB_MIN..=limits::SEGMENT_MIB_MAX,
            ),
            ("journal.sync_delay_us", file.journal.sync_delay_us, 0..=10_000_000),
            ("journal.reserve_mib", file.journal.reserve_mib.unwrap_or_default(), 0..=1 << 30),
            ("snapshots.keep", s.keep as u64, 1..=64),
            ("snapshots.barrier_vertices", s.barrier_vertices, 0..=10_000_000),
            ("snapshots.barrier_mib", s.barrier_mib, 1..=1 << 16),
            ("snapshots.barrier_least_ms", s.barrier_least_ms, 0..=limits::TIMEOUT_MS_MAX),
            ("snapshots.barrier_most_s", s.barrier_most_s, 1..=31_536_000),
            ("snapshots.log_vertices", s.log_vertices as u64, 0..=100_000_000),
            ("snapshots.log_mib", s.log_mib as u64, 0..=1 << 20),
        ] {
            self.range(key, found, range);
        }
    }

    fn transport(&mut self, file: &ConfigFile) -> Option<Settings> {
        let entry = &file.transport;
        let congestion: Congestion = entry
            .congestion
            .parse()
            .inspect_err(|text: &String| self.problem("transport.congestion", text.clone()))
            .unwrap_or_default();
        let defaults = Settings::default();
        let redial_max = Duration::from_millis(entry.redial_max_ms);
        let settings = Settings {
            heartbeat: Duration::from_millis(file.timeouts.heartbeat_ms),
            idle_timeout: Duration::from_millis(entry.idle_timeout_ms),
            initial_round_trip: Duration::from_millis(entry.initial_round_trip_ms),
            congestion,
            segmentation_offload: entry.gso,
            redial_min: defaults.redial_min.min(redial_max),
            redial_max,
            clients_max: file.limits.clients,
            connections_per_client_max: file.limits.connections_per_client,
            ..defaults
        };
        // Single numbers were judged above; this is about how they fit together.
        if self.problems.is_empty()
            && let Err(text) = settings.check()
        {
            self.problem("transport", text);
            return None;
        }
        Some(settings)
    }
}

fn journal_options(file: &ConfigFile) -> Options {
    let defaults = Options::default();
    let segment_bytes = file.journal.segment_mib << 20;
    // A group fits a segment beside its header, and a record fits a group with its framing.
    let group_bytes_max = defaults.group_bytes_max.min(segment_bytes as usize - (1 << 20));
    Options {
        segment_bytes,
        group_bytes_max,
        record_bytes_max: defaults.record_bytes_max.min(group_bytes_max - (1 << 20)),
        create: file.journal.create,
        ..defaults
    }
}
