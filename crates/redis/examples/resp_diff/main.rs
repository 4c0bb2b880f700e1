//! Random Redis commands over sockets, side by side: a gateway, and a real Redis server. Their bytes are
//! compared, in RESP2 and RESP3, alone, in pipelines and in transactions.
//!
//! ```sh
//! cargo run --release -p althing-redis --example resp_diff -- --commands 100000 --seed 1
//! cargo run --release -p althing-redis --example resp_diff -- --gateway 127.0.0.1:7379
//! ```
//! Without `--gateway IP:PORT` it runs one in this process, in front of a store without a cluster;
//! without `--redis IP:PORT` it starts `redis-server` from the `PATH`. Both are flushed again and again:
//! give it none that holds anything. Everything that a difference needs is printed, and the program
//! fails.

// What commands are tried is shared with the comparison below the protocol.
#[path = "../../../kv/examples/redis_diff/generate.rs"]
mod generate;
mod reply;
mod server;

use althing_kv::redis::{RedisReply, check};
use althing_redis::{Gateway, Settings, StoreBackend};
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Parser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reply::{Peer, Reply, name};
use server::Server;
use std::net::SocketAddr;

/// Commands from one `FLUSHALL` to the next.
const EPISODE: usize = 200;

/// Commands that are sent together, at most.
const PIPELINE: usize = 20;

/// Compares a gateway with a Redis server.
#[derive(Parser)]
struct Arguments {
    /// How many commands.
    #[arg(long, default_value_t = 100_000)]
    commands: usize,
    /// Which commands.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A gateway's address; one is run without it.
    #[arg(long)]
    gateway: Option<SocketAddr>,
    /// A Redis server's address; one is started without it.
    #[arg(long)]
    redis: Option<SocketAddr>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { commands, seed, gateway, redis } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let gateway = match gateway {
        Some(address) => address,
        None => {
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            let gateway = runtime.block_on(Gateway::bind(Settings::new(listen)))?;
            let address = gateway.address();
            runtime.spawn(gateway.serve(StoreBackend::default(), std::future::pending()));
            address
        }
    };
    let server = match redis {
        Some(address) => Server::at(address),
        None => Server::start()?.context("there is no redis-server on the PATH; give --redis")?,
    };
    let mut diff = Diff {
        redis: Peer::connect(server.address())?,
        gateway: Peer::connect(gateway)?,
        rng: ChaCha8Rng::seed_from_u64(seed),
        figures: Figures::default(),
    };
    let mut is_3 = false;
    while diff.figures.commands < commands {
        diff.episode(if is_3 { "3" } else { "2" })?;
        is_3 = !is_3;
    }
    let Figures { commands, errors, pipelines, transactions, left_out } = diff.figures;
    println!(
        "{commands} commands, {errors} of them with an error, in {pipelines} pipelines and \
         {transactions} transactions, half of them RESP3: no difference; {left_out} were drawn and \
         not sent, which choose at random, look for members by their names, or name an empty key"
    );
    Ok(())
}

struct Diff {
    redis: Peer,
    gateway: Peer,
    rng: ChaCha8Rng,
    figures: Figures,
}

#[derive(Default)]
struct Figures {
    commands: usize,
    errors: usize,
    pipelines: usize,
    transactions: usize,
    left_out: usize,
}

impl Diff {
    /// From an empty store on.
    fn episode(&mut self, protocol: &str) -> anyhow::Result<()> {
        let mut history = vec![words(&["HELLO", protocol]), words(&["FLUSHALL"])];
        for peer in [&mut self.redis, &mut self.gateway] {
            peer.ask(&history)?;
        }
        let mut done = 0;
        while done < EPISODE {
            let mut commands = self.commands();
            done += commands.len();
            let is_transaction = self.rng.random_bool(0.2);
            if is_transaction {
                commands.retain(|command| !reply::is_unordered(&name(command)));
                commands.insert(0, words(&["MULTI"]));
                commands.push(words(&["EXEC"]));
                self.figures.transactions += 1;
            }
            let theirs = self.redis.ask(&commands)?;
            let ours = self.gateway.ask(&commands)?;
            history.extend(commands.iter().cloned());
            for ((command, theirs), ours) in commands.iter().zip(&theirs).zip(&ours) {
                self.figures.errors += usize::from(theirs.is_error());
                if !reply::is_same(&name(command), theirs, ours) {
                    return Err(difference(&history, command, theirs, ours));
                }
            }
            self.figures.pipelines += 1;
        }
        self.figures.commands += done;
        Ok(())
    }

    /// What is sent together: no choices, which each side makes for itself.
    fn commands(&mut self) -> Vec<Vec<Bytes>> {
        let count = self.rng.random_range(1..=PIPELINE);
        let mut commands = Vec::new();
        while commands.len() < count {
            let command = generate::command(&mut self.rng);
            let name = name(&command);
            if reply::is_random(&name) || is_by_lex(&name, &command) || has_empty_key(&command) {
                self.figures.left_out += 1;
                continue;
            }
            if name == "DBSIZE" {
                // Redis counts keys whose time is over until it meets them; ours are never counted.
                commands.push(words(&[&["EXISTS"], generate::KEYS].concat()));
            }
            commands.push(command);
        }
        commands
    }
}

fn difference(
    history: &[Vec<Bytes>],
    command: &[Bytes],
    theirs: &Reply,
    ours: &Reply,
) -> anyhow::Error {
    let line = |command: &[Bytes]| {
        let args = command.iter().map(|arg| format!("\"{}\"", arg.escape_ascii()));
        args.collect::<Vec<_>>().join(" ")
    };
    let before: Vec<_> = history.iter().map(|command| format!("  {}", line(command))).collect();
    anyhow::anyhow!(
        "a difference:\n{}\nat     {}\nredis  {theirs:?}\nours   {ours:?}",
        before.join("\n"),
        line(command)
    )
}

/// What a Redis server answers to these where scores differ is not specified, and depends on levels
/// that it draws. They are compared below the protocol, where few sets are so (`redis_diff`).
fn is_by_lex(name: &str, command: &[Bytes]) -> bool {
    let is_by_lex = |arg: &Bytes| arg.eq_ignore_ascii_case(b"BYLEX");
    name.starts_with('Z') && (name.contains("LEX") || command.iter().any(is_by_lex))
}

/// A documented difference: here a key has a byte.
fn has_empty_key(command: &[Bytes]) -> bool {
    matches!(check(command), Err(RedisReply::Error(text)) if text.starts_with(b"ERR the key is empty"))
}

fn words(words: &[&str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

/// A reply that is none.
fn broken<T>(what: &str) -> anyhow::Result<T> {
    bail!("a reply that is none: {what}")
}
