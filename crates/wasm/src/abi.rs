//! What goes over the border: mode tables and footprints as a module writes them.

use althing_model::{CommandInvalid, Footprint, Mode, ModeTable, Range};
use bytes::Bytes;

/// A module's mode table cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModesInvalid {
    /// No text.
    #[error("it is no UTF-8")]
    NoText,
    /// No modes, or too many.
    #[error("its first line names {0} modes, and there must be 1 to {max}", max = ModeTable::MODES_MAX)]
    Count(usize),
    /// The same name twice.
    #[error("two modes are called {0:?}")]
    Twice(String),
    /// A line that is no pair.
    #[error("line {0} is not two names of modes")]
    NoPair(usize),
    /// A name that the first line does not have.
    #[error("line {line} names the mode {name:?}, which the first line does not have")]
    Unknown {
        /// Which line, from 1.
        line: usize,
        /// The name.
        name: String,
    },
}

/// What a module wrote is no footprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FootprintInvalid {
    /// It ends too early.
    #[error("it ends within {0}")]
    Short(&'static str),
    /// It goes on after its end.
    #[error("{0} bytes follow its end")]
    Long(usize),
    /// A kind that does not exist.
    #[error("{0} is no kind of footprint")]
    Kind(u8),
    /// A mode that the table does not have.
    #[error("it has a mode {0}, which the mode table does not have")]
    Mode(u8),
    /// A range without a name in it.
    #[error("it has a range that ends before it begins")]
    EmptyRange,
}

/// The mode table in a text.
pub(crate) fn modes(text: &[u8]) -> Result<ModeTable, ModesInvalid> {
    let text = std::str::from_utf8(text).map_err(|_| ModesInvalid::NoText)?;
    let mut lines = text.lines().enumerate();
    let names: Vec<&str> =
        lines.next().map(|(_, line)| line.split_whitespace().collect()).unwrap_or_default();
    if !(1..=ModeTable::MODES_MAX).contains(&names.len()) {
        return Err(ModesInvalid::Count(names.len()));
    }
    if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(ModesInvalid::Twice((*name.1).to_owned()));
    }
    let mut table = ModeTable::new(&names);
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = number + 1;
        let mode = |name: &str| {
            let at = names.iter().position(|known| *known == name);
            let unknown = || ModesInvalid::Unknown { line: line_number, name: name.to_owned() };
            at.map(|at| Mode(at as u8)).ok_or_else(unknown)
        };
        let [a, b] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(ModesInvalid::NoPair(line_number));
        };
        table = table.commuting(mode(a)?, mode(b)?);
    }
    Ok(table)
}

/// The footprint in these bytes, or that there is no command.
pub(crate) fn footprint(
    bytes: &[u8],
    modes: usize,
) -> Result<Result<Footprint, CommandInvalid>, FootprintInvalid> {
    let mut rest = Reader { rest: bytes, modes };
    let footprint = match rest.byte("its kind")? {
        0 => {
            let resources = (0..rest.number("the count of resources")?)
                .map(|_| {
                    let mode = rest.mode()?;
                    Ok((rest.name()?, mode))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let ranges = (0..rest.number("the count of ranges")?)
                .map(|_| {
                    let mode = rest.mode()?;
                    Ok((rest.range()?, mode))
                })
                .collect::<Result<Vec<_>, _>>()?;
            Footprint::with_ranges(resources, ranges)
        }
        1 => Footprint::Everything,
        2 => {
            let why = String::from_utf8_lossy(rest.rest).into_owned();
            return Ok(Err(CommandInvalid(why)));
        }
        kind => return Err(FootprintInvalid::Kind(kind)),
    };
    match rest.rest.len() {
        0 => Ok(Ok(footprint)),
        len => Err(FootprintInvalid::Long(len)),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    modes: usize,
}

impl Reader<'_> {
    fn take(&mut self, len: usize, what: &'static str) -> Result<&[u8], FootprintInvalid> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(FootprintInvalid::Short(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, FootprintInvalid> {
        Ok(self.take(1, what)?[0])
    }

    fn number(&mut self, what: &'static str) -> Result<u16, FootprintInvalid> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_le_bytes(bytes.try_into().expect("two were taken")))
    }

    fn mode(&mut self) -> Result<Mode, FootprintInvalid> {
        let mode = self.byte("a mode")?;
        if usize::from(mode) < self.modes {
            Ok(Mode(mode))
        } else {
            Err(FootprintInvalid::Mode(mode))
        }
    }

    fn name(&mut self) -> Result<Bytes, FootprintInvalid> {
        let len = self.number("the length of a name")?;
        Ok(Bytes::copy_from_slice(self.take(usize::from(len), "a name")?))
    }

    fn range(&mut self) -> Result<Range, FootprintInvalid> {
        let from = self.name()?;
        match self.byte("a range")? {
            0 => Ok(Range::from(from)),
            _ => Range::between(from, self.name()?).ok_or(FootprintInvalid::EmptyRange),
        }
    }
}
