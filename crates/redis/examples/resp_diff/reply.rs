//! One side: requests out, replies in, as their bytes and what these mean.

use bytes::Bytes;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

/// A reply.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reply {
    /// Its first line; with a bulk string's content.
    head: Vec<u8>,
    /// What it consists of.
    parts: Vec<Reply>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.head.escape_ascii())?;
        match self.parts.is_empty() {
            true => Ok(()),
            false => f.debug_list().entries(&self.parts).finish(),
        }
    }
}

/// In capitals.
pub(crate) fn name(command: &[Bytes]) -> String {
    String::from_utf8_lossy(&command[0]).to_ascii_uppercase()
}

/// Whether each side chooses what it answers.
pub(crate) fn is_random(name: &str) -> bool {
    ["SPOP", "SRANDMEMBER", "HRANDFIELD", "RANDOMKEY"].contains(&name)
}

/// Whether the order of what is answered means nothing, or the time at which it is asked matters.
pub(crate) fn is_unordered(name: &str) -> bool {
    matches!(
        name,
        "KEYS"
            | "SMEMBERS"
            | "SINTER"
            | "SUNION"
            | "SDIFF"
            | "HKEYS"
            | "HVALS"
            | "HGETALL"
            | "SCAN"
            | "SSCAN"
            | "HSCAN"
            | "ZSCAN"
            | "TTL"
            | "PTTL"
            | "EXPIRETIME"
            | "PEXPIRETIME"
    )
}

/// Whether two replies to a command say the same.
pub(crate) fn is_same(name: &str, theirs: &Reply, ours: &Reply) -> bool {
    // By how much two times may differ that both sides counted from now.
    const TOLERANCE_MS: u64 = 3000;
    let tolerance = match name {
        "PTTL" | "PEXPIRETIME" => TOLERANCE_MS,
        "TTL" | "EXPIRETIME" => TOLERANCE_MS / 1000,
        _ => 0,
    };
    if tolerance > 0
        && let (Some(theirs), Some(ours)) = (theirs.integer(), ours.integer())
    {
        return theirs.abs_diff(ours) <= tolerance;
    }
    if name.ends_with("SCAN") && (theirs.is_partial() || ours.is_partial()) {
        return theirs.is_error() == ours.is_error();
    }
    let together = match name {
        "HGETALL" | "HSCAN" | "ZSCAN" => 2,
        _ => 1,
    };
    match is_unordered(name) {
        true => theirs.in_order(name, together) == ours.in_order(name, together),
        false => theirs == ours,
    }
}

impl Reply {
    pub(crate) fn is_error(&self) -> bool {
        self.head.first() == Some(&b'-')
    }

    /// Of a scan: whether there is more to tell. What is told first is each side's own affair.
    fn is_partial(&self) -> bool {
        let cursor = self.parts.first().map(|cursor| &cursor.head);
        cursor.is_some_and(|cursor| &cursor[..] != b"$1\r\n0\r\n")
    }

    fn integer(&self) -> Option<i64> {
        std::str::from_utf8(self.head.strip_prefix(b":")?).ok()?.trim_end().parse().ok()
    }

    /// With its parts in order; those of a scan stand one deeper.
    fn in_order(&self, name: &str, together: usize) -> Self {
        let mut reply = self.clone();
        if name.ends_with("SCAN") {
            reply.parts = self.parts.iter().map(|part| part.in_order("", together)).collect();
            return reply;
        }
        let mut groups: Vec<_> = self.parts.chunks(together).map(<[_]>::to_vec).collect();
        groups.sort();
        reply.parts = groups.concat();
        reply
    }
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends all of them, then reads a reply to each.
    pub(crate) fn ask(&mut self, commands: &[Vec<Bytes>]) -> anyhow::Result<Vec<Reply>> {
        let mut bytes = Vec::new();
        for command in commands {
            write!(bytes, "*{}\r\n", command.len())?;
            for arg in command {
                write!(bytes, "${}\r\n", arg.len())?;
                bytes.extend_from_slice(arg);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.stream.get_mut().write_all(&bytes)?;
        commands.iter().map(|_| self.reply()).collect()
    }

    fn reply(&mut self) -> anyhow::Result<Reply> {
        let mut head = Vec::new();
        self.stream.read_until(b'\n', &mut head)?;
        let Some(kind) = head.first().copied() else { return crate::broken("the end") };
        let number =
            || -> anyhow::Result<i64> { Ok(std::str::from_utf8(&head[1..])?.trim_end().parse()?) };
        let parts = match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'_' | b'(' => 0,
            b'*' | b'~' | b'>' => number()?.max(0),
            b'%' => 2 * number()?,
            b'$' | b'=' => {
                if let Ok(len) = usize::try_from(number()?) {
                    let mut content = vec![0; len + 2];
                    self.stream.read_exact(&mut content)?;
                    head.extend(content);
                }
                0
            }
            _ => return crate::broken(&head.escape_ascii().to_string()),
        };
        let parts = (0..parts).map(|_| self.reply()).collect::<anyhow::Result<_>>()?;
        Ok(Reply { head, parts })
    }
}
