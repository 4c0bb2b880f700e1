//! `INFO`: figures of the gateway, in Redis' fields where they mean what Redis means by them.

use super::World;
use super::authentication::REDIS_VERSION;
use crate::encode::Answer;
use crate::request::Request;
use std::fmt::Write;

/// What a gateway has counted since it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// When it was started, in microseconds since 1970.
    pub since_us: u64,
    /// 40 hexadecimal digits, others after each start.
    pub run_id: String,
    /// The cluster's id.
    pub cluster: String,
    /// Connections at this time.
    pub clients: u64,
    /// Connections ever.
    pub connections: u64,
    /// Connections that were refused because there were too many.
    pub rejected: u64,
    /// Commands that were answered.
    pub commands: u64,
    /// Batches that the store executed.
    pub batches: u64,
    /// Bytes that came from clients.
    pub bytes_in: u64,
    /// Bytes that went to clients.
    pub bytes_out: u64,
    /// Errors that were answered.
    pub errors: u64,
    /// Bytes of memory of the whole process, the node in it included; none where that is unknown.
    pub resident: Option<u64>,
}

type Section = fn(&mut String, &Figures, &dyn World) -> std::fmt::Result;

/// In this order, as Redis.
const SECTIONS: [(&str, Section); 8] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Cluster", cluster),
    // What keys there are is only known by asking the store over all of them: `DBSIZE`.
    ("Keyspace", |_, _, _| Ok(())),
];

/// `INFO [section ..]`.
pub(super) fn answer(request: &Request, world: &dyn World) -> Answer {
    let asked = &request[1..];
    let is_asked = |name: &str| {
        let is = |asked: &[u8], name: &str| asked.eq_ignore_ascii_case(name.as_bytes());
        asked.is_empty()
            || asked.iter().any(|asked| {
                is(asked, name) || ["all", "default", "everything"].iter().any(|all| is(asked, all))
            })
    };
    let figures = world.figures();
    let mut text = String::new();
    for (name, section) in SECTIONS.iter().filter(|(name, _)| is_asked(name)) {
        if !text.is_empty() {
            text += "\r\n";
        }
        write!(text, "# {name}\r\n").expect("strings take everything");
        section(&mut text, &figures, world).expect("strings take everything");
    }
    Answer::Text(text)
}

fn server(text: &mut String, figures: &Figures, world: &dyn World) -> std::fmt::Result {
    let uptime = world.unix_us().saturating_sub(figures.since_us) / 1_000_000;
    write!(
        text,
        "redis_version:{REDIS_VERSION}\r\nredis_mode:standalone\r\nalthing_version:{}\r\n\
         althing_cluster:{}\r\nos:{}\r\narch_bits:{}\r\nprocess_id:{}\r\nrun_id:{}\r\n\
         tcp_port:{}\r\nserver_time_usec:{}\r\nuptime_in_seconds:{uptime}\r\n\
         uptime_in_days:{}\r\n",
        env!("CARGO_PKG_VERSION"),
        figures.cluster,
        std::env::consts::OS,
        usize::BITS,
        std::process::id(),
        figures.run_id,
        world.settings().listen.port(),
        world.unix_us(),
        uptime / 86_400,
    )
}

fn clients(text: &mut String, figures: &Figures, world: &dyn World) -> std::fmt::Result {
    let (now, max) = (figures.clients, world.settings().clients_max);
    write!(text, "connected_clients:{now}\r\nmaxclients:{max}\r\nblocked_clients:0\r\n")
}

/// Of the process: what the data take of it is not known.
fn memory(text: &mut String, figures: &Figures, _: &dyn World) -> std::fmt::Result {
    if let Some(resident) = figures.resident {
        write!(text, "used_memory:{resident}\r\nused_memory_rss:{resident}\r\n")?;
    }
    write!(text, "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n")
}

fn persistence(text: &mut String, _: &Figures, _: &dyn World) -> std::fmt::Result {
    write!(text, "loading:0\r\naof_enabled:1\r\n")
}

fn stats(text: &mut String, figures: &Figures, _: &dyn World) -> std::fmt::Result {
    write!(
        text,
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\n\
         althing_batches:{}\r\ntotal_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\n\
         rejected_connections:{}\r\ntotal_error_replies:{}\r\n",
        figures.connections,
        figures.commands,
        figures.batches,
        figures.bytes_in,
        figures.bytes_out,
        figures.rejected,
        figures.errors,
    )
}

/// Everybody takes writes, which is what clients mean by a master; it has no replicas in Redis' sense.
fn replication(text: &mut String, _: &Figures, _: &dyn World) -> std::fmt::Result {
    write!(text, "role:master\r\nconnected_slaves:0\r\n")
}

fn cluster(text: &mut String, _: &Figures, _: &dyn World) -> std::fmt::Result {
    write!(text, "cluster_enabled:0\r\n")
}
