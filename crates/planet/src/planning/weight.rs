//! How much a client region counts.

use super::error::PlanError;
use std::fmt;
use std::str::FromStr;

/// The greatest weight.
pub(super) const WEIGHT_MAX: u64 = 1_000_000;

/// A client region's share of the commands, relative to the others': positive, in thousandths, so
/// that sums and comparisons are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u64);

impl Weight {
    /// What a region counts where nothing is said.
    pub const ONE: Weight = Weight(1000);

    /// The weight in thousandths.
    pub fn thousandths(self) -> u64 {
        self.0
    }
}

impl FromStr for Weight {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = !whole.is_empty() && digits(whole);
        let is_exact = !decimals.is_empty() && digits(decimals) && decimals.len() <= 3;
        (is_number && is_exact)
            .then(|| format!("{whole}{decimals:0<3}").parse().ok())
            .flatten()
            .filter(|thousandths| (1..=WEIGHT_MAX * 1000).contains(thousandths))
            .map(Weight)
            .ok_or_else(|| PlanError::Weight { found: text.to_owned() })
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a weight counts for more or less than it says, or nonsense counts for something.
    #[test]
    fn weights_are_exact_and_positive() {
        for (text, thousandths, written) in [
            ("1", 1000, "1"),
            ("0.3", 300, "0.3"),
            ("2.50", 2500, "2.5"),
            ("0.001", 1, "0.001"),
            ("1000000", 1_000_000_000, "1000000"),
        ] {
            let weight: Weight = text.parse().unwrap();
            assert_eq!((weight.thousandths(), weight.to_string().as_str()), (thousandths, written));
        }
        for wrong in
            ["", "0", "0.000", "-1", "+1", "1e3", ".5", "1.", "0.0001", "inf", "1000000.001", "x"]
        {
            let error = wrong.parse::<Weight>().unwrap_err();
            assert!(error.to_string().starts_with("a weight is a number above 0"), "{wrong}");
        }
        assert!("99999999999999999999999".parse::<Weight>().is_err());
    }
}
