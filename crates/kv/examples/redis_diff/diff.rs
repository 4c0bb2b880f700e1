//! Runs commands on both sides and compares.

use crate::generate;
use crate::server::Connection;
use crate::value::Value;
use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome, RedisReply, check, spec};
use althing_kv::{KvCommand, KvReply, Store};
use althing_model::StateMachine;
use anyhow::bail;
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Commands from one `FLUSHALL` to the next.
const EPISODE: usize = 150;

/// Milliseconds by which two times that both sides counted from now may differ.
const TOLERANCE_MS: i64 = 3000;

/// Both sides.
pub(crate) struct Diff {
    redis: Connection,
    store: Store,
}

/// What a run found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) commands: usize,
    pub(crate) errors: usize,
    pub(crate) by_name: BTreeMap<String, usize>,
    /// The shortest sequence found, and what the last command was answered.
    pub(crate) difference: Option<String>,
}

impl Diff {
    pub(crate) fn with(mut redis: Connection) -> anyhow::Result<Self> {
        redis.ask(&words("PING"))?;
        Ok(Self { redis, store: Store::default() })
    }

    /// Runs so many random commands, or until there is a difference.
    pub(crate) fn run(&mut self, seed: u64, commands: usize) -> anyhow::Result<Report> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut report = Report::default();
        while report.commands < commands {
            self.reset()?;
            let mut episode = Vec::new();
            for _ in 0..EPISODE.min(commands - report.commands) {
                // The same key, mostly: types and lengths grow.
                let command = generate::command(&mut rng);
                let command = if rng.random_bool(0.02) { words("ALTHING.STATE") } else { command };
                episode.push(command);
                let command = episode.last().expect("it was pushed");
                let step = self.step(command)?;
                report.commands += 1;
                report.errors += usize::from(step.is_error);
                let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
                *report.by_name.entry(name).or_default() += 1;
                if step.difference.is_some() {
                    report.difference = Some(self.shortest(episode)?);
                    return Ok(report);
                }
            }
        }
        Ok(report)
    }

    fn reset(&mut self) -> anyhow::Result<()> {
        self.redis.ask(&words("FLUSHALL"))?;
        self.store = Store::default();
        Ok(())
    }

    /// Leaves out what the difference does not need.
    fn shortest(&mut self, mut commands: Vec<Vec<Bytes>>) -> anyhow::Result<String> {
        let mut chunk = commands.len() / 2;
        while chunk > 0 {
            let mut at = 0;
            while at < commands.len() {
                let mut fewer = commands.clone();
                fewer.drain(at..(at + chunk).min(commands.len()));
                match self.replay(&fewer)? {
                    Some((len, _)) => commands = fewer[..len].to_vec(),
                    None => at += chunk,
                }
            }
            chunk /= 2;
        }
        let mut text = String::new();
        let found = self.replay(&commands)?;
        for command in &commands {
            let args = command.iter().map(|arg| format!("\"{}\"", arg.escape_ascii()));
            let _ = writeln!(text, "  {}", args.collect::<Vec<_>>().join(" "));
        }
        let difference =
            found.map_or("it does not come again".into(), |(_, difference)| difference);
        Ok(text + &difference)
    }

    /// Runs them until there is a difference: after how many, and which.
    fn replay(&mut self, commands: &[Vec<Bytes>]) -> anyhow::Result<Option<(usize, String)>> {
        self.reset()?;
        for (at, command) in commands.iter().enumerate() {
            if let Some(difference) = self.step(command)?.difference {
                return Ok(Some((at + 1, difference)));
            }
        }
        Ok(None)
    }

    fn ours(&mut self, command: &[Bytes]) -> anyhow::Result<Value> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let mut batch = RedisBatch {
            stamp_ms: now.as_millis() as u64,
            access: RedisAccess::Read,
            is_transaction: false,
            watched: vec![],
            commands: vec![command.to_vec()],
        };
        if !spec(&command[0]).is_some_and(|spec| spec.is_read_only) {
            batch.access = RedisAccess::Write;
        }
        let digest = self.store.digest();
        let mut outcome = self.execute(&batch)?;
        if batch.access == RedisAccess::Read && digest != self.store.digest() {
            bail!("a read changed the store: {command:?}");
        }
        if outcome == RedisOutcome::Due {
            batch.access = RedisAccess::Write;
            outcome = self.execute(&batch)?;
        }
        let RedisOutcome::Replies(mut replies) = outcome else { bail!("{outcome:?}") };
        Ok(replies.pop().unwrap_or(RedisReply::Null).into())
    }

    /// By way of bytes, as a replica does.
    fn execute(&mut self, batch: &RedisBatch) -> anyhow::Result<RedisOutcome> {
        let payload = KvCommand::Redis(batch.clone()).encode();
        match KvReply::decode(self.store.apply(&payload))? {
            KvReply::Redis(outcome) => Ok(outcome),
            other => bail!("{batch:?} is answered {other:?}"),
        }
    }

    fn step(&mut self, command: &[Bytes]) -> anyhow::Result<Step> {
        if command[0] == "ALTHING.STATE" {
            return self.compare_states();
        }
        // A documented difference.
        if let Err(RedisReply::Error(text)) = check(command)
            && text.starts_with(b"ERR the key is empty")
        {
            return Ok(Step { is_error: true, difference: None });
        }
        let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
        if matches!(&name[..], "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "RANDOMKEY") {
            return self.random(&name, command);
        }
        if name == "DBSIZE" {
            // Redis counts keys whose time is over until it meets them; ours are never counted.
            self.redis.ask(&words(&format!("EXISTS {}", generate::KEYS.join(" "))))?;
        }
        let theirs = self.redis.ask(command)?;
        let ours = self.ours(command)?;
        Ok(Step::of(&name, theirs, ours))
    }

    /// A choice of members: each side's must be one that it may make.
    fn random(&mut self, name: &str, command: &[Bytes]) -> anyhow::Result<Step> {
        let read = match name {
            "RANDOMKEY" => words("KEYS *"),
            "HRANDFIELD" => {
                [words("HGETALL"), command[1..].iter().take(1).cloned().collect()].concat()
            }
            _ => [words("SMEMBERS"), command[1..].iter().take(1).cloned().collect()].concat(),
        };
        let all = self.ours(&read)?;
        let before = self.store.clone();
        let theirs = self.redis.ask(command)?;
        let ours = self.ours(command)?;
        // Redis' choice is what remains.
        if name == "SPOP" && !theirs.is_error() {
            let popped: Vec<Bytes> = match &theirs {
                Value::Array(items) => items.iter().filter_map(Value::bulk).collect(),
                other => other.bulk().into_iter().collect(),
            };
            self.store = before;
            if !popped.is_empty() {
                self.ours(&[words("SREM"), vec![command[1].clone()], popped].concat())?;
            }
        }
        let has_values = command.len() == 4;
        let is_choice = |value: &Value| match value {
            Value::Array(items) if has_values => {
                items.chunks(2).all(|pair| all.items().chunks(2).any(|other| pair == other))
            }
            Value::Array(items) => items.iter().all(|item| all.items().contains(item)),
            Value::Bulk(_) => all.items().contains(value),
            _ => true,
        };
        let count = command.get(2).and_then(|it| std::str::from_utf8(it).ok()?.parse::<i64>().ok());
        let is_distinct = |value: &Value| {
            let mut items = value.items().to_vec();
            if has_values {
                items = items.into_iter().step_by(2).collect();
            }
            let different = items.iter().enumerate().all(|(at, it)| !items[..at].contains(it));
            count.is_none_or(|count| count < 0) || different
        };
        let mut step = Step::of(name, shape(&theirs), shape(&ours));
        if !(is_choice(&theirs) && is_choice(&ours) && is_distinct(&ours)) {
            step.difference = Some(format!("no choice of {all:?}:\n  {theirs:?}\n  {ours:?}"));
        }
        Ok(step)
    }

    /// All that both sides hold.
    fn compare_states(&mut self) -> anyhow::Result<Step> {
        let ask = ["TYPE", "PEXPIRETIME", "GET", "HGETALL", "SMEMBERS", "LRANGE", "ZRANGE"];
        let keys = self.redis.ask(&words("KEYS *"))?;
        let step = Step::of("KEYS", keys.clone(), self.ours(&words("KEYS *"))?);
        if step.difference.is_some() {
            return Ok(step);
        }
        for key in keys.items().iter().filter_map(Value::bulk) {
            for name in ask {
                let mut command = vec![Bytes::from(name), key.clone()];
                match name {
                    "LRANGE" => command.extend(words("0 -1")),
                    "ZRANGE" => command.extend(words("0 -1 WITHSCORES")),
                    _ => {}
                }
                let step = Step::of(name, self.redis.ask(&command)?, self.ours(&command)?);
                if let Some(difference) = step.difference {
                    let difference = Some(format!("{name} of {key:?}: {difference}"));
                    return Ok(Step { difference, ..step });
                }
            }
        }
        Ok(step)
    }
}

struct Step {
    is_error: bool,
    difference: Option<String>,
}

impl Step {
    fn of(name: &str, theirs: Value, ours: Value) -> Self {
        let is_error = theirs.is_error();
        let (theirs, ours) = match name {
            "KEYS" | "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "HKEYS" | "HVALS" => {
                (theirs.in_order(1), ours.in_order(1))
            }
            "HGETALL" => (theirs.in_order(2), ours.in_order(2)),
            "SCAN" | "SSCAN" => (scanned(theirs, 1), scanned(ours, 1)),
            "HSCAN" | "ZSCAN" => (scanned(theirs, 2), scanned(ours, 2)),
            _ => (theirs, ours),
        };
        let tolerance = match name {
            "PTTL" | "PEXPIRETIME" => TOLERANCE_MS,
            "TTL" | "EXPIRETIME" => TOLERANCE_MS / 1000,
            _ => 0,
        };
        let is_near = match (theirs.integer(), ours.integer()) {
            (Some(theirs), Some(ours)) => theirs.abs_diff(ours) <= tolerance as u64,
            _ => theirs == ours,
        };
        let is_near = is_near || is_partial(name, &theirs) || is_partial(name, &ours);
        let difference = (!is_near).then(|| format!("redis  {theirs:?}\nours   {ours:?}"));
        Self { is_error, difference }
    }
}

/// Where there is more to tell, what is told first is each side's own affair.
fn is_partial(name: &str, reply: &Value) -> bool {
    name.ends_with("SCAN")
        && reply.items().first().and_then(Value::bulk).is_some_and(|cursor| cursor != "0")
}

fn scanned(reply: Value, together: usize) -> Value {
    match reply {
        Value::Array(mut parts) if parts.len() == 2 => {
            let items = parts.pop().expect("there are two").in_order(together);
            parts.push(items);
            Value::Array(parts)
        }
        other => other,
    }
}

/// With every text the same.
fn shape(value: &Value) -> Value {
    match value {
        Value::Bulk(_) => Value::Bulk(vec![]),
        Value::Array(items) => Value::Array(items.iter().map(shape).collect()),
        other => other.clone(),
    }
}

fn words(text: &str) -> Vec<Bytes> {
    text.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}
