//! What is lost when each region fails, for people.

use super::text::{WIDTH, change_ms, lines, ms, table};
use super::{name, title};
use althing_planet::{Placement, Protocol, Question, WithoutRegion};
use std::fmt::Write as _;

pub(super) fn of(question: &Question, protocol: Protocol, placement: &Placement) -> String {
    let all = question.without(placement);
    let mut text = format!("{}\n", intact(question, &all[0]));
    let _ = writeln!(text, "{}", means(question, protocol, placement, &all));
    let leads = "* its leader is gone: nobody's commands are committed until another is elected. How \
                 long that takes is a matter of time-outs, and not predicted; the mean is of after.";
    let _ = writeln!(text, "{}\n", lines("  ", leads));
    let _ = writeln!(
        text,
        "{}",
        lines(
            "",
            &format!(
                "Each client region under {} while a region is gone; \"now\" is with all of them.",
                name(protocol)
            )
        )
    );
    text + &each_region(question, protocol, placement, &all)
}

/// What the loss of any one region leaves: the same for each, as each has one node.
fn intact(question: &Question, one: &WithoutRegion) -> String {
    let recovery = match (one.is_recoverable(), one.spare()) {
        (false, _) => "too many, what it left behind stays until it is back".to_owned(),
        (true, 0) => "it works, but not if another fails too".to_owned(),
        (true, 1) => "it works, even if one more fails".to_owned(),
        (true, spare) => format!("it works, even if {spare} more fail"),
    };
    let fast = match one.alive - one.fast_quorum {
        0 => "all of them".to_owned(),
        _ => format!("{} of them", one.fast_quorum),
    };
    lines(
        "",
        &format!(
            "When a region is gone: {} nodes are left. Recovery of what the failed one left behind \
             takes {} (n - f): {recovery}. The fast path takes {fast}. Clients of the region go to the \
             next nearest node. The first commands after it wait for a time-out as well. Means:",
            one.alive,
            question.n() - question.f(),
        ),
    )
}

/// The column of what changes most.
const LAST: usize = 6;

fn means(
    question: &Question,
    protocol: Protocol,
    placement: &Placement,
    all: &[WithoutRegion],
) -> comfy_table::Table {
    let protocols = || Protocol::ALL.into_iter().filter(|it| *it != Protocol::Bound);
    let header =
        ["\ngone".to_owned()].into_iter().chain(protocols().map(|it| title(it).to_owned()));
    let changes = format!("changes most,\n{}", protocol.name().replace('-', " "));
    // Beside the leaders' there is room for a mark.
    let marked = |protocol: Protocol, is_marked| match (protocol.has_leader(), is_marked) {
        (true, true) => " *",
        (true, false) => "  ",
        (false, _) => "",
    };
    let now = protocols().map(|it| ms(question.predict(placement, it).mean_us) + marked(it, false));
    let now = ["none".to_owned()].into_iter().chain(now).chain([String::new()]).collect();
    let rows = all.iter().map(|without| {
        let means = protocols().map(|it| {
            let failure = without.of(it);
            ms(failure.prediction.mean_us) + marked(it, failure.fails_over)
        });
        let most = without.of(protocol).changes_most();
        let most = most.map(|(region, us)| format!("{region} {}", change_ms(us)));
        [without.region.name().to_owned()]
            .into_iter()
            .chain(means)
            .chain([most.unwrap_or_else(|| "nothing".to_owned())])
            .collect()
    });
    table(header.chain([changes]).collect(), [now].into_iter().chain(rows).collect(), 1, Some(LAST))
}

const CLIENTS_IN: &str = "clients in";

/// Spaces between two columns.
const BETWEEN: usize = 3;

/// A column for each region that is gone, in as many tables as it takes.
fn each_region(
    question: &Question,
    protocol: Protocol,
    placement: &Placement,
    all: &[WithoutRegion],
) -> String {
    let now = question.predict(placement, protocol);
    let names = now.regions.iter().map(|it| it.region.name().len());
    let room =
        usize::from(WIDTH) - names.max().unwrap_or_default().max(CLIENTS_IN.len()) - BETWEEN - 8;
    let mut text = String::new();
    let mut rest = all;
    while !rest.is_empty() {
        let mut len = 0;
        let fits = rest.iter().take_while(|it| {
            let lines = broken(it.region.name());
            len +=
                lines.lines().map(str::len).max().unwrap_or_default().max("100.0".len()) + BETWEEN;
            len <= room
        });
        let (shown, more) = rest.split_at(fits.count().max(1));
        let gone = shown.iter().map(|it| format!("no\n{}", broken(it.region.name())));
        let header = [CLIENTS_IN.to_owned(), "now".to_owned()].into_iter().chain(gone);
        let rows = now.regions.iter().enumerate().map(|(at, region)| {
            let after = shown.iter().map(|it| {
                let failure = it.of(protocol);
                match failure.changes_us[at] {
                    0 => "·".to_owned(),
                    _ => ms(failure.prediction.regions[at].latency_us),
                }
            });
            let cells = [region.region.name().to_owned(), ms(region.latency_us)];
            cells.into_iter().chain(after).collect()
        });
        let _ = writeln!(text, "{}", table(header.collect(), rows.collect(), 1, None));
        rest = more;
    }
    text
}

/// A name in narrow lines; a number at its end stays with the word before it.
fn broken(name: &str) -> String {
    let mut text = String::new();
    for part in name.split_inclusive('-') {
        let is_word = part.len() > "1-".len();
        if is_word && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: the heads of columns are wider than they need be, or lose a part of the name.
    #[test]
    fn names_are_broken_before_words() {
        assert_eq!(broken("ap-southeast-1"), "ap-\nsoutheast-1");
        assert_eq!(broken("northamerica-northeast1"), "northamerica-\nnortheast1");
        assert_eq!(broken("oslo"), "oslo");
    }
}
