//! The smallest bounds, completely; and that the models find what is wrong.

use althing_exhaustive::{Bounds, Exploration, Findings, Flaw, Recoveries, Search};
use althing_model::Path;

fn ci(path: Path) -> Bounds {
    Bounds::named("ci", path).expect("it is a name")
}

#[track_caller]
fn assert_proved(findings: &Findings) {
    for finding in findings.properties.iter().filter(|it| !it.is_met) {
        eprintln!("{}: {:#?}", finding.property, finding.way);
    }
    assert!(findings.is_proved(), "{findings:#?}");
}

/// Broken: with two conflicting commands and a recovery on the fast path there is a behaviour in
/// which agreement or order is lost; or the bounds are so narrow that nothing can be seen.
#[test]
fn fast_path_is_safe_within_the_smallest_bounds() {
    assert_proved(&Exploration::default().run(ci(Path::Fast)));
}

/// Broken: the same on the classic path.
#[test]
fn classic_path_is_safe_within_the_smallest_bounds() {
    assert_proved(&Exploration::default().run(ci(Path::Classic)));
}

/// Broken: the reduced search would leave out behaviours that end in other commits.
#[test]
fn a_reduced_search_finds_every_outcome() {
    for path in [Path::Fast, Path::Classic] {
        let none = Bounds { recoveries: Recoveries::None, ..ci(path) };
        assert_same_outcomes(none, true);
        assert_same_outcomes(Bounds { rival: false, crashes: 1, ..none }, false);
    }
    // On the classic path that takes ten times as many states: too many for a test.
    assert_same_outcomes(Bounds { rival: false, ..ci(Path::Fast) }, false);
}

/// Compares the reduced search with the full one, in which outcomes are heard of or not.
#[track_caller]
fn assert_same_outcomes(bounds: Bounds, outcomes: bool) {
    let find = |search, outcomes| {
        let exploration = Exploration { search, ..Exploration::default() };
        let findings = exploration.run(Bounds { outcomes, ..bounds });
        assert!(findings.is_complete, "{findings:?}");
        findings.largest_commits
    };
    let reduced = find(Search::Reduced, false);
    assert!(reduced.len() > 1, "{reduced:?}");
    assert_eq!(reduced, find(Search::Reduced, true), "{bounds}");
    assert_eq!(reduced, find(Search::Full, outcomes), "{bounds}");
}

/// Broken: a model that finds nothing wrong where nodes forget what they promised.
#[test]
fn a_forgetful_disk_is_found() {
    for path in [Path::Fast, Path::Classic] {
        let flaw = Some(Flaw::ForgetfulDisk);
        let findings =
            Exploration::default().run(Bounds { crashes: 1, outcomes: false, flaw, ..ci(path) });
        let violated = findings.properties.iter().find(|it| it.is_safety && !it.is_met);
        let violated = violated.expect("votes and promises are forgotten");
        assert!(violated.way.iter().any(|step| step.contains("crashes")), "{violated:#?}");
    }
}
