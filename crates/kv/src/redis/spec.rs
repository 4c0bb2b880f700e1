//! Which commands there are: their names, how many arguments they take, where their keys stand.

use super::command::{expiry, hashes, keys, lists, scan, sets, sorted, strings};
use super::{Answer, Read, RedisReply, Write};
use crate::limits::KEY_LEN_MAX;
use bytes::Bytes;

/// A command that the store knows.
pub struct RedisSpec {
    /// Its name, in capitals.
    pub name: &'static str,
    /// How many arguments it has, the name included; negative: at least so many.
    pub arity: i32,
    /// Whether it never changes anything.
    pub is_read_only: bool,
    /// Which of its arguments are keys.
    pub keys: KeysAt,
    pub(super) run: Run,
}

/// Which arguments of a command are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysAt {
    /// None, since it touches all keys there are.
    Everything,
    /// From the first to the last, which counts from the end where it is negative, each so many
    /// arguments after the one before. The name has the number 0.
    Range {
        /// The first.
        first: usize,
        /// The last.
        last: isize,
        /// From one to the next.
        step: usize,
    },
    /// As many as the argument of this number says, following it.
    Counted {
        /// The number of the argument that counts.
        at: usize,
    },
}

impl KeysAt {
    /// The keys of a command that has passed [`check`]; `None` where it touches all there are.
    pub fn of<'a>(&self, args: &'a [Bytes]) -> Option<impl Iterator<Item = &'a Bytes> + use<'a>> {
        let (first, end, step) = match *self {
            Self::Everything => return None,
            Self::Range { first, last, step } => {
                let end = match last {
                    0.. => last.unsigned_abs() + 1,
                    _ => (args.len() + 1).saturating_sub(last.unsigned_abs()),
                };
                (first, end, step)
            }
            // A count that is none is answered with an error, before any key is looked at.
            Self::Counted { at } => {
                let count = super::number::integer(&args[at]).and_then(|n| usize::try_from(n).ok());
                (at + 1, (at + 1).saturating_add(count.unwrap_or(0)), 1)
            }
        };
        let end = end.min(args.len());
        Some(args[first.min(end)..end].iter().step_by(step))
    }
}

/// How a command is executed: the type says whether it can change anything.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Read(fn(&Read<'_>, &[Bytes]) -> Answer),
    /// As `Read`, of the keys as they are, due or not.
    Inspect(fn(&Read<'_>, &[Bytes]) -> Answer),
    Write(fn(&mut Write<'_>, &[Bytes]) -> Answer),
    /// As `Write`, and what it takes away is answered: where the answer is too long, nothing is done.
    Take(fn(&mut Write<'_>, &[Bytes]) -> Answer),
    /// As `Write`, of the keys as they are, due or not.
    Purge(fn(&mut Write<'_>, &[Bytes]) -> Answer),
}

/// The command of this name, in whichever case.
pub fn spec(name: &[u8]) -> Option<&'static RedisSpec> {
    let mut upper = [0; NAME_LEN_MAX];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    let at = SPECS.binary_search_by(|spec| spec.name.as_bytes().cmp(upper)).ok()?;
    Some(&SPECS[at])
}

/// All commands, ascending by name.
pub fn specs() -> &'static [RedisSpec] {
    SPECS
}

/// Finds a command's specification.
///
/// # Errors
/// The reply to a command that there is not, that has the wrong number of arguments, or whose keys
/// are not within the store's limits.
pub fn check(args: &[Bytes]) -> Result<&'static RedisSpec, RedisReply> {
    let Some(name) = args.first() else { return Err(RedisReply::error("ERR unknown command ''")) };
    let Some(spec) = spec(name) else { return Err(unknown(args)) };
    let is_enough = match spec.arity {
        arity @ 0.. => args.len() == arity as usize,
        arity => args.len() >= arity.unsigned_abs() as usize,
    };
    if !is_enough {
        let name = spec.name.to_ascii_lowercase();
        let text = format!("ERR wrong number of arguments for '{name}' command");
        return Err(RedisReply::error(text));
    }
    for key in spec.keys.of(args).into_iter().flatten() {
        match key.len() {
            1..=KEY_LEN_MAX => {}
            0 => return Err(RedisReply::error("ERR the key is empty: here a key has a byte")),
            len => {
                let text = format!("ERR a key of {len} bytes, over the {KEY_LEN_MAX} allowed");
                return Err(RedisReply::error(text));
            }
        }
    }
    Ok(spec)
}

/// In Redis' words: some of the arguments, 128 bytes at most, and no line breaks.
fn unknown(args: &[Bytes]) -> RedisReply {
    const SHOWN: usize = 128;
    // Redis prints them as C strings.
    let c_string = |bytes: &[u8], len: usize| -> Vec<u8> {
        bytes.iter().take(len).copied().take_while(|byte| *byte != 0).collect()
    };
    let mut shown = Vec::new();
    for arg in &args[1..] {
        if shown.len() >= SHOWN {
            break;
        }
        let part = c_string(arg, SHOWN - shown.len());
        shown.push(b'\'');
        shown.extend(part);
        shown.extend(b"' ");
    }
    let name = c_string(&args[0], SHOWN);
    let mut text =
        [b"ERR unknown command '", &name[..], b"', with args beginning with: ", &shown].concat();
    for byte in &mut text {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    RedisReply::Error(text.into())
}

const NAME_LEN_MAX: usize = 20;

const ONE: KeysAt = KeysAt::Range { first: 1, last: 1, step: 1 };
const TWO: KeysAt = KeysAt::Range { first: 1, last: 2, step: 1 };
const ALL: KeysAt = KeysAt::Range { first: 1, last: -1, step: 1 };
const PAIRS: KeysAt = KeysAt::Range { first: 1, last: -1, step: 2 };
const COUNTED: KeysAt = KeysAt::Counted { at: 1 };
const EVERYTHING: KeysAt = KeysAt::Everything;

const fn read(
    name: &'static str,
    arity: i32,
    keys: KeysAt,
    run: fn(&Read<'_>, &[Bytes]) -> Answer,
) -> RedisSpec {
    RedisSpec { name, arity, is_read_only: true, keys, run: Run::Read(run) }
}

const fn write(
    name: &'static str,
    arity: i32,
    keys: KeysAt,
    run: fn(&mut Write<'_>, &[Bytes]) -> Answer,
) -> RedisSpec {
    RedisSpec { name, arity, is_read_only: false, keys, run: Run::Write(run) }
}

const fn take(
    name: &'static str,
    arity: i32,
    keys: KeysAt,
    run: fn(&mut Write<'_>, &[Bytes]) -> Answer,
) -> RedisSpec {
    RedisSpec { name, arity, is_read_only: false, keys, run: Run::Take(run) }
}

/// Ascending by name.
static SPECS: &[RedisSpec] = &[
    RedisSpec {
        run: Run::Inspect(keys::althing_due),
        ..read("ALTHING.DUE", 2, EVERYTHING, keys::althing_due)
    },
    RedisSpec {
        run: Run::Purge(keys::althing_purge),
        ..write("ALTHING.PURGE", -2, ALL, keys::althing_purge)
    },
    read("ALTHING.VERSION", -2, ALL, keys::althing_version),
    write("APPEND", 3, ONE, strings::append),
    write("COPY", -3, TWO, keys::copy),
    read("DBSIZE", 1, EVERYTHING, keys::dbsize),
    write("DECR", 2, ONE, strings::decr),
    write("DECRBY", 3, ONE, strings::decrby),
    write("DEL", -2, ALL, keys::del),
    read("EXISTS", -2, ALL, keys::exists),
    write("EXPIRE", -3, ONE, expiry::expire),
    write("EXPIREAT", -3, ONE, expiry::expireat),
    read("EXPIRETIME", 2, ONE, expiry::expiretime),
    write("FLUSHALL", -1, EVERYTHING, keys::flush),
    write("FLUSHDB", -1, EVERYTHING, keys::flush),
    read("GET", 2, ONE, strings::get),
    take("GETDEL", 2, ONE, strings::getdel),
    take("GETEX", -2, ONE, strings::getex),
    read("GETRANGE", 4, ONE, strings::getrange),
    take("GETSET", 3, ONE, strings::getset),
    write("HDEL", -3, ONE, hashes::hdel),
    read("HEXISTS", 3, ONE, hashes::hexists),
    read("HGET", 3, ONE, hashes::hget),
    read("HGETALL", 2, ONE, hashes::hgetall),
    write("HINCRBY", 4, ONE, hashes::hincrby),
    take("HINCRBYFLOAT", 4, ONE, hashes::hincrbyfloat),
    read("HKEYS", 2, ONE, hashes::hkeys),
    read("HLEN", 2, ONE, hashes::hlen),
    read("HMGET", -3, ONE, hashes::hmget),
    write("HMSET", -4, ONE, hashes::hmset),
    read("HRANDFIELD", -2, ONE, hashes::hrandfield),
    read("HSCAN", -3, ONE, scan::hash),
    write("HSET", -4, ONE, hashes::hset),
    write("HSETNX", 4, ONE, hashes::hsetnx),
    read("HSTRLEN", 3, ONE, hashes::hstrlen),
    read("HVALS", 2, ONE, hashes::hvals),
    write("INCR", 2, ONE, strings::incr),
    write("INCRBY", 3, ONE, strings::incrby),
    take("INCRBYFLOAT", 3, ONE, strings::incrbyfloat),
    read("KEYS", 2, EVERYTHING, keys::keys),
    read("LINDEX", 3, ONE, lists::lindex),
    write("LINSERT", 5, ONE, lists::linsert),
    read("LLEN", 2, ONE, lists::llen),
    take("LMOVE", 5, TWO, lists::lmove),
    take("LPOP", -2, ONE, lists::lpop),
    read("LPOS", -3, ONE, lists::lpos),
    write("LPUSH", -3, ONE, lists::lpush),
    write("LPUSHX", -3, ONE, lists::lpushx),
    read("LRANGE", 4, ONE, lists::lrange),
    write("LREM", 4, ONE, lists::lrem),
    write("LSET", 4, ONE, lists::lset),
    write("LTRIM", 4, ONE, lists::ltrim),
    read("MGET", -2, ALL, strings::mget),
    write("MSET", -3, PAIRS, strings::mset),
    write("MSETNX", -3, PAIRS, strings::msetnx),
    write("PERSIST", 2, ONE, expiry::persist),
    write("PEXPIRE", -3, ONE, expiry::pexpire),
    write("PEXPIREAT", -3, ONE, expiry::pexpireat),
    read("PEXPIRETIME", 2, ONE, expiry::pexpiretime),
    write("PSETEX", 4, ONE, strings::psetex),
    read("PTTL", 2, ONE, expiry::pttl),
    read("RANDOMKEY", 1, EVERYTHING, keys::randomkey),
    write("RENAME", 3, TWO, keys::rename),
    write("RENAMENX", 3, TWO, keys::renamenx),
    take("RPOP", -2, ONE, lists::rpop),
    take("RPOPLPUSH", 3, TWO, lists::rpoplpush),
    write("RPUSH", -3, ONE, lists::rpush),
    write("RPUSHX", -3, ONE, lists::rpushx),
    write("SADD", -3, ONE, sets::sadd),
    read("SCAN", -2, EVERYTHING, scan::keys),
    read("SCARD", 2, ONE, sets::scard),
    read("SDIFF", -2, ALL, sets::sdiff),
    write("SDIFFSTORE", -3, ALL, sets::sdiffstore),
    take("SET", -3, ONE, strings::set),
    write("SETEX", 4, ONE, strings::setex),
    write("SETNX", 3, ONE, strings::setnx),
    write("SETRANGE", 4, ONE, strings::setrange),
    read("SINTER", -2, ALL, sets::sinter),
    read("SINTERCARD", -3, COUNTED, sets::sintercard),
    write("SINTERSTORE", -3, ALL, sets::sinterstore),
    read("SISMEMBER", 3, ONE, sets::sismember),
    read("SMEMBERS", 2, ONE, sets::smembers),
    read("SMISMEMBER", -3, ONE, sets::smismember),
    write("SMOVE", 4, TWO, sets::smove),
    take("SPOP", -2, ONE, sets::spop),
    read("SRANDMEMBER", -2, ONE, sets::srandmember),
    write("SREM", -3, ONE, sets::srem),
    read("SSCAN", -3, ONE, scan::set),
    read("STRLEN", 2, ONE, strings::strlen),
    read("SUBSTR", 4, ONE, strings::getrange),
    read("SUNION", -2, ALL, sets::sunion),
    write("SUNIONSTORE", -3, ALL, sets::sunionstore),
    read("TOUCH", -2, ALL, keys::exists),
    read("TTL", 2, ONE, expiry::ttl),
    read("TYPE", 2, ONE, keys::type_of),
    write("UNLINK", -2, ALL, keys::del),
    write("ZADD", -4, ONE, sorted::add::zadd),
    read("ZCARD", 2, ONE, sorted::zcard),
    read("ZCOUNT", 4, ONE, sorted::zcount),
    write("ZINCRBY", 4, ONE, sorted::add::zincrby),
    read("ZLEXCOUNT", 4, ONE, sorted::zlexcount),
    read("ZMSCORE", -3, ONE, sorted::zmscore),
    take("ZPOPMAX", -2, ONE, sorted::remove::zpopmax),
    take("ZPOPMIN", -2, ONE, sorted::remove::zpopmin),
    read("ZRANGE", -4, ONE, sorted::range::zrange),
    read("ZRANGEBYLEX", -4, ONE, sorted::range::zrangebylex),
    read("ZRANGEBYSCORE", -4, ONE, sorted::range::zrangebyscore),
    read("ZRANK", 3, ONE, sorted::zrank),
    write("ZREM", -3, ONE, sorted::remove::zrem),
    write("ZREMRANGEBYLEX", 4, ONE, sorted::remove::zremrangebylex),
    write("ZREMRANGEBYRANK", 4, ONE, sorted::remove::zremrangebyrank),
    write("ZREMRANGEBYSCORE", 4, ONE, sorted::remove::zremrangebyscore),
    read("ZREVRANGE", -4, ONE, sorted::range::zrevrange),
    read("ZREVRANGEBYLEX", -4, ONE, sorted::range::zrevrangebylex),
    read("ZREVRANGEBYSCORE", -4, ONE, sorted::range::zrevrangebyscore),
    read("ZREVRANK", 3, ONE, sorted::zrevrank),
    read("ZSCAN", -3, ONE, scan::sorted),
    read("ZSCORE", 3, ONE, sorted::zscore),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a command that there is is not found.
    #[test]
    fn every_command_is_found_in_any_case() {
        assert!(SPECS.is_sorted_by(|one, other| one.name < other.name));
        for each in SPECS {
            assert!(std::ptr::eq(spec(each.name.to_ascii_lowercase().as_bytes()).unwrap(), each));
        }
        assert!(spec(b"a name that is longer than all").is_none());
    }

    /// Broken: a command touches keys that its footprint does not name.
    #[test]
    fn keys_are_found_where_they_stand() {
        for (command, expected) in [
            ("GET k", "k"),
            ("MSET a 1 b 2", "a b"),
            ("DEL a b c", "a b c"),
            ("RENAME a b", "a b"),
            ("SINTERCARD 2 a b LIMIT 1", "a b"),
            ("SINTERCARD 9 a b", "a b"),
            ("SINTERCARD x a b", ""),
            ("SINTERCARD 9223372036854775807 a b", "a b"),
        ] {
            let args: Vec<Bytes> = command.split(' ').map(Bytes::from).collect();
            let spec = check(&args).unwrap();
            let keys: Vec<&[u8]> = spec.keys.of(&args).unwrap().map(|key| &key[..]).collect();
            assert_eq!(keys.join(&b' '), expected.as_bytes(), "{command}");
        }
    }
}
