//! A story's file: runs its commands and writes it anew with what they did.

use crate::command;
use std::fmt::{self, Write};

/// A story came to a bad end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line of the command, from 1.
    pub line: usize,
    /// The command.
    pub command: String,
    /// What was wrong.
    pub what: String,
    /// The story up to there, as it went.
    pub told: String,
}

/// Runs a story, and returns its text with the output that its commands gave.
///
/// # Errors
/// An oracle is violated, or a command cannot be done.
///
/// # Panics
/// When a role's assertion fails.
pub fn run(text: &str) -> Result<String, Failure> {
    let mut told = String::new();
    let mut world = None;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("  ") {
            // Output of an earlier run: told anew by its command.
            continue;
        }
        told.push_str(line);
        told.push('\n');
        let Some(command) = line.strip_prefix("> ") else { continue };
        match command::run(&mut world, command) {
            Ok(lines) => {
                lines.iter().for_each(|line| writeln!(told, "  {line}").expect("a string"));
            }
            Err(what) => {
                return Err(Failure { line: index + 1, command: command.to_owned(), what, told });
            }
        }
    }
    Ok(told)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: > {}: {}", self.line, self.command, self.what)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a story would keep old output beside the new, or lose its prose.
    #[test]
    fn output_is_told_anew_and_prose_stays() {
        let text = "# Prose.\n\n> cluster fast n=3 f=1\n  old output\n> check\n";
        let told = run(text).unwrap();
        assert!(told.starts_with("# Prose.\n\n> cluster fast n=3 f=1\n  "));
        assert!(!told.contains("old output"));
        assert_eq!(run(&told).unwrap(), told);
    }

    /// Broken: a script that delivers what is not there would pass for a story.
    #[test]
    fn commands_that_make_no_sense_fail() {
        for command in ["deliver Commit n0->n1", "deliver Comit", "submit c7 put x 1", "sing"] {
            let failure = run(&format!("> cluster fast n=3 f=1\n> {command}\n")).unwrap_err();
            assert_eq!((failure.line, failure.command.as_str()), (2, command));
        }
        assert!(run("> check\n").unwrap_err().what.contains("cluster"));
    }
}
