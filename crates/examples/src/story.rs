//! Commands told one after the other: what each is answered, and which of those before it it waits
//! for.

use althing_model::{Conflicts, StateMachine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::{Debug, Write};

/// Executes the commands in this order and tells about it. `R` is their reply's type.
///
/// # Panics
/// When the conflict function refuses one of them.
pub fn tell<C: Serialize + Debug, R: DeserializeOwned + Debug>(
    mut machine: impl StateMachine,
    conflicts: &impl Conflicts,
    commands: &[C],
) -> String {
    let mut text = String::new();
    let mut earlier = Vec::new();
    for (number, command) in (1..).zip(commands) {
        let payload = crate::encode(command);
        let footprint = conflicts.footprint(&payload).expect("a story is of valid commands");
        let reply: R = crate::decode(&machine.apply(&payload)).expect("a machine answers replies");
        let conflicting = (1..).zip(&earlier).filter_map(|(number, other)| {
            footprint.conflicts_with(other, conflicts.modes()).then_some(format!("{number}"))
        });
        let conflicting: Vec<String> = conflicting.collect();
        let waits = match conflicting.len() {
            0 => "commutes with all before it".to_owned(),
            _ => format!("is ordered with {}", conflicting.join(", ")),
        };
        writeln!(text, "{number}. {command:?}\n   -> {reply:?}; {waits}").expect("into a string");
        earlier.push(footprint);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{Bank, ByAccount, Command, Reply};

    /// Broken: a story tells conflicts that there are not, or leaves some out.
    #[test]
    fn a_story_tells_who_waits_for_whom() {
        let story = tell::<_, Reply>(
            Bank::default(),
            &ByAccount::default(),
            &[
                Command::Deposit { to: 1, amount: 5 },
                Command::Deposit { to: 1, amount: 5 },
                Command::Transfer { from: 1, to: 2, amount: 7 },
            ],
        );
        let lines: Vec<&str> = story.lines().collect();
        assert_eq!(lines[3], "   -> Done; commutes with all before it");
        assert_eq!(lines[5], "   -> Done; is ordered with 1, 2");
    }
}
