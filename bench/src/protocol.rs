//! The protocols that a workload can be run under, by the names that they are asked for.

use crate::BenchError;
use std::fmt;

/// A protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Althing's fast path, as it is.
    Fast,
    /// The Atlas rule: Althing's fast path without what was added to it.
    Atlas,
    /// Althing's classic path.
    Classic,
    /// Multi-Paxos with a stable leader, and phase-2 quorums of `f + 1`.
    Leader {
        /// Where the leader is at first.
        region: String,
    },
    /// Multi-Paxos with a stable leader, and majorities.
    LeaderMajority {
        /// Where the leader is at first.
        region: String,
    },
    /// The fast rule of EPaxos: equal answers.
    Epaxos,
    /// No protocol: the round trip to the nearest fast quorum.
    Bound,
}

/// The names without a region.
const NAMES: [&str; 7] =
    ["fast", "atlas", "classic", "leader", "leader-majority", "epaxos", "bound"];

impl Protocol {
    /// The protocols that a name stands for: `leader` for one with its leader in each of `regions`,
    /// all others for themselves.
    ///
    /// # Errors
    /// An unknown protocol, or a leader where there is no node.
    pub fn named(name: &str, regions: &[String]) -> Result<Vec<Self>, BenchError> {
        let (kind, region) = match name.split_once(':') {
            Some((kind, region)) => (kind, Some(region)),
            None => (name, None),
        };
        let led = |make: fn(String) -> Self| match region {
            None => Ok(regions.iter().cloned().map(make).collect()),
            Some(region) if regions.iter().any(|it| it == region) => Ok(vec![make(region.into())]),
            Some(region) => Err(no_node(name, region, regions)),
        };
        match (kind, region) {
            ("leader", _) => led(|region| Self::Leader { region }),
            ("leader-majority", _) => led(|region| Self::LeaderMajority { region }),
            ("fast", None) => Ok(vec![Self::Fast]),
            ("atlas", None) => Ok(vec![Self::Atlas]),
            ("classic", None) => Ok(vec![Self::Classic]),
            ("epaxos", None) => Ok(vec![Self::Epaxos]),
            ("bound", None) => Ok(vec![Self::Bound]),
            _ => Err(BenchError::UnknownProtocol {
                name: name.into(),
                nearest: nearest(kind, NAMES).into(),
                all: format!("{}; leader:REGION, leader-majority:REGION", NAMES.join(", ")),
            }),
        }
    }

    /// What a person calls it.
    pub fn title(&self, f: usize) -> String {
        match self {
            Self::Fast => format!("Althing, fast path, f = {f}"),
            Self::Atlas => format!("Atlas rule, f = {f}"),
            Self::Classic => format!("Althing, classic path, f = {f}"),
            Self::Leader { region } => format!("Multi-Paxos, leader in {region}, f = {f}"),
            Self::LeaderMajority { region } => {
                format!("Multi-Paxos, leader in {region}, majorities")
            }
            Self::Epaxos => "EPaxos rule (failure-free)".into(),
            Self::Bound => format!("Bound: nearest fast quorum, f = {f}"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fast => to.write_str("fast"),
            Self::Atlas => to.write_str("atlas"),
            Self::Classic => to.write_str("classic"),
            Self::Leader { region } => write!(to, "leader:{region}"),
            Self::LeaderMajority { region } => write!(to, "leader-majority:{region}"),
            Self::Epaxos => to.write_str("epaxos"),
            Self::Bound => to.write_str("bound"),
        }
    }
}

/// No node stands in `region`, as `protocol` says it does.
pub(crate) fn no_node(protocol: &str, region: &str, regions: &[String]) -> BenchError {
    BenchError::NoNodeIn {
        protocol: protocol.into(),
        region: region.into(),
        nearest: nearest(region, regions.iter().map(String::as_str)).into(),
        all: regions.join(", "),
    }
}

/// The candidate that takes the fewest edits to get to; the first of several.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> &'a str {
    let distance = |candidate: &&str| strsim::damerau_levenshtein(name, candidate);
    candidates.into_iter().min_by_key(distance).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> Vec<String> {
        ["ca-central-1", "eu-west-1"].map(String::from).into()
    }

    /// Broken: results could not be asked for again by the name that they stand under.
    #[test]
    fn names_lead_back() {
        for name in NAMES.into_iter().chain(["leader:eu-west-1", "leader-majority:ca-central-1"]) {
            for protocol in Protocol::named(name, &regions()).unwrap() {
                let again = Protocol::named(&protocol.to_string(), &regions()).unwrap();
                assert_eq!(again, [protocol]);
            }
        }
        assert_eq!(Protocol::named("leader", &regions()).unwrap().len(), 2);
    }

    /// Broken: who mistypes a protocol or a leader's region is left to search.
    #[test]
    fn a_misspelt_name_is_told_the_nearest() {
        let error = Protocol::named("fats", &regions()).unwrap_err().to_string();
        assert!(error.contains("did you mean \"fast\"?"), "{error}");
        let error = Protocol::named("leader:eu-wset-1", &regions()).unwrap_err().to_string();
        assert!(error.contains("did you mean \"eu-west-1\"?"), "{error}");
        assert!(Protocol::named("fast:eu-west-1", &regions()).is_err());
    }
}
