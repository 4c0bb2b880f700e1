//! Quorum systems that would help, for people.

use super::text::{change_ms, lines, ms, table};
use althing_planet::{Placement, Prediction, Question, SYSTEM_NODES_MAX, System};

pub(super) fn of(question: &Question, placement: &Placement) -> String {
    let Some(systems) = question.systems(placement) else {
        let what = format!(
            "Quorum systems are checked set by set, up to {SYSTEM_NODES_MAX} nodes; not for {}.\n",
            question.n()
        );
        return lines("", &what) + "\n";
    };
    let current = systems.iter().find(|it| it.is_current).expect("f is in its range");
    let header = [
        "\nquorum system",
        "fast\nmean",
        "to\nnow",
        "classic\nmean",
        "to\nnow",
        "survives: fast,\ncommit, recovery",
        "\nengine",
    ];
    let rows = systems.iter().map(|system| row(system, current));
    let table = table(header.map(str::to_owned).to_vec(), rows.collect(), 1, Some(0));
    let head = "Quorum systems on this placement, means over its clients, and after how many failures, \
                wherever they are, each still works: the fast path of every node left, new commits, \
                recovery of what the failed left behind. q1, q2: nodes of phase 1 and phase 2.";
    let foot = "Even: dependencies from a majority of all nodes or of all but one. Grid: phase 1 is a \
                row, phase 2 a column, dependencies a row and a column. The engine runs the sizes of f = 1 and above today (f decides them); all others are \
                predicted only. Every system was checked for the intersections that it needs.";
    format!(
        "{}\n{table}\n{}\n{}\n",
        lines("", head),
        lines("  ", &helps(&systems, current)),
        lines("  ", foot)
    )
}

fn row(system: &System, current: &System) -> Vec<String> {
    let change = |now: &Prediction, was: &Prediction| match gain(now, was) {
        _ if system.is_current => "now".to_owned(),
        0 => "same".to_owned(),
        us => change_ms(us),
    };
    let fast = system.fast.as_ref().zip(current.fast.as_ref());
    let (fast_mean, fast_change) = match fast {
        Some((now, was)) => (ms(now.mean_us), change(now, was)),
        None => ("none".to_owned(), String::new()),
    };
    let survives = system.survives;
    vec![
        system.kind.to_string(),
        fast_mean,
        fast_change,
        ms(system.classic.mean_us),
        change(&system.classic, &current.classic),
        format!("{}, {}, {}", survives.fast, survives.commit, survives.recovery),
        if system.runs_today { "runs" } else { "predicted" }.to_owned(),
    ]
}

/// What is added to the mean, in microseconds; below zero it helps.
fn gain(now: &Prediction, was: &Prediction) -> i64 {
    now.mean_us as i64 - was.mean_us as i64
}

const COMMITS: &str = "commits";

/// Which systems lower a mean, and what they cost.
fn helps(systems: &[System], current: &System) -> String {
    let was = current.survives;
    let helping = systems.iter().filter_map(|system| {
        let fast = system.fast.as_ref().zip(current.fast.as_ref());
        let fast = fast.map(|(now, was)| gain(now, was)).filter(|us| *us < 0);
        let classic = Some(gain(&system.classic, &current.classic)).filter(|us| *us < 0);
        let gains: Vec<String> = [("fast", fast), ("classic", classic)]
            .into_iter()
            .filter_map(|(path, us)| us.map(|us| format!("{path} {}", change_ms(us))))
            .collect();
        if gains.is_empty() {
            return None;
        }
        let it = system.survives;
        let costs = [
            ("the fast path", was.fast, it.fast),
            (COMMITS, was.commit, it.commit),
            ("recovery", was.recovery, it.recovery),
        ];
        let costs: Vec<String> = costs
            .into_iter()
            .filter(|(_, was, now)| now < was)
            .map(|(what, was, now)| {
                format!(
                    "{what} survive{} {now} instead of {was}",
                    if what == COMMITS { "" } else { "s" }
                )
            })
            .collect();
        let costs = match costs.is_empty() {
            true => "costs no fault tolerance".to_owned(),
            false => costs.join(", "),
        };
        Some(format!("{} ({}; {costs})", system.kind, gains.join(", ")))
    });
    let helping: Vec<String> = helping.collect();
    match helping.is_empty() {
        true => "None of them would lower a mean here.".to_owned(),
        false => format!("Lower than now: {}.", helping.join("; ")),
    }
}
