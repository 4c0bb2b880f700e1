//! The commands that the gateway answers itself.

use crate::request::Request;
use althing_kv::redis::RedisReply;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Auth,
    Client,
    Command,
    Config,
    Consistency,
    Discard,
    Echo,
    Exec,
    Hello,
    Info,
    Multi,
    Ping,
    Quit,
    Reset,
    Select,
    Time,
    Unwatch,
    Watch,
}

/// One of them.
#[derive(Debug)]
pub(super) struct LocalSpec {
    pub(super) local: Local,
    /// In capitals.
    pub(super) name: &'static str,
    /// As Redis has it: how many arguments, the name included; negative: at least so many.
    pub(super) arity: i32,
    /// The most, where Redis looks at that in the command itself.
    most: usize,
    /// Whether it is answered without the password.
    pub(super) is_for_strangers: bool,
    /// Whether it may be answered at length.
    pub(super) is_long: bool,
}

const ANY: usize = usize::MAX;

const fn local(local: Local, name: &'static str, arity: i32, most: usize) -> LocalSpec {
    LocalSpec { local, name, arity, most, is_for_strangers: false, is_long: false }
}

const fn open(spec: LocalSpec) -> LocalSpec {
    LocalSpec { is_for_strangers: true, ..spec }
}

const fn long(spec: LocalSpec) -> LocalSpec {
    LocalSpec { is_long: true, ..spec }
}

/// All of them.
pub(super) static SPECS: [LocalSpec; 18] = [
    local(Local::Consistency, "ALTHING.CONSISTENCY", -1, 2),
    open(local(Local::Auth, "AUTH", -2, ANY)),
    long(local(Local::Client, "CLIENT", -2, ANY)),
    long(local(Local::Command, "COMMAND", -1, ANY)),
    local(Local::Config, "CONFIG", -2, ANY),
    local(Local::Discard, "DISCARD", 1, ANY),
    local(Local::Echo, "ECHO", 2, ANY),
    local(Local::Exec, "EXEC", 1, ANY),
    open(local(Local::Hello, "HELLO", -1, ANY)),
    long(local(Local::Info, "INFO", -1, ANY)),
    local(Local::Multi, "MULTI", 1, ANY),
    local(Local::Ping, "PING", -1, 2),
    open(local(Local::Quit, "QUIT", -1, ANY)),
    open(local(Local::Reset, "RESET", 1, ANY)),
    local(Local::Select, "SELECT", 2, ANY),
    local(Local::Time, "TIME", 1, ANY),
    local(Local::Unwatch, "UNWATCH", 1, ANY),
    local(Local::Watch, "WATCH", -2, ANY),
];

impl LocalSpec {
    /// Whether the number of arguments is right.
    pub(super) fn check(&self, request: &Request) -> Result<(), RedisReply> {
        let count = request.len();
        let is_right = match self.arity {
            arity @ 0.. => count == arity as usize,
            arity => count >= arity.unsigned_abs() as usize && count <= self.most,
        };
        match is_right {
            true => Ok(()),
            false => Err(wrong_arity(&self.name.to_ascii_lowercase())),
        }
    }
}

/// The command of this name, in whichever case.
pub(super) fn find(name: &[u8]) -> Option<&'static LocalSpec> {
    SPECS.iter().find(|spec| name.eq_ignore_ascii_case(spec.name.as_bytes()))
}

/// The refusal of too few or too many arguments; the name in small letters, a subcommand after a bar.
pub(super) fn wrong_arity(name: &str) -> RedisReply {
    RedisReply::error(format!("ERR wrong number of arguments for '{name}' command"))
}

/// The refusal of a subcommand that there is not; the command's name in capitals.
pub(super) fn unknown_subcommand(name: &str, subcommand: &[u8]) -> RedisReply {
    const SHOWN: usize = 128;
    let shown = String::from_utf8_lossy(&subcommand[..subcommand.len().min(SHOWN)]);
    RedisReply::error(format!("ERR unknown subcommand '{shown}'. Try {name} HELP."))
}

/// A number as Redis takes it.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A number that a subcommand's table gives: as an arity, name and subcommand included.
pub(super) fn is_arity(arity: i32, count: usize) -> bool {
    match arity {
        0.. => count == arity as usize,
        _ => count >= arity.unsigned_abs() as usize,
    }
}
