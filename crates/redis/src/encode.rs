//! Replies, as bytes of either version of the protocol.

use althing_kv::redis::RedisReply;
use bytes::{BufMut, Bytes, BytesMut};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What a connection begins with.
    #[default]
    Resp2,
    /// After `HELLO 3`: maps, sets, doubles, booleans, one null.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// What a request is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A reply as the store gives it, too.
    Reply(RedisReply),
    /// Text for people: RESP3's verbatim string, in RESP2 a bulk string.
    Text(String),
    /// The answers of a transaction, one for each of its commands.
    Transaction(Vec<Answer>),
}

impl Answer {
    /// An error: its code, a space, a text.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Reply(RedisReply::error(text))
    }

    /// Whether it takes much more than what it answers: many of these are not kept at a time.
    pub(crate) fn is_long(&self) -> bool {
        const FEW: usize = 32;
        match self {
            Self::Text(_) | Self::Transaction(_) => true,
            Self::Reply(RedisReply::Array(list)) => list.len() > FEW,
            Self::Reply(RedisReply::Map(pairs)) => pairs.len() > FEW,
            Self::Reply(_) => false,
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Reply(RedisReply::Error(_)))
    }
}

impl From<RedisReply> for Answer {
    fn from(reply: RedisReply) -> Self {
        Self::Reply(reply)
    }
}

/// Appends an answer.
pub fn encode(answer: &Answer, protocol: Protocol, out: &mut BytesMut) {
    Encoder { protocol, out }.answer(answer);
}

struct Encoder<'a> {
    protocol: Protocol,
    out: &'a mut BytesMut,
}

impl Encoder<'_> {
    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Reply(reply) => self.reply(reply),
            Answer::Text(text) => match self.protocol {
                Protocol::Resp2 => self.bulk(text.as_bytes()),
                Protocol::Resp3 => {
                    const KIND: &[u8] = b"txt:";
                    self.head(b'=', KIND.len() + text.len());
                    self.out.put_slice(KIND);
                    self.out.put_slice(text.as_bytes());
                    self.end();
                }
            },
            Answer::Transaction(answers) => {
                self.head(b'*', answers.len());
                answers.iter().for_each(|answer| self.answer(answer));
            }
        }
    }

    // As deep as the store nests its replies: three.
    fn reply(&mut self, reply: &RedisReply) {
        let is_3 = self.protocol == Protocol::Resp3;
        match reply {
            RedisReply::Ok => self.out.put_slice(b"+OK\r\n"),
            RedisReply::Simple(text) => self.line(b'+', text),
            RedisReply::Error(text) => self.line(b'-', text),
            RedisReply::Integer(number) => self.line(b':', number.to_string().as_bytes()),
            RedisReply::Double(number) => {
                let text = RedisReply::double_text(*number);
                match is_3 {
                    true => self.line(b',', text.as_bytes()),
                    false => self.bulk(text.as_bytes()),
                }
            }
            RedisReply::Bulk(bytes) => self.bulk(bytes),
            RedisReply::Null | RedisReply::NullArray if is_3 => self.out.put_slice(b"_\r\n"),
            RedisReply::Null => self.out.put_slice(b"$-1\r\n"),
            RedisReply::NullArray => self.out.put_slice(b"*-1\r\n"),
            RedisReply::Array(replies) => self.list(b'*', replies),
            RedisReply::Set(replies) => self.list(if is_3 { b'~' } else { b'*' }, replies),
            RedisReply::Map(pairs) => {
                match is_3 {
                    true => self.head(b'%', pairs.len()),
                    false => self.head(b'*', 2 * pairs.len()),
                }
                for (key, value) in pairs {
                    self.reply(key);
                    self.reply(value);
                }
            }
            RedisReply::Pairs(pairs) => {
                self.head(b'*', if is_3 { pairs.len() } else { 2 * pairs.len() });
                for (one, other) in pairs {
                    if is_3 {
                        self.head(b'*', 2);
                    }
                    self.reply(one);
                    self.reply(other);
                }
            }
            RedisReply::Boolean(is) => self.out.put_slice(match (is_3, is) {
                (true, true) => b"#t\r\n",
                (true, false) => b"#f\r\n",
                (false, true) => b":1\r\n",
                (false, false) => b":0\r\n",
            }),
        }
    }

    fn list(&mut self, kind: u8, replies: &[RedisReply]) {
        self.head(kind, replies.len());
        replies.iter().for_each(|reply| self.reply(reply));
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len());
        self.out.put_slice(bytes);
        self.end();
    }

    fn head(&mut self, kind: u8, len: usize) {
        self.line(kind, len.to_string().as_bytes());
    }

    /// A line ends where its text does: what would end it earlier becomes a space.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.put_u8(kind);
        if memchr::memchr2(b'\r', b'\n', text).is_none() {
            self.out.put_slice(text);
        } else {
            let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
            let text = text.iter().map(|byte| if is_end(byte) { b' ' } else { *byte });
            self.out.put_slice(&text.collect::<Bytes>());
        }
        self.end();
    }

    fn end(&mut self) {
        self.out.put_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(answer: impl Into<Answer>) -> [String; 2] {
        let answer = answer.into();
        [Protocol::Resp2, Protocol::Resp3].map(|protocol| {
            let mut out = BytesMut::new();
            encode(&answer, protocol, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        })
    }

    fn bulk(text: &'static str) -> RedisReply {
        RedisReply::Bulk(text.into())
    }

    /// Broken: no client understands the answers that both versions have.
    #[test]
    fn what_both_versions_have_is_the_same_in_both() {
        let nested = RedisReply::Array(vec![RedisReply::Array(vec![]), bulk("")]);
        for (reply, bytes) in [
            (RedisReply::Ok, "+OK\r\n"),
            (RedisReply::Simple("PONG".into()), "+PONG\r\n"),
            (RedisReply::error("ERR no"), "-ERR no\r\n"),
            (RedisReply::Integer(-7), ":-7\r\n"),
            (bulk("a\r\nb"), "$4\r\na\r\nb\r\n"),
            (nested, "*2\r\n*0\r\n$0\r\n\r\n"),
        ] {
            assert_eq!(both(reply), [bytes; 2]);
        }
    }

    /// Broken: a client that asked for RESP3 reads a hash as a list, or one that did not breaks at the
    /// first type that it does not know.
    #[test]
    fn types_of_resp3_have_a_form_in_resp2() {
        let pair = || vec![(bulk("a"), RedisReply::Double(0.1))];
        for (reply, two, three) in [
            (RedisReply::Null, "$-1\r\n", "_\r\n"),
            (RedisReply::NullArray, "*-1\r\n", "_\r\n"),
            (RedisReply::Boolean(true), ":1\r\n", "#t\r\n"),
            (RedisReply::Boolean(false), ":0\r\n", "#f\r\n"),
            (RedisReply::Double(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"),
            (RedisReply::Double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
            (RedisReply::Set(vec![bulk("a")]), "*1\r\n$1\r\na\r\n", "~1\r\n$1\r\na\r\n"),
            (
                RedisReply::Map(pair()),
                "*2\r\n$1\r\na\r\n$19\r\n0.10000000000000001\r\n",
                "%1\r\n$1\r\na\r\n,0.10000000000000001\r\n",
            ),
            (
                RedisReply::Pairs(pair()),
                "*2\r\n$1\r\na\r\n$19\r\n0.10000000000000001\r\n",
                "*1\r\n*2\r\n$1\r\na\r\n,0.10000000000000001\r\n",
            ),
        ] {
            assert_eq!(both(reply), [two, three]);
        }
        let text = Answer::Text("# Server\r\n".into());
        assert_eq!(both(text), ["$10\r\n# Server\r\n\r\n", "=14\r\ntxt:# Server\r\n\r\n"]);
    }

    /// Broken: what a client sent ends an error's line and forges the reply to its next request.
    #[test]
    fn an_error_is_one_line() {
        let forged = RedisReply::error("ERR unknown command 'a\r\n+OK\r\n'");
        assert_eq!(both(forged), ["-ERR unknown command 'a  +OK  '\r\n"; 2]);
    }

    /// Broken: the replies of a transaction are read as replies to what comes after it.
    #[test]
    fn a_transaction_is_one_answer() {
        let answers = vec![RedisReply::Ok.into(), Answer::Text("x".into())];
        let answer = Answer::Transaction(answers);
        assert_eq!(both(answer), ["*2\r\n+OK\r\n$1\r\nx\r\n", "*2\r\n+OK\r\n=5\r\ntxt:x\r\n"]);
    }
}
