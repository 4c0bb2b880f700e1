//! Random commands.

use bytes::Bytes;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Each command's form. A word in capitals stands for itself; others name what is chosen: `k` a key,
/// `v` a value, `f` a field, `m` a member, `i` a whole number, `n` a small one, `x` a number, `s` seconds
/// from now, `t` a far time, `b` a bound of scores, `l` one of members, `g` a pattern. `A:i` is both,
/// `a|b` one of them, `?` before it maybe, `*` behind it several.
const FORMS: &[&str] = &[
    "GET k",
    "STRLEN k",
    "INCR k",
    "DECR k",
    "INCRBY k i",
    "DECRBY k i",
    "APPEND k v",
    "GETDEL k",
    "SET k v ?NX|XX ?GET ?EX:s|PX:s|EXAT:t|PXAT:t|KEEPTTL",
    "SET k v",
    "SET k i",
    "SET k x",
    "SETNX k v",
    "SETEX k s v",
    "PSETEX k s v",
    "GETSET k v",
    "INCRBYFLOAT k x",
    "INCRBYFLOAT k x",
    "GETEX k ?EX:s|PX:s|EXAT:t|PXAT:t|PERSIST",
    "MGET k*",
    "MSET kv*",
    "MSETNX kv*",
    "GETRANGE k i i",
    "SUBSTR k i i",
    "SETRANGE k o v",
    "DEL k*",
    "UNLINK k*",
    "EXISTS k*",
    "TOUCH k*",
    "TYPE k",
    "RENAME k k",
    "RENAMENX k k",
    "COPY k k ?DB:0|REPLACE ?REPLACE",
    "KEYS g",
    "SCAN 0 COUNT:1000 ?MATCH:g ?TYPE:y",
    "SCAN 0|q ?COUNT:1000 ?MATCH:g",
    "DBSIZE",
    "RANDOMKEY",
    "FLUSHALL ?SYNC|ASYNC",
    "FLUSHDB ?SYNC|ASYNC",
    "EXPIRE k s ?NX|XX",
    "PEXPIRE k s ?NX|XX",
    "EXPIREAT k t ?NX|XX|GT|LT ?GT|LT|XX",
    "PEXPIREAT k t ?NX|XX|GT|LT",
    "TTL k",
    "PTTL k",
    "EXPIRETIME k",
    "PEXPIRETIME k",
    "PERSIST k",
    "HSET k fv*",
    "HSET k fv*",
    "HSET k f x",
    "HMSET k fv*",
    "HSETNX k f v",
    "HGET k f",
    "HMGET k f*",
    "HGETALL k",
    "HDEL k f*",
    "HEXISTS k f",
    "HLEN k",
    "HKEYS k",
    "HVALS k",
    "HSTRLEN k f",
    "HINCRBY k f i",
    "HINCRBYFLOAT k f x",
    "HSCAN k 0|q ?MATCH:g ?COUNT:n",
    "HRANDFIELD k ?n ?WITHVALUES",
    "SADD k m*",
    "SADD k m*",
    "SREM k m*",
    "SMEMBERS k",
    "SISMEMBER k m",
    "SMISMEMBER k m*",
    "SCARD k",
    "SPOP k ?n",
    "SRANDMEMBER k ?n",
    "SMOVE k k m",
    "SINTER k*",
    "SUNION k*",
    "SDIFF k*",
    "SINTERSTORE k k*",
    "SUNIONSTORE k k*",
    "SDIFFSTORE k k*",
    "SINTERCARD n k* ?LIMIT:n",
    "SSCAN k 0|q COUNT:1000 ?MATCH:g",
    "LPUSH k m*",
    "RPUSH k m*",
    "RPUSH k m*",
    "LPUSHX k m*",
    "RPUSHX k m*",
    "LPOP k ?n",
    "RPOP k ?n",
    "LLEN k",
    "LRANGE k i i",
    "LINDEX k i",
    "LSET k i m",
    "LINSERT k BEFORE|AFTER m m",
    "LREM k n m",
    "LTRIM k n n",
    "LPOS k m ?RANK:n ?COUNT:n ?MAXLEN:n",
    "LMOVE k k LEFT|RIGHT LEFT|RIGHT",
    "RPOPLPUSH k k",
    "ZADD k ?NX|XX ?GT|LT ?CH xm*",
    "ZADD k xm*",
    "ZADD k xm*",
    "ZADD k 0|1 m*",
    "ZADD k ?NX|XX ?GT|LT ?CH INCR x m",
    "ZREM k m*",
    "ZSCORE k m",
    "ZMSCORE k m*",
    "ZINCRBY k x m",
    "ZCARD k",
    "ZCOUNT k b b",
    "ZLEXCOUNT k l l",
    "ZRANK k m",
    "ZREVRANK k m",
    "ZRANGE k i i ?REV ?WITHSCORES ?LIMIT:n:n",
    "ZRANGE k b b BYSCORE ?REV ?WITHSCORES ?LIMIT:n:n",
    "ZRANGE k l l BYLEX ?REV ?WITHSCORES ?LIMIT:n:n",
    "ZREVRANGE k i i ?WITHSCORES",
    "ZRANGEBYSCORE k b b ?WITHSCORES ?LIMIT:n:n",
    "ZREVRANGEBYSCORE k b b ?WITHSCORES ?LIMIT:n:n",
    "ZRANGEBYLEX k l l ?LIMIT:n:n",
    "ZREVRANGEBYLEX k l l ?LIMIT:n:n",
    "ZREMRANGEBYRANK k n n",
    "ZREMRANGEBYSCORE k b b",
    "ZREMRANGEBYLEX k l l",
    "ZPOPMIN k ?n",
    "ZPOPMAX k ?n",
    "ZSCAN k 0|q ?MATCH:g ?COUNT:n",
    "NOSUCH k*",
];

/// All keys, but for what an argument too few or too many makes one.
pub(crate) const KEYS: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "key:6"];

/// A random command.
pub(crate) fn command(rng: &mut impl Rng) -> Vec<Bytes> {
    let form = FORMS.choose(rng).expect("there are forms");
    // What empties everything is rarer.
    let form = if form.starts_with("FLUSH") && rng.random_bool(0.8) { "DBSIZE" } else { form };
    let mut words = form.split(' ');
    let name = words.next().expect("a form has a name");
    let mut args = vec![Bytes::from(name)];
    for word in words {
        let (word, is_maybe) = match word.strip_prefix('?') {
            Some(word) => (word, true),
            None => (word, false),
        };
        if is_maybe && rng.random_bool(0.65) {
            continue;
        }
        let (word, times) = match word.strip_suffix('*') {
            Some(word) => (word, rng.random_range(1..5)),
            None => (word, 1),
        };
        for _ in 0..times {
            let choices: Vec<&str> = word.split('|').collect();
            let choice = choices.choose(rng).expect("there is one");
            for part in choice.split(':') {
                let part = if part == "k" { key_class(name, rng) } else { part };
                push(part, &mut args, rng);
            }
        }
    }
    mutate(&mut args, rng);
    args
}

/// Mostly, keys of a type are of their own: other types are met often enough.
fn key_class(command: &str, rng: &mut impl Rng) -> &'static str {
    const SETS: &[u8] =
        b"SADD SREM SMEMBERS SISMEMBER SMISMEMBER SCARD SPOP SRANDMEMBER SMOVE SINTER \
        SUNION SDIFF SINTERSTORE SUNIONSTORE SDIFFSTORE SINTERCARD SSCAN";
    const LISTS: &[u8] =
        b"LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LRANGE LINDEX LSET LINSERT LREM \
        LTRIM LPOS LMOVE RPOPLPUSH";
    const GENERAL: &[u8] =
        b"DEL UNLINK EXISTS TOUCH TYPE RENAME RENAMENX COPY EXPIRE PEXPIRE EXPIREAT \
        PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME PERSIST";
    let is_in = |names: &[u8]| names.split(|byte| *byte == b' ').any(|it| it == command.as_bytes());
    if rng.random_bool(0.2) || is_in(GENERAL) {
        return "k";
    }
    match command.as_bytes()[0] {
        _ if is_in(SETS) => "ks",
        _ if is_in(LISTS) => "kl",
        b'H' => "kh",
        b'Z' => "kz",
        _ => "kt",
    }
}

fn push(part: &str, args: &mut Vec<Bytes>, rng: &mut impl Rng) {
    match part {
        "kv" | "fv" | "xm" => {
            let (one, other) = part.split_at(1);
            push(one, args, rng);
            push(other, args, rng);
        }
        part => args.push(word(part, rng)),
    }
}

fn word(class: &str, rng: &mut impl Rng) -> Bytes {
    if class == "x" && rng.random_bool(0.3) {
        return number(rng).into();
    }
    let pool: &[&str] = match class {
        "k" => KEYS,
        "kt" => &["a", "b", "key:6"],
        "kh" => &["c", "d"],
        "ks" => &["e", "f", "g"],
        "kl" => &["h", "i"],
        "kz" => &["j", "k"],
        "v" => &[
            "",
            "x",
            "hello",
            "10",
            "-7",
            "3.25",
            "0.1",
            "9223372036854775807",
            "1e3",
            "007",
            "\r\n\0\u{ff}",
        ],
        "f" => &["f", "g", "h", "10", ""],
        "m" => &["", "a", "b", "c", "d", "10", "9", "-1", "longer member", "\u{e9}\0"],
        "i" => &[
            "0",
            "1",
            "-1",
            "2",
            "-2",
            "3",
            "5",
            "-5",
            "100",
            "-100",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "x",
            "1.5",
            "",
            " 1",
            "01",
            "+1",
            "-0",
        ],
        "n" => &["0", "1", "1", "2", "3", "5", "-1", "-2", "-5", "100", "x", ""],
        "o" => &["0", "1", "3", "10", "-1", "536870912", "9223372036854775807", "x"],
        "x" => &[
            "0",
            "1",
            "-1",
            "2",
            "2.5",
            "0.1",
            "0.2",
            "1e3",
            "-1.5e-3",
            "3.0",
            "1e17",
            "123456789012345678",
            "inf",
            "-inf",
            "+inf",
            "nan",
            "1e400",
            "1e-400",
            "1e4932",
            ".5",
            "5.",
            "+2",
            " 1",
            "1 ",
            "",
            "x",
            "-0",
            "0.000001",
            "1e-7",
            "1e-20",
            "3.14159265358979323846",
            "1e16",
            "1e22",
        ],
        "s" => &[
            "100",
            "1000",
            "0",
            "-1",
            "9223372036854775807",
            "9223372036854775",
            "-9223372036854775808",
            "x",
        ],
        "t" => &[
            "4000000000",
            "4100000000",
            "4200000000000",
            "4300000000000",
            "1",
            "0",
            "-5",
            "9223372036854775807",
            "x",
        ],
        "b" => &[
            "0", "1", "-1", "2", "(1", "(0", "(2.5", "-inf", "+inf", "(inf", "1000", "0.1", "x",
            "(", "", "nan", "1e400", " 1",
        ],
        "l" => &["-", "+", "[a", "(a", "[c", "(c", "[", "(", "[10", "a", "", "++"],
        "g" => &["*", "?", "a*", "[a-c]", "[^a]", "*e*", "\\a", "key:*", "", "[", "**", "f"],
        "y" => &["string", "hash", "LIST", "set", "zset", "none"],
        "q" => &["x", "", "-x"],
        literal => {
            let mut literal = literal.to_owned();
            if rng.random_bool(0.2) {
                literal.make_ascii_lowercase();
            }
            return literal.into();
        }
    };
    let word = pool.choose(rng).expect("no pool is empty");
    Bytes::copy_from_slice(word.as_bytes())
}

/// One with a few digits or many, around one or far from it.
fn number(rng: &mut impl Rng) -> String {
    let digits: u64 = rng.random_range(0..u64::MAX) >> rng.random_range(0..64);
    let sign = if rng.random_bool(0.3) { "-" } else { "" };
    match rng.random_range(0..4) {
        0 => format!("{sign}{digits}"),
        1 => format!("{sign}{}.{digits}", rng.random_range(0..1000)),
        2 => format!("{sign}0.{digits:020}"),
        _ => format!("{sign}{}.{digits}e{}", rng.random_range(0..10), rng.random_range(-40..40)),
    }
}

/// Sometimes an argument too few, one too many, or another one.
fn mutate(args: &mut Vec<Bytes>, rng: &mut impl Rng) {
    const ODD: &[&str] =
        &["k", "m", "n", "NX", "XX", "GET", "LIMIT", "WITHSCORES", "COUNT", "MATCH"];
    match rng.random_range(0..60) {
        0 if args.len() > 1 => drop(args.pop()),
        1 => args.push(word(ODD.choose(rng).expect("it is not empty"), rng)),
        2 if args.len() > 1 => {
            let at = rng.random_range(1..args.len());
            args.remove(at);
        }
        3 if args.len() > 1 => {
            let at = rng.random_range(1..=args.len());
            args.insert(at, word(ODD.choose(rng).expect("it is not empty"), rng));
        }
        _ => {}
    }
}
