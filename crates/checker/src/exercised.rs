//! Exercised: a run did what it claims.
//!
//! Not a property of what is tested but of the test: a run that drew crashes and had none, or whose
//! clients did next to nothing, proves nothing when it is green. Such a run is *invalid*, which is
//! neither green nor a violation.

/// What a run drew, and what came of it.
#[derive(Debug, Clone, Default)]
pub struct Exercised {
    missing: Vec<String>,
}

impl Exercised {
    /// Nothing claimed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// If it was drawn it must have fired.
    pub fn fired(&mut self, name: &str, is_drawn: bool, count: u64) -> &mut Self {
        if is_drawn && count == 0 {
            self.missing.push(format!("{name}: drawn, and never fired"));
        }
        self
    }

    /// It was not drawn, so it must not have fired: else the draw means nothing.
    pub fn idle(&mut self, name: &str, is_drawn: bool, count: u64) -> &mut Self {
        if !is_drawn && count > 0 {
            self.missing.push(format!("{name}: not drawn, and fired {count} times"));
        }
        self
    }

    /// Of so many at least this part, in thousandths: operations that were done of those begun.
    pub fn at_least(&mut self, name: &str, count: u64, of: u64, permille: u64) -> &mut Self {
        if u128::from(count) * 1000 < u128::from(of) * u128::from(permille) || of == 0 {
            self.missing
                .push(format!("{name}: {count} of {of}, and it takes {permille} per mille"));
        }
        self
    }

    /// What did not happen; empty for a valid run.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A harness that switches its faults on and then injects none would pass for green.
    #[test]
    fn what_was_drawn_and_did_not_happen_is_named() {
        let mut run = Exercised::new();
        run.fired("crashes", true, 3).fired("cuts", false, 0).at_least("done", 900, 1000, 900);
        run.idle("cuts", false, 0).idle("crashes", true, 3);
        assert!(run.missing().is_empty());
        run.fired("torn writes", true, 0);
        run.idle("pauses", false, 2);
        run.at_least("done", 899, 1000, 900).at_least("done", 0, 0, 900);
        let missing = run.missing().join("; ");
        assert_eq!(run.missing().len(), 4);
        for part in ["torn writes: drawn", "pauses: not drawn", "899 of 1000", "0 of 0"] {
            assert!(missing.contains(part), "{missing}");
        }
    }
}
