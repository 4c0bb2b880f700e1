//! `althing kv`: the reference store from the command line.

use crate::exit::{Exit, Failure};
use crate::kv_watch::WatchedKeys;
use althing_model::NodeId;
use althing_sdk::{
    Client, ClientFile, ClientTlsEntry, Config, ConnectError, Error, KvClient, KvError,
    NodeAddress, Prefer, Swapped, Tls,
};
use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

mod txn;

const AFTER_HELP: &str = "\
Example:
  althing kv --client client.toml put city Reykjavik
  ALTHING_CLIENT=client.toml althing kv get city

Exit codes: 0 done, 1 failed for sure (nothing took effect), 2 wrong usage or configuration,
3 outcome unknown: it may have taken effect, or may yet.";

/// Which cluster, and what to do there.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
    /// Print JSON; values that are no UTF-8 as {"hex": ..}.
    #[arg(long, global = true)]
    json: bool,
}

/// Which cluster, as which client.
#[derive(Debug, clap::Args)]
struct Target {
    /// The client's configuration, as `althing cluster` writes it.
    #[arg(long, global = true, value_name = "FILE", env = "ALTHING_CLIENT")]
    client: Option<PathBuf>,
    /// Instead: the configuration of a node, for where the nodes are (with --ca, --cert and --key).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Instead: where the nodes are (with --ca, --cert and --key).
    #[arg(long, global = true, value_name = "ID=HOST:PORT,..", value_delimiter = ',',
        value_parser = node_address, conflicts_with = "config")]
    nodes: Vec<NodeAddress>,
    /// The certificate of the cluster's authority.
    #[arg(long = "ca", global = true, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The client's certificate.
    #[arg(long = "cert", global = true, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key.
    #[arg(long = "key", global = true, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Ask the nodes of this region first.
    #[arg(long, global = true)]
    region: Option<String>,
    /// Seconds until the outcome counts as unknown.
    #[arg(long, global = true, value_name = "SECONDS", default_value = "15",
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a key's value; nothing if it has none.
    #[command(after_help = "Example:\n  althing kv get city\n  \
                            althing kv get city --consistency stale --json")]
    Get {
        /// The key.
        key: String,
        /// How new the value has to be.
        #[arg(long, value_enum, default_value_t = Consistency::Linearizable)]
        consistency: Consistency,
    },
    /// Set a key's value.
    #[command(after_help = "Example:\n  althing kv put city Reykjavik")]
    Put {
        /// The key.
        key: String,
        /// Its new value.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a key; prints whether there was one.
    #[command(after_help = "Example:\n  althing kv del city")]
    Del {
        /// The key.
        key: String,
    },
    /// Set a key's value if it is the one expected; exit code 1 if it is not.
    #[command(after_help = "Example:\n  althing kv cas city --expect Reykjavik --new Akureyri\n  \
                            althing kv cas lock --absent --new me\n  \
                            althing kv cas lock --expect me --remove")]
    Cas {
        /// The key.
        key: String,
        /// The value expected.
        #[arg(long, required_unless_present = "absent", allow_hyphen_values = true)]
        expect: Option<String>,
        /// Expect that there is none.
        #[arg(long, conflicts_with = "expect")]
        absent: bool,
        /// The new value.
        #[arg(long, required_unless_present = "remove", allow_hyphen_values = true)]
        new: Option<String>,
        /// Remove the key.
        #[arg(long, conflicts_with = "new")]
        remove: bool,
    },
    /// Add to a number and print the sum; an absent key counts as 0.
    #[command(after_help = "Example:\n  althing kv incr visits\n  althing kv incr stock -3")]
    Incr {
        /// The key.
        key: String,
        /// What to add.
        #[arg(default_value_t = 1, allow_hyphen_values = true)]
        by: i64,
    },
    /// Set several keys at once.
    #[command(after_help = "Example:\n  althing kv mput a=1 b=2")]
    Mput {
        /// Keys and their new values.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
        pairs: Vec<(String, String)>,
    },
    /// Print changes of keys as they happen, in the order in which the nearest node executes them;
    /// goes on at another node when that one goes away. Ends with Ctrl-C.
    #[command(after_help = "Examples:\n  althing kv watch user/\n  \
                            althing kv watch city --exact --count 1\n  \
                            althing kv --json watch user/ | tee changes.json\n  \
                            althing kv watch user/ --from TOKEN\n\n\
                            A token stands for what was printed: with --json in each line, else \
                            printed last, on standard error. With --from it goes on behind that, \
                            at whatever node.")]
    Watch {
        /// The keys that begin so; all of them, if it is empty.
        prefix: String,
        /// That one key only.
        #[arg(long)]
        exact: bool,
        /// Go on behind this token.
        #[arg(long, value_name = "TOKEN")]
        from: Option<String>,
        /// End after so many changes.
        #[arg(long, value_name = "CHANGES")]
        count: Option<u64>,
    },
    /// Print several keys as they are at one time.
    #[command(after_help = "Example:\n  althing kv mget a b")]
    Mget {
        /// The keys.
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Compare, then apply: several operations at once, if conditions hold.
    #[command(after_help = txn::AFTER_HELP)]
    Txn(txn::Args),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Consistency {
    /// Nothing that was answered to anyone before is missing.
    Linearizable,
    /// Nothing that this client has seen is missing: for a command that is nothing, so that it waits
    /// for nobody.
    Session,
    /// As it is at the nearest node, with how old that is at most.
    Stale,
}

impl From<Consistency> for althing_sdk::Consistency {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Linearizable => Self::Linearizable,
            Consistency::Session => Self::Session,
            Consistency::Stale => Self::Stale,
        }
    }
}

fn node_address(text: &str) -> Result<NodeAddress, String> {
    let form = || format!("{text:?} is no ID=HOST:PORT, for instance 0=127.0.0.1:7000");
    let (id, address) = text.split_once('=').ok_or_else(form)?;
    let id = NodeId(id.parse().map_err(|_| form())?);
    Ok(NodeAddress { id, address: address.to_owned(), region: String::new() })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it takes KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Does one operation.
pub fn run(args: Args) -> Result<(), Failure> {
    let mut config = args.target.config().map_err(Failure::usage)?;
    config.timeout = Duration::from_secs(args.target.timeout);
    config.attempt_timeout = config.attempt_timeout.min(config.timeout);
    config.connect_timeout = config.connect_timeout.min(config.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::connect(config).await.map_err(not_connected)?;
        execute(&KvClient::new(client), args.command, args.json).await
    })
}

impl Target {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = match (&self.config, &self.nodes[..], &self.client) {
            (Some(file), _, _) => ClientFile::from_node_file(file, self.tls()?)?.config()?,
            (None, nodes @ [_, ..], _) => {
                let ClientTlsEntry { ca, cert, key } = self.tls()?;
                Config::new(nodes.to_vec(), Tls { ca, cert, key })
            }
            (None, [], Some(file)) => ClientFile::load(file)?.config()?,
            (None, [], None) => bail!(
                "which cluster? --client client.toml (or ALTHING_CLIENT) says it; `althing \
                 cluster` writes that file. --config node.toml or --nodes do too, with --ca, \
                 --cert and --key"
            ),
        };
        if let Some(region) = &self.region {
            config.prefer = Prefer::Region(region.clone());
        }
        Ok(config)
    }

    fn tls(&self) -> anyhow::Result<ClientTlsEntry> {
        let given = |path: &Option<PathBuf>, option: &str, what: &str| {
            path.clone().with_context(|| {
                format!("{option} is missing: {what} (`althing certs client` makes one)")
            })
        };
        Ok(ClientTlsEntry {
            ca: given(&self.tls_ca, "--ca", "the authority's certificate")?,
            cert: given(&self.tls_cert, "--cert", "the client's certificate")?,
            key: given(&self.tls_key, "--key", "the key of the client's certificate")?,
        })
    }
}

async fn execute(kv: &KvClient, command: Command, as_json: bool) -> Result<(), Failure> {
    let print = |text: Option<String>, json: Value| match text {
        _ if as_json => println!("{json}"),
        Some(text) => println!("{text}"),
        None => {}
    };
    match command {
        Command::Get { key, consistency } => {
            let read = kv.get_detailed(key.clone(), consistency.into());
            let (value, executed) = read.await.map_err(not_done)?;
            if value.is_none() && !as_json {
                eprintln!("{key:?} has no value");
            }
            let mut json = json!({ "key": key, "value": to_json(&value) });
            if matches!(consistency, Consistency::Stale) && !executed.is_command {
                let lag = executed.lag.map(|lag| lag.as_secs_f64() * 1e3);
                json["lag_ms"] = json!(lag);
                if !as_json {
                    let age = lag
                        .map_or("of an unknown age: the node has just begun".into(), |ms| {
                            format!("at most {ms:.0} ms old")
                        });
                    eprintln!("{age}");
                }
            }
            print(value.as_ref().map(text), json);
        }
        Command::Put { key, value } => {
            kv.put(key, value).await.map_err(not_done)?;
            print(Some("ok".to_owned()), json!({ "ok": true }));
        }
        Command::Del { key } => {
            let deleted = kv.delete(key).await.map_err(not_done)?;
            let text = if deleted { "deleted" } else { "there was none" };
            print(Some(text.to_owned()), json!({ "deleted": deleted }));
        }
        Command::Cas { key, expect, new, .. } => {
            let (expect, new) = (expect.map(Bytes::from), new.map(Bytes::from));
            let Swapped { swapped, actual } = kv.cas(key, expect, new).await.map_err(not_done)?;
            let json = json!({ "swapped": swapped, "actual": to_json(&actual) });
            print(swapped.then(|| "swapped".to_owned()), json);
            if !swapped {
                let actual = actual.map_or("it has no value".to_owned(), |it| {
                    format!("its value is {:?}", text(&it))
                });
                return Err(anyhow!("not swapped: {actual}").into());
            }
        }
        Command::Incr { key, by } => {
            let sum = kv.incr(key, by).await.map_err(not_done)?;
            print(Some(sum.to_string()), json!({ "number": sum }));
        }
        Command::Mput { pairs } => {
            let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
            kv.mput(pairs.collect()).await.map_err(not_done)?;
            print(Some("ok".to_owned()), json!({ "ok": true }));
        }
        Command::Watch { prefix, exact, from, count } => {
            let scope = match exact {
                true => WatchedKeys::One(prefix),
                false => WatchedKeys::Prefix(prefix),
            };
            crate::kv_watch::watch(kv, scope, from, count, as_json).await?;
        }
        Command::Mget { keys } => {
            let wanted = keys.iter().cloned().map(Bytes::from).collect();
            let values = kv.mget(wanted).await.map_err(not_done)?;
            let lines = keys.iter().zip(&values).map(|(key, value)| match value {
                Some(value) => format!("{key}\t{}", text(value)),
                None => key.clone(),
            });
            let json = keys.iter().zip(&values);
            let json = json.map(|(key, value)| json!({ "key": key, "value": to_json(value) }));
            print(Some(lines.collect::<Vec<_>>().join("\n")), json.collect());
        }
        Command::Txn(args) => txn::execute(kv, args, as_json).await?,
    }
    Ok(())
}

pub(crate) fn text(value: &Bytes) -> String {
    String::from_utf8_lossy(value).into_owned()
}

pub(crate) fn to_json(value: &Option<Bytes>) -> Value {
    match value.as_ref().map(|value| (std::str::from_utf8(value), value)) {
        None => Value::Null,
        Some((Ok(text), _)) => json!(text),
        Some((Err(_), bytes)) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": hex })
        }
    }
}

fn not_connected(error: ConnectError) -> Failure {
    match error {
        ConnectError::NoNode { .. } => anyhow!(
            "{error}\nIs the cluster running (`althing status`), and is this the right \
             client configuration?"
        )
        .into(),
        _ => Failure::usage(error),
    }
}

fn not_done(error: KvError) -> Failure {
    match error {
        KvError::Command(Error::Unknown) => {
            Failure::new(Exit::Unknown, anyhow!("{error}. Read the key before you write it again"))
        }
        KvError::Command(Error::Failed(althing_sdk::Failure::Unreachable)) => anyhow!(
            "nothing took effect: {error}. More nodes may have failed than the cluster survives \
             (`althing status`)"
        )
        .into(),
        _ => error.into(),
    }
}
