//! The only entropy that a role has: a seed given at its construction.

/// A stream of numbers from a seed, for randomised time-outs and back-off: equal seeds give equal
/// streams, so that a simulated run repeats. Not for secrets.
///
/// SplitMix64 (Steele et al., *Fast Splittable Pseudorandom Number Generators*, OOPSLA '14).
#[derive(Debug, Clone)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number from `base` / 2 up to `base` * 3/2 (exclusive); 0 stays 0.
    pub fn around(&mut self, base: u64) -> u64 {
        if base == 0 {
            return 0;
        }
        base / 2 + self.next() % base
    }

    /// A number below `end`; 0 for 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream_within_its_range() {
        let (mut a, mut b) = (Jitter::new(7), Jitter::new(7));
        for _ in 0..100 {
            let drawn = a.around(1000);
            assert_eq!(drawn, b.around(1000));
            assert!((500..1500).contains(&drawn));
        }
        assert_eq!(a.around(0), 0);
        let drawn: std::collections::BTreeSet<usize> = (0..100).map(|_| a.below(4)).collect();
        assert_eq!(drawn, (0..4).collect());
        assert_eq!(a.below(0), 0);
    }
}
