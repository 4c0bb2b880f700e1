//! `AUTH` and `HELLO`: who is there, and in which version of the protocol.

use super::{Connection, World, client, local};
use crate::encode::{Answer, Protocol};
use crate::request::Request;
use crate::settings::Settings;
use althing_kv::redis::RedisReply;
use bytes::Bytes;
use subtle::ConstantTimeEq;

/// The only user there is.
const USER: &[u8] = b"default";

/// What commands answer about: which Redis this is like. Clients choose by it what they send.
pub(super) const REDIS_VERSION: &str = "7.0.15";

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

impl Connection {
    pub(super) fn auth(&mut self, request: &Request, settings: &Settings) -> Answer {
        let (user, password) = match &request[1..] {
            [password] if settings.password.is_some() => (USER, password),
            [_] => {
                return Answer::error(
                    "ERR AUTH <password> called without any password configured for the default \
                     user. Are you sure your configuration is correct?",
                );
            }
            [user, password] => (&user[..], password),
            _ => return Answer::error("ERR syntax error"),
        };
        match self.admit(user, password, settings) {
            true => RedisReply::Ok.into(),
            false => Answer::error(WRONG_PASSWORD),
        }
    }

    fn admit(&mut self, user: &[u8], password: &[u8], settings: &Settings) -> bool {
        let is_right = match &settings.password {
            None => true,
            // In the same time wherever they differ; only the length can be told from it.
            Some(expected) => bool::from(expected.as_bytes().ct_eq(password)),
        };
        let is_admitted = is_right && user == USER;
        self.is_admitted |= is_admitted;
        is_admitted
    }

    /// `HELLO [version [AUTH user password] [SETNAME name]]`: all of it, or nothing.
    pub(super) fn hello(&mut self, request: &Request, world: &dyn World) -> Answer {
        let protocol = match request.get(1).map(|version| local::integer(version)) {
            None => self.protocol,
            Some(Some(2)) => Protocol::Resp2,
            Some(Some(3)) => Protocol::Resp3,
            Some(Some(_)) => return Answer::error("NOPROTO unsupported protocol version"),
            Some(None) => {
                return Answer::error("ERR Protocol version is not an integer or out of range");
            }
        };
        let mut credentials: Option<(&Bytes, &Bytes)> = None;
        let mut name = None;
        let mut options = request.get(2..).unwrap_or_default();
        loop {
            options = match options {
                [] => break,
                [option, user, password, rest @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                    credentials = Some((user, password));
                    rest
                }
                [option, given, rest @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                    if !client::is_name(given) {
                        return Answer::error(client::BAD_NAME);
                    }
                    name = Some(given);
                    rest
                }
                [option, ..] => {
                    let option = String::from_utf8_lossy(option);
                    return Answer::error(format!("ERR Syntax error in HELLO option '{option}'"));
                }
            };
        }
        if let Some((user, password)) = credentials
            && !self.admit(user, password, world.settings())
        {
            return Answer::error(WRONG_PASSWORD);
        }
        if self.is_stranger() {
            return Answer::error(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                 HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
                 select the RESP protocol version at the same time",
            );
        }
        if let Some(name) = name {
            self.record().name = Bytes::copy_from_slice(name);
        }
        self.protocol = protocol;
        let text = |text: &'static str| RedisReply::Bulk(text.into());
        RedisReply::Map(vec![
            (text("server"), text("redis")),
            (text("version"), text(REDIS_VERSION)),
            (text("proto"), RedisReply::Integer(protocol.number())),
            (text("id"), RedisReply::Integer(self.record().id as i64)),
            (text("mode"), text("standalone")),
            (text("role"), text("master")),
            (text("modules"), RedisReply::Array(vec![])),
        ])
        .into()
    }
}
