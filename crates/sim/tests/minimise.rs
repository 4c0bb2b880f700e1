//! The minimiser, by an application that is wrong on purpose: it says that writes commute.

use althing_model::{
    CommandInvalid, Conflicts, Footprint, Mode, ModeTable, Pieces, StateMachine, Unrestorable,
};
use althing_sim::{Application, Plan, Workload, minimise, run_with};
use bytes::Bytes;
use rand::{Rng, RngExt};
use std::sync::Arc;
use std::time::Duration;

/// One register; a write answers what was there before, whatever the conflict function says.
struct Wrong(ModeTable);

struct Register(u64);

impl StateMachine for Register {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let before = Bytes::copy_from_slice(&self.0.to_be_bytes());
        self.0 = u64::from_be_bytes(payload.try_into().expect("eight bytes"));
        before
    }

    fn digest(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Pieces {
        let number = self.0;
        Box::new(std::iter::once_with(move || Bytes::copy_from_slice(&number.to_be_bytes())))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let piece = pieces.next().ok_or_else(|| Unrestorable("the number is missing".into()))?;
        let number = piece[..].try_into();
        self.0 = u64::from_be_bytes(number.map_err(|_| Unrestorable("no eight bytes".into()))?);
        Ok(())
    }
}

impl Conflicts for Wrong {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, _payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        Ok(Footprint::of([(Bytes::from_static(b"register"), Mode(0))]))
    }
}

fn table() -> ModeTable {
    ModeTable::new(&["write"]).commuting(Mode(0), Mode(0))
}

impl Application for Wrong {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(Self(table()))
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(Register(0))
    }

    fn operation(&self, _: &Workload, _: usize, number: u64, rng: &mut dyn Rng) -> Bytes {
        let number: u64 = number << 32 | u64::from(rng.random::<u32>());
        Bytes::copy_from_slice(&number.to_be_bytes())
    }
}

/// Broken: a failing run of hundreds of operations stays as it is, and nobody can read it; or what is
/// left fails by another property than what it began with.
#[test]
fn two_writes_that_do_not_commute_are_left_of_hundreds() {
    let app = Wrong(table());
    let plan = Plan::draw(40, 300);
    let before = run_with(&plan, &app).expect_err("replicas differ");
    // Two replicas gave different replies: safety, and not only a run without an end.
    assert_eq!(before.violation.property, "ExactlyOnce");
    let mut stages = Vec::new();
    let small = minimise(&plan, &app, Duration::from_secs(60), |progress| {
        if stages.last() != Some(&progress.stage) {
            stages.push(progress.stage);
        }
    })
    .expect("it fails");
    assert_eq!(small.failure.violation.property, before.violation.property);
    // What is left fails each time, and by the same.
    let again = run_with(&small.plan, &app).expect_err("it is a failing run");
    assert_eq!(again.violation, small.failure.violation);
    assert!(small.counted_before.events() > 1_000, "{small}");
    assert!(small.counted.events() <= 50, "{small}\n{}", small.chart(&app));
    assert_eq!(small.counted.faults, 0, "{small}\n{}", small.chart(&app));
    let chart = small.chart(&app);
    assert!(chart.matches("asks").count() <= 4, "{chart}");
    assert!(chart.lines().all(|line| line.chars().count() <= 120), "{chart}");
    assert!(stages.contains(&"messages"), "{stages:?}");
}

/// Broken: a run that is well is reported as one that fails.
#[test]
fn a_run_that_violates_nothing_is_left_alone() {
    let plan = Plan::draw(3, 50);
    let app = plan.builtin.application();
    assert!(minimise(&plan, &*app, Duration::from_secs(5), |_| {}).is_none());
}
