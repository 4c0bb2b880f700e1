//! What is wrong with a configuration, for the person who has to put it right.

use std::fmt;
use std::path::PathBuf;

/// A configuration cannot be used; every problem that was found, not only the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `table.key`; empty where the file as a whole is meant.
    pub key: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }

    /// What the TOML reader said, with the line and key that it is about, and for an unknown key
    /// the nearest known one.
    pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        let Some(span) = error.span() else {
            return Self::new("", message);
        };
        let start = span.start.min(text.len());
        let line_number = text[..start].matches('\n').count() + 1;
        let line = text.lines().nth(line_number - 1).unwrap_or_default();
        let key = match line.split_once('=') {
            Some((key, _)) => key.trim(),
            None => line.trim().trim_matches(['[', ']']),
        };
        let hint =
            nearest(&message).map(|known| format!("; did you mean {known:?}?")).unwrap_or_default();
        Self::new(key, format!("line {line_number}: {message}{hint}"))
    }
}

/// Of a message `unknown field `a`, expected one of `b`, `c``, the expected name nearest to the
/// unknown one, if any is near.
fn nearest(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.text)
        } else {
            write!(f, "{}: {}", self.key, self.text)
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} cannot be used", file.display())?,
            None => f.write_str("the configuration cannot be used")?,
        }
        match &self.problems[..] {
            [problem] => write!(f, ": {problem}"),
            problems => problems.iter().try_for_each(|problem| write!(f, "\n  {problem}")),
        }
    }
}

impl std::error::Error for ConfigError {}
