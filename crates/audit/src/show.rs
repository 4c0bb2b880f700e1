//! How commands, footprints and replies are written down.

use althing_model::{Footprint, Mode, ModeTable, Range};
use std::fmt;

/// The name of a counterexample's command, by its number.
pub(crate) fn letter(number: usize) -> String {
    match u8::try_from(number) {
        Ok(number @ 0..26) => char::from(b'a' + number).to_string(),
        _ => format!("#{number}"),
    }
}

/// The kind of a command, from how it is written for debugging: what comes before its fields.
pub(crate) fn kind(command: &impl fmt::Debug) -> String {
    let debug = format!("{command:?}");
    let is_name = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    let name: String = debug.chars().take_while(is_name).collect();
    if name.is_empty() { "command".to_owned() } else { name }
}

/// A footprint with its modes by name.
pub(crate) struct ShownFootprint<'a>(pub(crate) &'a Footprint, pub(crate) &'a ModeTable);

impl ShownFootprint<'_> {
    fn mode(&self, mode: Mode) -> String {
        match self.1.names().nth(usize::from(mode.0)) {
            Some(name) => name.to_owned(),
            None => format!("mode {}, which the table does not have,", mode.0),
        }
    }
}

impl fmt::Display for ShownFootprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        for (resource, mode) in self.0.resources() {
            parts.push(format!("{} {}", self.mode(*mode), quoted(resource)));
        }
        for (range, mode) in self.0.ranges() {
            parts.push(format!("{} {}", self.mode(*mode), shown_range(range)));
        }
        match self.0 {
            Footprint::Everything => f.write_str("everything"),
            Footprint::Predicate(shown) => {
                write!(f, "what the predicate sees in {}", quoted(shown))
            }
            _ if parts.is_empty() => f.write_str("nothing"),
            _ => f.write_str(&parts.join(", ")),
        }
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn shown_range(range: &Range) -> String {
    match range.end() {
        Some(end) => format!("from {} to below {}", quoted(range.begin()), quoted(end)),
        None => format!("from {} on", quoted(range.begin())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Broken: a counterexample cannot be read.
    #[test]
    fn footprints_and_kinds_are_written_by_name() {
        let modes = ModeTable::read_write();
        let on = |mode| Footprint::of([(Bytes::from_static(b"a\n"), Mode(mode))]);
        assert_eq!(ShownFootprint(&on(1), &modes).to_string(), "write \"a\\n\"");
        assert!(ShownFootprint(&on(7), &modes).to_string().starts_with("mode 7"));
        assert_eq!(ShownFootprint(&Footprint::NOTHING, &modes).to_string(), "nothing");
        let range = Footprint::with_ranges([], [(Range::prefix("a"), Mode::READ)]);
        let expected = "read from \"a\" to below \"b\"";
        assert_eq!(ShownFootprint(&range, &modes).to_string(), expected);
        assert_eq!(kind(&Some(3)), "Some");
        assert_eq!(kind(&b"x"), "command");
    }
}
