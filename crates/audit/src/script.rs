//! One case: the commands drawn, as payloads with their footprints.

use crate::limits::REPEATED_PERCENT;
use crate::subject::Subject;
use althing_model::Footprint;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

/// What is drawn for a case.
#[derive(Debug, Clone)]
pub(crate) struct Drawn<C> {
    /// Executed first, in this order, always.
    pub(crate) setup: Vec<C>,
    /// Executed in several orders.
    pub(crate) commands: Vec<C>,
    /// Which of them repeat an earlier one.
    pub(crate) is_repeated: Vec<bool>,
    /// After how many of the commands a snapshot is taken.
    pub(crate) cut: Index,
}

impl<C> Drawn<C> {
    /// Counted through the setup and the commands.
    pub(crate) fn nth(&self, at: usize) -> &C {
        self.setup.get(at).unwrap_or_else(|| &self.commands[at - self.setup.len()])
    }
}

/// Draws cases.
pub(crate) fn drawn<C: std::fmt::Debug + Clone + 'static>(
    setup: BoxedStrategy<Vec<C>>,
    command: BoxedStrategy<C>,
    len_max: usize,
) -> impl Strategy<Value = Drawn<C>> {
    let is_repeated = f64::from(REPEATED_PERCENT) / 100.0;
    let command = (command, option::weighted(is_repeated, any::<Index>()));
    (setup, vec(command, 1..=len_max), any::<Index>()).prop_map(|(setup, drawn, cut)| {
        let mut commands: Vec<C> = Vec::with_capacity(drawn.len());
        let mut is_repeated = Vec::with_capacity(drawn.len());
        for (command, repeats) in drawn {
            let earlier = repeats.filter(|_| !commands.is_empty());
            is_repeated.push(earlier.is_some());
            commands.push(match earlier {
                Some(index) => index.get(&commands).clone(),
                None => command,
            });
        }
        Drawn { setup, commands, is_repeated, cut }
    })
}

/// A case as the machine and the conflict function see it. Commands are numbered from 0; those that
/// the conflict function refused are left out, as a proposer would refuse them.
pub(crate) struct Script {
    pub(crate) setup: Vec<Bytes>,
    pub(crate) commands: Vec<Bytes>,
    pub(crate) footprints: Vec<Footprint>,
    pub(crate) is_repeated: Vec<bool>,
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
            is_repeated: Vec::new(),
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
                    script.is_repeated.push(drawn.is_repeated[at]);
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
