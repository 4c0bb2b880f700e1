//! What was found, for people, in a hundred columns.

use super::{Args, name, systems, title, without};
use althing_bench::output::ruled;
use althing_planet::{By, Method, Placement, Protocol, Question, Region, Search, Weight};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table};
use std::fmt::Write as _;

/// No line is longer.
pub(super) const WIDTH: u16 = 100;

pub(super) fn of(question: &Question, args: &Args, found: &Search) -> String {
    let mut text = format!("\n{}\n{}\n", asked(question, args), ranking(question, args, found));
    let _ = writeln!(text, "{}\n", compared(found));
    for (placement, rank) in found.placements.iter().zip(1..=args.full) {
        let names: Vec<&str> = placement.regions().iter().map(Region::name).collect();
        let _ = writeln!(text, "{}", lines("", &format!("{rank}: {}", names.join(", "))));
        let _ = writeln!(text, "{}", regions(question, placement));
        let _ = writeln!(text, "{}\n", leaders(question, placement));
        let _ = writeln!(text, "{}", without::of(question, args.protocol, placement));
        let _ = writeln!(text, "{}", systems::of(question, placement));
    }
    let _ = writeln!(
        text,
        "{}",
        lines(
            "",
            "Predicted from round trips alone, for commands without conflicts: no processing, no \
             disks, no queues. Under conflicts the fast path of f = 1 still takes one round trip, but \
             a command waits for those that it depends on; EPaxos-like falls back to a second round \
             trip. `althing bench geo --sim` runs what is predicted here."
        )
    );
    text
}

fn asked(question: &Question, args: &Args) -> String {
    let clients: Vec<_> = question.clients().collect();
    let are_equal = clients.iter().all(|(_, weight)| *weight == Weight::ONE);
    let clients = match are_equal && question.clients().map(|it| it.0).eq(question.candidates()) {
        true => "as many clients in each of these".to_owned(),
        false => {
            let named: Vec<String> =
                clients.iter().map(|(region, weight)| format!("{region} {weight}")).collect();
            format!("clients in {}", named.join(", "))
        }
    };
    let by = match args.by {
        By::Mean => "weighted mean",
        By::Worst => "worst client region",
    };
    lines(
        "",
        &format!(
            "Planet {}: {} nodes of which {} may fail, among {} candidates; {clients}. Milliseconds; \
             best is the lowest {by} of {}.",
            question.planet().name(),
            question.n(),
            question.f(),
            question.candidates().len(),
            name(args.protocol),
        ),
    )
}

fn ranking(question: &Question, args: &Args, found: &Search) -> Table {
    let worst = format!("worst,\n{}", args.protocol.name().replace('-', " "));
    let titles = Protocol::ALL.map(|protocol| title(protocol).to_owned());
    let header =
        ["\n#".to_owned(), "\nnodes in".to_owned()].into_iter().chain(titles).chain([worst]);
    let rows = found.placements.iter().zip(1..).map(|(placement, rank)| {
        let names: Vec<&str> = placement.regions().iter().map(Region::name).collect();
        let means = Protocol::ALL.map(|it| ms(question.predict(placement, it).mean_us));
        let worst = ms(question.predict(placement, args.protocol).worst_us);
        [format!("{rank}"), names.join(" ")].into_iter().chain(means).chain([worst]).collect()
    });
    table(header.collect(), rows.collect(), 2, Some(1))
}

fn compared(found: &Search) -> String {
    let all = match found.all {
        Some(all) => all.to_string(),
        None => "more than 10^38".to_owned(),
    };
    match found.method {
        Method::Exhaustive => format!("All {all} placements were compared: there is none better."),
        Method::LocalSearch { starts } => lines(
            "",
            &format!(
                "HEURISTIC: of {all} placements, {} were compared, by best-swap local search from \
                 {starts} starts; there may be better ones. Fewer candidates make it exhaustive (up to \
                 5000000 placements).",
                found.compared
            ),
        ),
    }
}

/// Each client region under each protocol.
fn regions(question: &Question, placement: &Placement) -> Table {
    let predictions = Protocol::ALL.map(|protocol| question.predict(placement, protocol));
    // Where all count the same, their weights tell nothing.
    let first = question.clients().next().map(|it| it.1);
    let are_weighted = question.clients().any(|it| Some(it.1) != first);
    let cells = |region: &str, weight: &str, node: &str, us: [u64; 6]| {
        let weight = are_weighted.then(|| weight.to_owned());
        [region.to_owned(), node.to_owned()].into_iter().chain(weight).chain(us.map(ms)).collect()
    };
    let header = ["\nclients in", "\nnode"].into_iter();
    let header = header.chain(are_weighted.then_some("\nweight")).chain(Protocol::ALL.map(title));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for ((region, weight), at) in question.clients().zip(0..) {
        // That of the fast path, as of every protocol without a leader.
        let node = &predictions[0].regions[at].node;
        let node = if node == region { "its own" } else { node.name() };
        let us = predictions.each_ref().map(|it| it.regions[at].latency_us);
        rows.push(cells(region.name(), &weight.to_string(), node, us));
    }
    let mean = if are_weighted { "weighted mean" } else { "mean" };
    rows.push(cells(mean, "", "", predictions.each_ref().map(|it| it.mean_us)));
    rows.push(cells("worst", "", "", predictions.each_ref().map(|it| it.worst_us)));
    table(header.map(str::to_owned).collect(), rows, 2, Some(1))
}

fn leaders(question: &Question, placement: &Placement) -> String {
    let leader = |protocol| question.predict(placement, protocol).leader.expect("it has one");
    let f_plus_1 = leader(Protocol::Leader);
    let majority = leader(Protocol::LeaderMajority);
    let leaders = match f_plus_1 == majority {
        true => format!("the leader that serves these clients best is {f_plus_1}"),
        false => format!(
            "the leader that serves these clients best is {f_plus_1}, and {majority} with majorities"
        ),
    };
    lines("  ", &format!("leader: Multi-Paxos; {leaders}; clients talk to it directly."))
}

/// A table of at most [`WIDTH`] columns. Its first so many columns are words, the others numbers, and
/// one of them may be broken into lines.
pub(super) fn table(
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    words: usize,
    flexible: Option<usize>,
) -> Table {
    let mut table = ruled();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header.into_iter().map(Cell::new));
    for row in rows {
        table.add_row(row);
    }
    for (column, at) in table.column_iter_mut().zip(0..) {
        if at >= words {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if Some(at) != flexible {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// Words in lines of at most [`WIDTH`] columns.
pub(super) fn lines(indent: &str, words: &str) -> String {
    let mut text = indent.to_owned();
    let mut len = text.len();
    for (at, word) in words.split_whitespace().enumerate() {
        let more = word.chars().count() + usize::from(at > 0);
        if at > 0 && len + more > usize::from(WIDTH) {
            text += "\n";
            text += indent;
            len = indent.len();
        } else if at > 0 {
            text += " ";
            len += 1;
        }
        text += word;
        len += word.chars().count();
    }
    text
}

pub(super) fn ms(us: u64) -> String {
    format!("{:.1}", us as f64 / 1e3)
}

/// With its sign.
pub(super) fn change_ms(us: i64) -> String {
    format!("{:+.1}", us as f64 / 1e3)
}
