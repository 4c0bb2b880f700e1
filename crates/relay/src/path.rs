//! One direction of a link: what becomes of each datagram that enters it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{Direction, PathSpec};

/// What a handle may change while the relay runs. Each value is read once for each datagram; a
/// change of two values together need not be seen together.
#[derive(Debug)]
pub(crate) struct PathControls {
    delay_us: AtomicU64,
    jitter_us: AtomicU64,
    /// The bits of a double.
    loss: AtomicU64,
    cut: AtomicBool,
    reorder: bool,
}

impl PathControls {
    pub(crate) fn new(spec: &PathSpec) -> PathControls {
        PathControls {
            delay_us: spec.delay_us.into(),
            jitter_us: spec.jitter_us.into(),
            loss: spec.loss.to_bits().into(),
            cut: spec.cut.into(),
            reorder: spec.reorder,
        }
    }

    pub(crate) fn set_delay_us(&self, delay_us: u64) {
        self.delay_us.store(delay_us, Ordering::Relaxed);
    }

    pub(crate) fn set_jitter_us(&self, jitter_us: u64) {
        self.jitter_us.store(jitter_us, Ordering::Relaxed);
    }

    pub(crate) fn set_loss(&self, loss: f64) {
        self.loss.store(loss.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    pub(crate) fn keeps_order(&self) -> bool {
        !self.reorder
    }
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs into the cut.
    Cut,
    /// It is lost.
    Lost,
    /// It is due then, if nothing of the same client is before it.
    Due(Instant),
}

/// Decides fates, from a sequence of its own.
#[derive(Debug)]
pub(crate) struct Path {
    rng: ChaCha8Rng,
}

impl Path {
    /// The path of one direction of the link at this place; each has its own sequence of one seed.
    pub(crate) fn new(seed: u64, link: usize, direction: Direction) -> Path {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((link * Direction::BOTH.len() + direction.index()) as u64);
        Path { rng }
    }

    /// The fate of a datagram that arrived at `now`.
    pub(crate) fn fate(&mut self, controls: &PathControls, now: Instant) -> Fate {
        // Two draws whatever comes of them: the n-th datagram has the same fate however the others
        // were treated.
        let (loss_draw, jitter_draw): (f64, f64) = (self.rng.random(), self.rng.random());
        if controls.is_cut() {
            return Fate::Cut;
        }
        if loss_draw < f64::from_bits(controls.loss.load(Ordering::Relaxed)) {
            return Fate::Lost;
        }
        let delay = Duration::from_micros(controls.delay_us.load(Ordering::Relaxed));
        let jitter = Duration::from_micros(controls.jitter_us.load(Ordering::Relaxed));
        Fate::Due(now + delay + jitter.mul_f64(jitter_draw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(seed: u64, link: usize, loss: f64) -> Vec<bool> {
        let controls = PathControls::new(&PathSpec { loss, ..PathSpec::default() });
        let mut path = Path::new(seed, link, Direction::There);
        let now = Instant::now();
        (0..10_000).map(|_| path.fate(&controls, now) == Fate::Lost).collect()
    }

    #[test]
    fn loss_is_as_frequent_as_asked_and_repeatable() {
        // Broken if a run under loss could not be repeated, or had another loss than it reports.
        let count = |fates: &[bool]| fates.iter().filter(|lost| **lost).count();
        assert_eq!(count(&lost(1, 0, 0.0)), 0);
        assert_eq!(count(&lost(1, 0, 1.0)), 10_000);
        // Ten standard deviations; the sequence is fixed, so this can't fail by chance.
        assert!((2700..3300).contains(&count(&lost(1, 0, 0.3))));
        assert_eq!(lost(1, 0, 0.3), lost(1, 0, 0.3));
        assert_ne!(lost(1, 0, 0.3), lost(2, 0, 0.3));
        assert_ne!(lost(1, 0, 0.3), lost(1, 1, 0.3));
    }

    #[test]
    fn jitter_only_adds_and_spreads() {
        // Broken if jitter could bring a datagram in before the physical delay.
        let spec = PathSpec { delay_us: 1000, jitter_us: 500, ..PathSpec::default() };
        let controls = PathControls::new(&spec);
        let mut path = Path::new(7, 3, Direction::Back);
        let now = Instant::now();
        let mut delays_us: Vec<u128> = (0..10_000)
            .map(|_| match path.fate(&controls, now) {
                Fate::Due(due) => (due - now).as_micros(),
                fate => panic!("{fate:?}"),
            })
            .collect();
        delays_us.sort_unstable();
        assert!(delays_us[0] >= 1000 && delays_us[9999] <= 1500);
        assert!((1240..1260).contains(&delays_us[5000]), "median {}", delays_us[5000]);
    }

    #[test]
    fn controls_take_effect_on_the_next_datagram() {
        // Broken if a scripted fault hit later than it was ordered.
        let controls = PathControls::new(&PathSpec::default());
        let mut path = Path::new(0, 0, Direction::There);
        let now = Instant::now();
        assert_eq!(path.fate(&controls, now), Fate::Due(now));
        controls.set_cut(true);
        assert_eq!(path.fate(&controls, now), Fate::Cut);
        controls.set_cut(false);
        controls.set_loss(1.0);
        assert_eq!(path.fate(&controls, now), Fate::Lost);
        controls.set_loss(0.0);
        controls.set_delay_us(70);
        assert_eq!(path.fate(&controls, now), Fate::Due(now + Duration::from_micros(70)));
    }
}
