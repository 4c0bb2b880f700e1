//! `althing snapshot`: makes snapshots, looks at them, and begins a new cluster from one.

use crate::exit::{Exit, Failure};
use althing_journal::FileDisk;
use althing_local::page;
use althing_model::{ClusterId, DepSet, Operation, Role};
use althing_node::{Config, Status};
use althing_replica::{Sessions, piece};
use althing_sdk::{ClientFile, ClientNodeEntry};
use althing_snapshot::{DIRECTORY, Piece, Store, Survey, finished, open};
use althing_transport::{Dialer, Settings, certs::Tls};
use althing_wire::{Answer, Kind, Message, Outcome, SnapshotHeader, Submit};
use anyhow::{Context, anyhow, bail};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks at a node's status.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A node's page is at most this old.
const PAGE_AGE: Duration = Duration::from_millis(250);

/// A barrier at which a node was still writing an earlier snapshot is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What to do about snapshots.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a snapshot of everything that was answered before, and wait until a node has it on disk.
    #[command(after_help = "Example:\n  althing snapshot create --client client.toml --node 0\n\n\
                            Then copy the file from that node's DATA_DIR/snapshots.\n\n\
                            Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not in \
                            time: it may yet be written.")]
    Create(Create),
    /// Say which snapshots there are, in a directory or at the nodes of a cluster.
    #[command(after_help = "Example:\n  althing snapshot list data/0\n  \
                            althing snapshot list --client client.toml\n\n\
                            Exit codes: 0 done, 1 something cannot be read, 2 wrong usage or \
                            configuration.")]
    List(List),
    /// Read a whole snapshot, and say what it holds.
    #[command(after_help = "Example:\n  althing snapshot inspect backup.snapshot\n\n\
                            Of a directory, the newest. Exit codes: 0 it is sound, 1 it is not.")]
    Inspect(Inspect),
    /// Begin a new cluster from a snapshot: before any of its nodes was ever started.
    #[command(after_help = RESTORE_HELP)]
    Restore(Restore),
}

const RESTORE_HELP: &str = "\
Example:
  althing snapshot restore backup.snapshot --config node-0.toml --config node-1.toml

The new cluster has an id of its own, with certificates for it: no node of the old one can meet it.
The state machine's contents are taken over; sessions are not, so that a client of the old cluster
that does not know how a command ended must find out by reading.

EVERY node with a replica must be given the same file before its first start, or replicas differ for
ever. The command prints a line, `seed = ..`, for [snapshots] in the configuration of every node: with
it a node refuses to start without that.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

#[derive(Debug, clap::Args)]
struct Create {
    /// The client's configuration, as `althing cluster` writes it.
    #[arg(long, value_name = "FILE", env = "ALTHING_CLIENT")]
    client: PathBuf,
    /// The node that is to have it [default: the first].
    #[arg(long)]
    node: Option<u32>,
    /// Seconds to wait.
    #[arg(long, value_name = "SECONDS", default_value = "60",
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    /// A node's data directory, or its `snapshots` in it.
    #[arg(required_unless_present = "client", conflicts_with = "client")]
    dir: Option<PathBuf>,
    /// Instead: the client's configuration of a running cluster.
    #[arg(long, value_name = "FILE")]
    client: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Inspect {
    /// A snapshot's file, or a directory as for `list`.
    path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Restore {
    /// The snapshot's file, or a directory as for `list`: then its newest.
    path: PathBuf,
    /// The configuration of a node of the new cluster; give all of those on this machine.
    #[arg(long, value_name = "FILE", required = true)]
    config: Vec<PathBuf>,
}

/// Does what was asked.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Create(args) => runtime()?.block_on(create(args)),
        Command::List(args) => list(args),
        Command::Inspect(args) => inspect(args),
        Command::Restore(args) => restore(args),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn create(args: Create) -> Result<(), Failure> {
    let file = ClientFile::load(&args.client).map_err(Failure::usage)?;
    let chosen = match args.node {
        Some(id) => file.nodes.iter().find(|node| node.id == id),
        None => file.nodes.first(),
    };
    let node = chosen.context("--client has no such node").map_err(Failure::usage)?;
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let tls = &file.tls;
    let tls = Tls { ca: tls.ca.clone(), cert: tls.cert.clone(), key: tls.key.clone() };
    let dialer = Dialer::new(&tls, Settings::default()).map_err(Failure::usage)?;
    let late = || Failure::new(Exit::Unknown, anyhow!("not within {} s", args.timeout));
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::time::timeout(left, barrier(&dialer, node)).await.map_err(|_| late())??;
        // What the page tells now is from after the barrier.
        tokio::time::sleep(PAGE_AGE).await;
        let least = status(node).await?.replica.context("the node has no replica")?.barriers;
        let again = Instant::now() + AGAIN_AFTER;
        while Instant::now() < again.min(deadline) {
            let snapshots = status(node).await?.snapshots.unwrap_or_default();
            if let Some(number) = snapshots.newest.filter(|newest| *newest >= least) {
                let len = snapshots.newest_bytes;
                match args.json {
                    true => {
                        println!("{}", json!({ "node": node.id, "number": number, "bytes": len }))
                    }
                    false => {
                        println!("node {} has snapshot {number} on disk: {len} bytes", node.id)
                    }
                }
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if Instant::now() >= deadline {
            return Err(late());
        }
    }
}

/// Has a barrier executed.
async fn barrier(dialer: &Dialer, node: &ClientNodeEntry) -> anyhow::Result<()> {
    let connection = dialer.connect(&node.address, Some(althing_model::NodeId(node.id))).await?;
    let submit = Message::from(Submit { ticket: 1, operation: Operation::Barrier });
    connection.send(submit.kind() as u8, submit.encode())?;
    let (kind, body) = connection.recv().await.context("the node closed the connection")?;
    let kind = Kind::from_number(kind).context("the node does not speak this protocol")?;
    match Message::decode(kind, body)? {
        Message::Answer(Answer { outcome: Outcome::Executed(_), .. }) => Ok(()),
        Message::Answer(Answer { outcome, .. }) => bail!("no barrier was executed: {outcome:?}"),
        other => bail!("the node answers with {:?}", other.kind()),
    }
}

async fn status(node: &ClientNodeEntry) -> anyhow::Result<Status> {
    let address = node.admin.as_ref().context("the node has no `admin` address in --client")?;
    Ok(page::status(address, page::PATIENCE).await?)
}

fn list(args: List) -> Result<(), Failure> {
    let (rows, is_well) = match (&args.dir, &args.client) {
        (Some(dir), _) => list_directory(dir)?,
        (None, client) => {
            let client = client.as_ref().expect("clap asks for one of them");
            let file = ClientFile::load(client).map_err(Failure::usage)?;
            runtime()?.block_on(list_nodes(&file))
        }
    };
    if args.json {
        println!("{}", Value::Array(rows));
    } else {
        print_rows(&rows);
    }
    if !is_well {
        return Err(anyhow!("not everything can be read").into());
    }
    Ok(())
}

fn list_directory(dir: &Path) -> anyhow::Result<(Vec<Value>, bool)> {
    let disk = FileDisk::new(store_in(dir));
    let mut is_well = true;
    let rows = finished(&disk)?.into_iter().rev().map(|name| match open(&disk, &name) {
        Ok((Survey { cluster, listed }, _)) => {
            json!({ "file": name, "number": listed.number, "bytes": listed.len,
                "digest": listed.digest.to_string(), "cluster": ClusterId(cluster).to_string() })
        }
        Err(error) => {
            is_well = false;
            json!({ "file": name, "error": error.to_string() })
        }
    });
    let rows = rows.collect();
    Ok((rows, is_well))
}

async fn list_nodes(file: &ClientFile) -> (Vec<Value>, bool) {
    let (mut rows, mut is_well) = (Vec::new(), true);
    for node in &file.nodes {
        rows.push(match status(node).await {
            Ok(Status { snapshots: Some(it), .. }) => json!({ "node": node.id, "kept": it.kept,
                "number": it.newest, "bytes": it.newest_bytes,
                "age_s": it.newest_age_ms.map(|age| age / 1000) }),
            Ok(_) => json!({ "node": node.id, "kept": 0 }),
            Err(error) => {
                is_well = false;
                json!({ "node": node.id, "error": format!("{error:#}") })
            }
        });
    }
    (rows, is_well)
}

/// A row for each, a column for each key that any has.
fn print_rows(rows: &[Value]) {
    if rows.is_empty() {
        println!("no snapshots");
        return;
    }
    let order = ["node", "file", "kept", "number", "bytes", "age_s", "cluster", "digest", "error"];
    let used: Vec<&str> =
        order.into_iter().filter(|key| rows.iter().any(|row| !row[*key].is_null())).collect();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(&used);
    for row in rows {
        table.add_row(used.iter().map(|key| match &row[*key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }));
    }
    println!("{table}");
}

fn inspect(args: Inspect) -> Result<(), Failure> {
    let (disk, name) = file(&args.path)?;
    let held = Held::read(&disk, &name)?;
    let Survey { cluster, listed } = held.survey;
    let executed: u64 = held.header.executed.values().map(|set| set.below()).sum();
    let cut: u64 = held.header.cut.columns().map(|(_, row)| row.below()).sum();
    let bytes = |kind| held.bytes.get(&kind).copied().unwrap_or_default();
    let rows = [
        ("file", json!(name)),
        ("cluster", json!(ClusterId(cluster).to_string())),
        ("number", json!(listed.number)),
        ("bytes", json!(listed.len)),
        ("digest", json!(listed.digest.to_string())),
        ("executed_vertices", json!(executed)),
        ("cut_vertices", json!(cut)),
        ("sessions", json!(held.sessions)),
        ("pieces", json!(held.pieces)),
        ("session_bytes", json!(bytes(piece::SESSIONS))),
        ("machine_bytes", json!(bytes(piece::MACHINE))),
    ];
    if args.json {
        println!(
            "{}",
            Value::Object(rows.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
        );
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (key, value) in rows {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.add_row([key.replace('_', " "), text]);
    }
    println!("sound\n{table}");
    Ok(())
}

/// What a snapshot holds, all of it read.
struct Held {
    survey: Survey,
    header: SnapshotHeader,
    sessions: usize,
    pieces: u64,
    /// By kind.
    bytes: BTreeMap<u8, u64>,
}

impl Held {
    fn read(disk: &FileDisk, name: &str) -> anyhow::Result<Self> {
        let (survey, reader) = open(disk, name)?;
        let (mut header, mut sessions) = (None, Vec::new());
        let (mut pieces, mut bytes) = (0, BTreeMap::<u8, u64>::new());
        for read in reader {
            let read = read?;
            pieces += 1;
            *bytes.entry(read.kind).or_default() += read.bytes.len() as u64;
            match read.kind {
                piece::HEADER => header = Some(SnapshotHeader::decode(read.bytes)?),
                piece::SESSIONS => sessions.push(read.bytes),
                piece::MACHINE => {}
                kind => bail!("{name} has a piece of kind {kind}: a later version wrote it"),
            }
        }
        let header = header.with_context(|| format!("{name} holds no replica's state"))?;
        let sessions = Sessions::restore(&mut sessions.into_iter())?.len();
        Ok(Self { survey, header, sessions, pieces, bytes })
    }
}

fn restore(args: Restore) -> Result<(), Failure> {
    let (disk, name) = file(&args.path)?;
    // All of it is read before anything is written.
    let held = Held::read(&disk, &name)?;
    let configs = args.config.iter().map(|file| Config::load(file));
    let configs = configs.collect::<Result<Vec<_>, _>>().map_err(Failure::usage)?;
    for (config, file) in configs.iter().zip(&args.config) {
        may_begin(config, held.survey.cluster, file).map_err(Failure::usage)?;
    }
    let mut digest = None;
    for config in &configs {
        let (_, reader) = open(&disk, &name)?;
        let pieces =
            reader.filter(|read| read.as_ref().map_or(true, |read| read.kind == piece::MACHINE));
        // Nothing was executed in the new cluster, and nobody has a session there.
        let header =
            SnapshotHeader { number: 0, cut: DepSet::default(), executed: BTreeMap::new() };
        let header = Piece { kind: piece::HEADER, bytes: header.encode() };
        let (store, _) =
            Store::open(FileDisk::new(config.data_dir.join(DIRECTORY)), config.cluster.0, 1)?;
        let mut draft = store.begin(0)?;
        draft.push(&header)?;
        for bytes in Sessions::default().snapshot() {
            draft.push(&Piece { kind: piece::SESSIONS, bytes })?;
        }
        for read in pieces {
            draft.push(&read?)?;
        }
        let listed = draft.finish()?;
        println!("node {}: {} bytes", config.me.0, listed.len);
        digest = Some(listed.digest);
    }
    let digest = digest.context("no node was named")?;
    println!(
        "\nIn [snapshots] of every node's configuration, so that none starts without:\n\
         seed = \"{digest}\""
    );
    Ok(())
}

/// Whether a node may begin from a snapshot of that cluster.
fn may_begin(config: &Config, from: [u8; 16], file: &Path) -> anyhow::Result<()> {
    let file = file.display();
    if !config.membership.has(config.me, Role::Replica) {
        bail!("{file}: node {} has no replica, so it begins from nothing", config.me.0);
    }
    if config.cluster.0 == from {
        bail!(
            "{file} is of the cluster that the snapshot is from: a new one needs an id of its own, \
             and certificates for it (`althing certs init`)"
        );
    }
    let dir = config.data_dir.display();
    if config.data_dir.join("superblock").exists() {
        bail!("{file}: {dir} has a journal: the node was started, and cannot begin again");
    }
    let store = store_in(&config.data_dir);
    if store.exists() && !finished(&FileDisk::new(&store))?.is_empty() {
        bail!("{file}: {dir} has snapshots already: remove them to begin from another");
    }
    Ok(())
}

/// The directory of snapshots of a data directory, or that itself.
fn store_in(dir: &Path) -> PathBuf {
    let inner = dir.join(DIRECTORY);
    if inner.is_dir() { inner } else { dir.to_owned() }
}

/// A snapshot's file: its directory and name.
fn file(path: &Path) -> anyhow::Result<(FileDisk, String)> {
    if path.is_dir() {
        let dir = store_in(path);
        let disk = FileDisk::new(&dir);
        let newest = finished(&disk)?.pop();
        let name = newest.with_context(|| format!("{} has no snapshots", dir.display()))?;
        return Ok((disk, name));
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} is no file", path.display()))?.to_owned();
    let dir = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok((FileDisk::new(dir.unwrap_or(Path::new("."))), name))
}
