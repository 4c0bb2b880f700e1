//! What a node relies on of a typed state machine.

use althing_model::{
    Conflicts, Footprint, Mode, ModeTable, PIECE_LEN_MAX, Pieces, StateMachine, Unrestorable,
};
use althing_typed::{Typed, TypedConflicts, TypedMachine, decode_reply, encode_command};
use bytes::Bytes;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Texts by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Texts(BTreeMap<String, String>);

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Command {
    Write(String, String),
    Read(String),
}

impl TypedMachine for Texts {
    type Command = Command;
    type Reply = Option<String>;

    fn modes() -> ModeTable {
        ModeTable::read_write()
    }

    fn footprint(command: &Command) -> Footprint {
        let (name, mode) = match command {
            Command::Write(name, _) => (name, Mode(1)),
            Command::Read(name) => (name, Mode(0)),
        };
        Footprint::of([(name.clone().into(), mode)])
    }

    fn apply(&mut self, command: Command) -> Option<String> {
        match command {
            Command::Write(name, text) => self.0.insert(name, text),
            Command::Read(name) => self.0.get(&name).cloned(),
        }
    }

    fn query(&self, command: &Command) -> Option<Option<String>> {
        match command {
            Command::Write(..) => None,
            Command::Read(name) => Some(self.0.get(name).cloned()),
        }
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        ("[a-d]", ".{0,9}").prop_map(|(name, text)| Command::Write(name, text)),
        "[a-d]".prop_map(Command::Read),
    ];
    prop::collection::vec(command, 0..40)
}

fn run(machine: &mut Typed<Texts>, commands: &[Command]) -> Vec<Bytes> {
    commands.iter().map(|command| machine.apply(&encode_command::<Texts>(command))).collect()
}

fn restored(pieces: Pieces) -> Result<Typed<Texts>, Unrestorable> {
    let mut machine = Typed::default();
    let mut pieces = pieces;
    machine.restore(&mut pieces).map(|()| machine)
}

proptest! {
    /// Broken: a node restored from a snapshot would answer otherwise than the others.
    #[test]
    fn a_snapshot_is_the_state_as_it_was(before in commands(), after in commands()) {
        let mut machine = Typed::default();
        run(&mut machine, &before);
        let digest = machine.digest();
        let pieces = machine.snapshot();
        let replies = run(&mut machine, &after);
        let mut again = restored(pieces).unwrap();
        prop_assert_eq!(again.digest(), digest);
        prop_assert_eq!(run(&mut again, &after), replies);
        prop_assert_eq!(again.digest(), machine.digest());
    }

    /// Broken: a read without a command would answer otherwise than the command, or a write would be
    /// taken for a read.
    #[test]
    fn a_query_is_the_reply_to_a_command_that_changes_nothing(commands in commands()) {
        let mut machine = Typed::<Texts>::default();
        for command in commands {
            let payload = encode_command::<Texts>(&command);
            let told = machine.query(&payload);
            prop_assert_eq!(told.is_some(), matches!(command, Command::Read(_)));
            let reply = machine.apply(&payload);
            prop_assert!(told.is_none_or(|told| told == reply));
            prop_assert_eq!(machine.query(b"\xff"), None);
        }
    }

    /// Broken: bytes of a stranger would panic a proposer, or pass for a command.
    #[test]
    fn what_is_no_command_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let conflicts = TypedConflicts::<Texts>::default();
        if conflicts.footprint(&bytes).is_ok() {
            Typed::<Texts>::default().apply(&bytes);
        }
        let mut long = encode_command::<Texts>(&Command::Read("a".into())).to_vec();
        long.extend(&bytes);
        prop_assert_eq!(conflicts.footprint(&long).is_ok(), bytes.is_empty());
    }
}

/// Broken: different states would pass for equal, and a divergence would go unseen.
#[test]
fn digests_tell_states_apart() {
    let mut machine = Typed::<Texts>::default();
    let empty = machine.digest();
    let write = |text: &str| Command::Write("a".into(), text.into());
    let replies = run(&mut machine, &[write("1"), write("2")]);
    assert_eq!(decode_reply::<Texts>(&replies[1]).unwrap(), Some("1".to_owned()));
    let two = machine.digest();
    assert_ne!(two, empty);
    run(&mut machine, &[write("1")]);
    assert_ne!(machine.digest(), two);
}

/// Broken: a piece would not fit into a message, or a damaged snapshot would be taken for another state.
#[test]
fn a_large_state_is_cut_and_a_damaged_one_refused() {
    let mut machine = Typed::<Texts>::default();
    run(&mut machine, &[Command::Write("a".into(), "x".repeat(PIECE_LEN_MAX + 1))]);
    let pieces: Vec<Bytes> = machine.snapshot().collect();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_LEN_MAX));
    let some = |pieces: Vec<Bytes>| restored(Box::new(pieces.into_iter()));
    assert_eq!(some(pieces.clone()).unwrap().digest(), machine.digest());
    assert!(some(pieces[..1].to_vec()).is_err());
    let more = [pieces, vec![Bytes::from_static(b"x")]].concat();
    assert!(some(more).unwrap_err().0.contains("more than one"));
}
