//! Numbers for the cursors of scans.

use super::RedisReply;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// The cursors that a gateway has given to its clients: the store's own are bytes, and clients expect
/// numbers. The last ones are kept; a cursor that is no longer kept, or another gateway's, is answered
/// as Redis answers an invalid one.
#[derive(Debug, Default)]
pub struct RedisCursors {
    by_number: BTreeMap<u64, Bytes>,
    /// Oldest first.
    numbers: VecDeque<u64>,
    last: u64,
    len: usize,
}

impl RedisCursors {
    /// Bytes of all cursors kept.
    pub const LEN_MAX: usize = 4 << 20;

    /// Puts the store's cursor in the place of the client's in a `SCAN`, `HSCAN`, `SSCAN` or `ZSCAN`;
    /// leaves other commands as they are.
    pub fn to_store(&self, command: &mut [Bytes]) {
        let Some(at) = cursor_at(command) else { return };
        let Some(arg) = command.get_mut(at) else { return };
        let number = std::str::from_utf8(arg).ok().and_then(|text| text.parse::<u64>().ok());
        match number {
            Some(0) => *arg = Bytes::from_static(b"0"),
            // The store answers what a number that it does not know is answered.
            Some(number) => {
                if let Some(kept) = self.by_number.get(&number) {
                    *arg = kept.clone();
                }
            }
            // A client may not send the store's.
            None if arg.starts_with(b"@") => *arg = Bytes::from_static(INVALID),
            None => {}
        }
    }

    /// Puts a number in the place of the store's cursor in the reply to such a command; leaves replies
    /// to others as they are.
    pub fn to_client(&mut self, command: &[Bytes], reply: &mut RedisReply) {
        if cursor_at(command).is_none() {
            return;
        }
        let RedisReply::Array(parts) = reply else { return };
        if let Some(RedisReply::Bulk(cursor)) = parts.first_mut()
            && cursor[..] != b"0"[..]
        {
            *cursor = self.keep(cursor.clone()).to_string().into();
        }
    }

    fn keep(&mut self, cursor: Bytes) -> u64 {
        self.last += 1;
        self.len += cursor.len() + 64;
        // A copy, so that it keeps no reply alive.
        self.by_number.insert(self.last, Bytes::copy_from_slice(&cursor));
        self.numbers.push_back(self.last);
        while self.len > Self::LEN_MAX && self.numbers.len() > 1 {
            let oldest = self.numbers.pop_front().expect("there are two");
            let cursor = self.by_number.remove(&oldest).expect("each number has a cursor");
            self.len -= cursor.len() + 64;
        }
        self.last
    }
}

/// No cursor of the store's.
const INVALID: &[u8] = b"invalid";

/// Which argument is the cursor.
fn cursor_at(command: &[Bytes]) -> Option<usize> {
    match super::spec(command.first()?)?.name {
        "SCAN" => Some(1),
        "HSCAN" | "SSCAN" | "ZSCAN" => Some(2),
        _ => None,
    }
}
