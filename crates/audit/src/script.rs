//! One case: the commands drawn, as payloads with their footprints.

use crate::limits::{DRAWN_FOR_ONE, KINDS_LEFT_OUT_OF, REPEATED_PERCENT};
use crate::subject::Subject;
use althing_model::Footprint;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is drawn for a case.
#[derive(Debug, Clone)]
pub(crate) struct Drawn<C> {
    /// Executed first, in this order, always.
    pub(crate) setup: Vec<C>,
    /// Executed in several orders.
    pub(crate) commands: Vec<C>,
    /// After how many of the commands a snapshot is taken.
    pub(crate) cut: Index,
    /// Two commands as the strategy draws them, with no kind left out and none repeated: of these
    /// it is counted how often they conflict.
    pub(crate) sample: Option<(C, C)>,
}

impl<C> Drawn<C> {
    /// Counted through the setup and the commands.
    pub(crate) fn nth(&self, at: usize) -> &C {
        self.setup.get(at).unwrap_or_else(|| &self.commands[at - self.setup.len()])
    }
}

/// Draws cases of up to `len_max` commands.
///
/// Most leave kinds of commands out, at random: of three commands that must come together a case of
/// few kinds has them far more often than one of all (swarm testing: Groce et al., ISSTA '12).
pub(crate) fn drawn<C: std::fmt::Debug + Clone + 'static>(
    setup: BoxedStrategy<Vec<C>>,
    command: BoxedStrategy<C>,
    kind: impl Fn(&C) -> String,
    len_max: usize,
) -> impl Strategy<Value = Drawn<C>> {
    let is_repeated = f64::from(REPEATED_PERCENT) / 100.0;
    let command = (command, option::weighted(is_repeated, any::<Index>()));
    let commands = vec(command, 1..=len_max * DRAWN_FOR_ONE);
    let out_of = select(&KINDS_LEFT_OUT_OF[..]).no_shrink();
    let salt = any::<u64>().no_shrink();
    (setup, commands, any::<Index>(), out_of, salt).prop_map(
        move |(setup, drawn, cut, out_of, salt)| {
            let sample = match &drawn[..] {
                [(a, _), (b, _), ..] => Some((a.clone(), b.clone())),
                _ => None,
            };
            // The first kind is always in, so that no case is empty.
            let first = kind(&drawn[0].0);
            let is_in = |it: &String| *it == first || digest(it, salt).is_multiple_of(out_of);
            let mut commands: Vec<C> = Vec::with_capacity(len_max);
            for (command, repeats) in drawn {
                match repeats.filter(|_| !commands.is_empty()) {
                    Some(index) => commands.push(index.get(&commands).clone()),
                    None if is_in(&kind(&command)) => commands.push(command),
                    None => {}
                }
                if commands.len() == len_max {
                    break;
                }
            }
            Drawn { setup, commands, cut, sample }
        },
    )
}

/// A number for a kind, another one for each salt.
fn digest(kind: &str, salt: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, salt).hash(&mut hasher);
    hasher.finish()
}

/// A case as the machine and the conflict function see it. Commands are numbered from 0; those that
/// the conflict function refused are left out, as a proposer would refuse them.
pub(crate) struct Script {
    pub(crate) setup: Vec<Bytes>,
    pub(crate) commands: Vec<Bytes>,
    pub(crate) footprints: Vec<Footprint>,
    /// Which command of the drawn ones each is.
    pub(crate) drawn_at: Vec<usize>,
    /// After how many of the commands a snapshot is taken.
    pub(crate) cut: usize,
    /// Which were left out, counted through the drawn setup and the drawn commands.
    pub(crate) refused: Vec<usize>,
}

impl Script {
    pub(crate) fn new<C>(
        drawn: &Drawn<C>,
        subject: &Subject,
        encode: impl Fn(&C) -> Bytes,
    ) -> Self {
        let mut script = Self {
            setup: Vec::new(),
            commands: Vec::new(),
            footprints: Vec::new(),
            drawn_at: Vec::new(),
            cut: 0,
            refused: Vec::new(),
        };
        for at in 0..drawn.setup.len() + drawn.commands.len() {
            let payload = encode(drawn.nth(at));
            let Ok(footprint) = subject.conflicts.footprint(&payload) else {
                script.refused.push(at);
                continue;
            };
            match at.checked_sub(drawn.setup.len()) {
                None => script.setup.push(payload),
                Some(at) => {
                    script.commands.push(payload);
                    script.footprints.push(footprint);
                    script.drawn_at.push(at);
                }
            }
        }
        script.cut = drawn.cut.index(script.commands.len() + 1);
        script
    }

    /// The commands in the order in which they were drawn.
    pub(crate) fn order(&self) -> Vec<usize> {
        (0..self.commands.len()).collect()
    }

    /// For each two commands, whether they are said to conflict; asked in one direction.
    pub(crate) fn conflicts(&self, subject: &Subject) -> Vec<Vec<bool>> {
        let row = |a: &Footprint| self.footprints.iter().map(|b| subject.conflict(a, b)).collect();
        self.footprints.iter().map(row).collect()
    }
}
