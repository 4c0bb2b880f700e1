//! Lists.

use super::super::{Answer, Gather, Read, RedisError, RedisReply, Write, number};
use crate::collection::{Blob, List};
use bytes::Bytes;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

impl End {
    fn read(arg: &[u8]) -> Result<Self, RedisError> {
        match &arg.to_ascii_uppercase()[..] {
            b"LEFT" => Ok(Self::Left),
            b"RIGHT" => Ok(Self::Right),
            _ => Err(RedisError::Syntax),
        }
    }

    fn push(self, list: &mut List, element: &[u8]) {
        match self {
            Self::Left => list.push_front(element),
            Self::Right => list.push_back(element),
        }
    }

    fn pop(self, list: &mut List) -> Option<Blob> {
        match self {
            Self::Left => list.pop_front(),
            Self::Right => list.pop_back(),
        }
    }
}

fn bulk(element: &[u8]) -> RedisReply {
    RedisReply::Bulk(Bytes::copy_from_slice(element))
}

pub(crate) fn lpush(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    push(write, args, End::Left, false)
}

pub(crate) fn rpush(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    push(write, args, End::Right, false)
}

pub(crate) fn lpushx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    push(write, args, End::Left, true)
}

pub(crate) fn rpushx(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    push(write, args, End::Right, true)
}

fn push(write: &mut Write<'_>, args: &[Bytes], end: End, must_exist: bool) -> Answer {
    if must_exist && write.read().typed::<List>(&args[1])?.is_none() {
        return Ok(RedisReply::Integer(0));
    }
    let len = write.change(&args[1], |list: &mut List| {
        args[2..].iter().for_each(|element| end.push(list, element));
        list.len()
    })?;
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn lpop(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    pop(write, args, End::Left, "lpop")
}

pub(crate) fn rpop(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    pop(write, args, End::Right, "rpop")
}

fn pop(write: &mut Write<'_>, args: &[Bytes], end: End, command: &str) -> Answer {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(number::count(count)?),
        _ => return Err(RedisError::arity(command)),
    };
    let Some(list) = write.read().typed::<List>(&args[1])? else {
        return Ok(if count.is_some() { RedisReply::NullArray } else { RedisReply::Null });
    };
    let size = count.unwrap_or(1).min(list.len());
    let mut gather = Gather::default();
    write.change(&args[1], |list: &mut List| {
        let mut popped = (0..size).filter_map(|_| end.pop(list));
        // On an error what was done is undone: the command takes.
        popped.try_for_each(|element| gather.bulk(&element))
    })??;
    Ok(match count {
        Some(_) => RedisReply::Array(gather.replies),
        None => gather.replies.pop().unwrap_or(RedisReply::Null),
    })
}

pub(crate) fn llen(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let len = read.typed::<List>(&args[1])?.map_or(0, List::len);
    Ok(RedisReply::Integer(len as i64))
}

/// The indices that two arguments, counted from the end where they are negative, span.
pub(crate) fn span(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

pub(crate) fn lrange(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let (start, end) = (number::arg(&args[2])?, number::arg(&args[3])?);
    let mut gather = Gather::default();
    if let Some(list) = read.typed::<List>(&args[1])? {
        let span = span(start, end, list.len());
        for element in list.from(span.start).take(span.len()) {
            gather.bulk(element)?;
        }
    }
    Ok(RedisReply::Array(gather.replies))
}

fn index(arg: &[u8], len: usize) -> Result<Option<usize>, RedisError> {
    let index = number::arg(arg)?;
    let index = if index < 0 { index.saturating_add(len as i64) } else { index };
    Ok(usize::try_from(index).ok().filter(|index| *index < len))
}

pub(crate) fn lindex(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let Some(list) = read.typed::<List>(&args[1])? else { return Ok(RedisReply::Null) };
    let element = index(&args[2], list.len())?.and_then(|index| list.get(index));
    Ok(element.map_or(RedisReply::Null, |element| bulk(element)))
}

pub(crate) fn lset(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let list = write.read().typed::<List>(&args[1])?.ok_or(RedisError::NoSuchKey)?;
    let index = index(&args[2], list.len())?.ok_or(RedisError::OutOfRange)?;
    write.change(&args[1], |list: &mut List| list.set(index, &args[3]))?;
    Ok(RedisReply::Ok)
}

pub(crate) fn linsert(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let after = match &args[2].to_ascii_uppercase()[..] {
        b"BEFORE" => 0,
        b"AFTER" => 1,
        _ => return Err(RedisError::Syntax),
    };
    let Some(list) = write.read().typed::<List>(&args[1])? else {
        return Ok(RedisReply::Integer(0));
    };
    let Some(pivot) = list.iter().position(|element| element[..] == args[3][..]) else {
        return Ok(RedisReply::Integer(-1));
    };
    let len = write.change(&args[1], |list: &mut List| {
        list.insert(pivot + after, &args[4]);
        list.len()
    })?;
    Ok(RedisReply::Integer(len as i64))
}

pub(crate) fn lrem(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let count = number::arg_but_min(&args[2])?;
    let Some(list) = write.read().typed::<List>(&args[1])? else {
        return Ok(RedisReply::Integer(0));
    };
    let found = list.iter().enumerate().filter(|(_, element)| element[..] == args[3][..]);
    let mut found: Vec<usize> = found.map(|(index, _)| index).collect();
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    match count {
        1.. => found.truncate(size),
        0 => {}
        _ => drop(found.drain(..found.len().saturating_sub(size))),
    }
    write.change(&args[1], |list: &mut List| list.remove_all(&found))?;
    Ok(RedisReply::Integer(found.len() as i64))
}

pub(crate) fn ltrim(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let (start, end) = (number::arg(&args[2])?, number::arg(&args[3])?);
    write.change(&args[1], |list: &mut List| {
        let span = span(start, end, list.len());
        list.keep(span.start, span.end);
    })?;
    Ok(RedisReply::Ok)
}

struct Search {
    /// The first match wanted, from 1.
    rank: u64,
    from_end: bool,
    /// How many; `None`: one, not in an array.
    count: Option<usize>,
    looked_at_max: usize,
}

impl Search {
    fn read(args: &[Bytes]) -> Result<Self, RedisError> {
        let all = |count: usize| if count == 0 { usize::MAX } else { count };
        let mut search = Self { rank: 1, from_end: false, count: None, looked_at_max: usize::MAX };
        for option in args.chunks(2) {
            let [name, value] = option else { return Err(RedisError::Syntax) };
            match &name.to_ascii_uppercase()[..] {
                b"RANK" => {
                    let rank = number::arg_but_min(value)?;
                    if rank == 0 {
                        const TEXT: &str = "ERR RANK can't be zero: use 1 to start from the first \
                            match, 2 from the second ... or use negative to start from the end of \
                            the list";
                        return Err(RedisError::text(TEXT));
                    }
                    (search.rank, search.from_end) = (rank.unsigned_abs(), rank < 0);
                }
                b"COUNT" => {
                    let count = number::count_or(value, "ERR COUNT can't be negative")?;
                    search.count = Some(all(count));
                }
                b"MAXLEN" => {
                    let len = number::count_or(value, "ERR MAXLEN can't be negative")?;
                    search.looked_at_max = all(len);
                }
                _ => return Err(RedisError::Syntax),
            }
        }
        Ok(search)
    }
}

pub(crate) fn lpos(read: &Read<'_>, args: &[Bytes]) -> Answer {
    let Search { rank, from_end, count, looked_at_max } = Search::read(&args[3..])?;
    let Some(list) = read.typed::<List>(&args[1])? else {
        return Ok(if count.is_some() { RedisReply::Array(vec![]) } else { RedisReply::Null });
    };
    let last = list.len() - 1;
    let mut elements: Box<dyn Iterator<Item = &Blob>> = Box::new(list.iter());
    if from_end {
        elements = Box::new(list.iter().rev());
    }
    let matches = elements.take(looked_at_max).enumerate();
    let matches = matches.filter(|(_, element)| element[..] == args[2][..]);
    let matches = matches.map(|(at, _)| if from_end { last - at } else { at } as i64);
    let skipped = usize::try_from(rank - 1).unwrap_or(usize::MAX);
    let mut matches = matches.skip(skipped).map(RedisReply::Integer);
    let Some(count) = count else { return Ok(matches.next().unwrap_or(RedisReply::Null)) };
    let mut gather = Gather::default();
    for found in matches.take(count) {
        gather.small(found)?;
    }
    Ok(RedisReply::Array(gather.replies))
}

pub(crate) fn lmove(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    let (from, to) = (End::read(&args[3])?, End::read(&args[4])?);
    move_element(write, args, from, to)
}

pub(crate) fn rpoplpush(write: &mut Write<'_>, args: &[Bytes]) -> Answer {
    move_element(write, args, End::Right, End::Left)
}

fn move_element(write: &mut Write<'_>, args: &[Bytes], from: End, to: End) -> Answer {
    let read = write.read();
    if read.typed::<List>(&args[1])?.is_none() {
        return Ok(RedisReply::Null);
    }
    read.typed::<List>(&args[2])?;
    if args[1] == args[2] {
        // In one step: a list of one element must not go meanwhile, and its end with it.
        return write.change(&args[1], |list: &mut List| {
            let element = from.pop(list).expect("what is empty is no list");
            to.push(list, &element);
            bulk(&element)
        });
    }
    let element = write.change(&args[1], |list: &mut List| from.pop(list))?;
    let element = element.expect("what is empty is no list");
    write.change(&args[2], |list: &mut List| to.push(list, &element))?;
    Ok(bulk(&element))
}
