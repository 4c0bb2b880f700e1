//! The tables of the terminal.

use super::figures::{Latency, Totals, bound_ms, p50_over_bound, rounded};
use super::series::{Series, Setting};
use crate::{Results, Run};
use comfy_table::{Cell, CellAlignment, Table, TableComponent, presets};
use std::fmt::Write as _;

/// A table for each run, and one that compares them if there are several.
pub(super) fn text(results: &Results) -> String {
    let mut text = String::new();
    for run in &results.runs {
        let _ = writeln!(text, "\n{}", heading(run));
        let _ = writeln!(text, "{}", of_run(run, results.workload.warm_up_ms));
        let _ = writeln!(text, "{}", verdict(run));
    }
    if results.runs.len() > 1 {
        let _ = writeln!(text, "\nall runs: mean / p99 ms, and the mean over the bound");
        let _ = writeln!(text, "{}", comparison(results));
    }
    text.push_str(
        "\n  bound: round trip to the nearest fast quorum, nothing else; the row of all regions has \
         its mean,\n  and the mean of the ratios, each region as often as it had answers\n",
    );
    text
}

/// What a run was: its title, and what it was put under.
pub(super) fn heading(run: &Run) -> String {
    let mut heading = run.title.clone();
    if let Some(percent) = run.conflict_percent {
        let _ = write!(heading, ", {percent} % conflict");
    }
    let plural = if run.clients == 1 { "" } else { "s" };
    let _ = match run.rate {
        Some(rate) => write!(heading, ", {rate} commands/s a region"),
        None => write!(heading, ", {} client{plural} a region", run.clients),
    };
    heading
}

/// Whether one order explains the history.
pub(super) fn verdict(run: &Run) -> String {
    let verdict = match run.linearizable {
        Some(true) => "✓ linearizable",
        Some(false) => "✗ NOT LINEARIZABLE",
        None => "? no verdict on linearizability",
    };
    let unanswered: u64 = run.regions.iter().map(|region| region.unanswered).sum();
    match unanswered {
        0 => format!("  {verdict}"),
        _ => format!("  {verdict}; {unanswered} commands ended without an answer"),
    }
}

/// The header of a run's table, above and below.
pub(super) const HEADER: [(&str, &str); 11] = [
    ("", "region"),
    ("", "ops"),
    ("mean", "ms"),
    ("p50", "ms"),
    ("p95", "ms"),
    ("p99", "ms"),
    ("p99.9", "ms"),
    ("max", "ms"),
    ("bound", "ms"),
    ("p50 over", "bound"),
    ("fast", "path"),
];

/// The rows of a run's table: a row for each region, and one for all.
pub(super) fn rows(run: &Run, warm_up_ms: u64) -> Vec<[String; 11]> {
    let row = |name: &str, ops, latency: Option<Latency>, rest: [String; 3]| {
        let figure = |of: fn(&Latency) -> f64| latency.as_ref().map_or_else(none, |l| tenth(of(l)));
        let [bound, ratio, fast] = rest;
        [
            name.to_owned(),
            u64::to_string(&ops),
            figure(|latency| latency.mean_ms),
            figure(|latency| latency.p50_ms),
            figure(|latency| latency.p95_ms),
            figure(|latency| latency.p99_ms),
            figure(|latency| latency.p999_ms),
            figure(|latency| latency.max_ms),
            bound,
            ratio,
            fast,
        ]
    };
    let mut rows: Vec<_> = (run.regions.iter())
        .map(|region| {
            let rest = [
                bound_ms(region).map_or_else(none, tenth),
                ratio(p50_over_bound(region)),
                percent(region.fast_share),
            ];
            row(&region.name, region.latency.len(), Latency::of(&region.latency), rest)
        })
        .collect();
    let totals = Totals::of(run, warm_up_ms);
    let rest = [
        totals.bound_mean_ms.map_or_else(none, tenth),
        ratio(totals.p50_over_bound),
        percent(totals.fast_share),
    ];
    rows.push(row("all regions", totals.ops, totals.latency, rest));
    rows
}

/// The table of all runs: the header, then a row for each protocol with a cell for each setting:
/// mean, p99, and the mean over the bound.
pub(super) fn compared(results: &Results) -> (Vec<String>, Vec<Vec<String>>) {
    let settings = Setting::all(results);
    let title = |setting: &Setting| match setting.title(results) {
        title if title.is_empty() => "mean / p99".to_owned(),
        title => title,
    };
    let header = ["protocol".to_owned()].into_iter().chain(settings.iter().map(title)).collect();
    let row = |series: Series<'_>| {
        let cell = |setting: &Setting| match series.under(*setting, results) {
            None => String::new(),
            Some(run) => {
                let totals = Totals::of(run, results.workload.warm_up_ms);
                let Some(latency) = totals.latency else { return none() };
                let mark = if run.linearizable == Some(false) { " ✗" } else { "" };
                let over = ratio(totals.mean_over_bound());
                format!("{} / {}  ×{over}{mark}", tenth(latency.mean_ms), tenth(latency.p99_ms))
            }
        };
        [series.title.to_owned()].into_iter().chain(settings.iter().map(cell)).collect()
    };
    (header, Series::all(results).into_iter().map(row).collect())
}

fn of_run(run: &Run, warm_up_ms: u64) -> Table {
    let header = HEADER.map(|(above, below)| format!("{above}\n{below}"));
    table(header, rows(run, warm_up_ms))
}

fn comparison(results: &Results) -> Table {
    let (header, rows) = compared(results);
    table(header, rows)
}

/// An empty table with a line above, one under the header and one below; none between rows.
pub fn ruled() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    for between in [
        TableComponent::HorizontalLines,
        TableComponent::LeftBorderIntersections,
        TableComponent::MiddleIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(between);
    }
    table
}

fn table(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> Table {
    let mut table = ruled();
    table.set_header(header);
    for row in rows {
        table.add_row(row.into_iter().map(Cell::new));
    }
    let columns = table.column_iter_mut().skip(1);
    columns.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

fn none() -> String {
    "–".to_owned()
}

fn tenth(value: f64) -> String {
    format!("{value:.1}")
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(none, |value| format!("{value:.2}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(none, |share| format!("{:.1} %", rounded(100.0 * share)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::figures::ms;
    use crate::output::sample;

    /// Broken: a figure stands under another's name, or a region has no row.
    #[test]
    fn rows_have_the_figures_of_their_regions() {
        let results = sample::sweep(&[10.0]);
        let run = &results.runs[0];
        let rows = rows(run, 0);
        assert_eq!(rows.len(), run.regions.len() + 1);
        for (row, region) in rows.iter().zip(&run.regions) {
            let at = |quantile| tenth(ms(region.latency.value_at_quantile(quantile)));
            assert_eq!(row[0], region.name);
            assert_eq!(row[1], region.latency.len().to_string());
            assert_eq!(row[2], tenth(region.latency.mean() / 1e3));
            assert_eq!([&row[3], &row[4], &row[5]], [&at(0.5), &at(0.95), &at(0.99)]);
            assert_eq!([&row[6], &row[7]], [&at(0.999), &at(1.0)]);
            assert_eq!(row[8], tenth(ms(region.bound_us)));
        }
        let all = run.latency();
        assert_eq!(rows[5][0], "all regions");
        assert_eq!(rows[5][2], tenth(all.mean() / 1e3));
    }

    /// Broken: one run is compared with nothing, or a protocol or a conflict rate is left out.
    #[test]
    fn several_runs_are_compared() {
        let one = Results { runs: sample::sweep(&[2.0]).runs[..1].to_vec(), ..sample::sweep(&[]) };
        assert!(!text(&one).contains("all runs"));
        let several = sample::sweep(&[0.0, 50.0]);
        assert!(text(&several).contains("all runs"));
        let (header, rows) = compared(&several);
        assert_eq!(header, ["protocol", "0 % conflict", "50 % conflict"]);
        assert_eq!(rows.len(), 5);
        let last = several.runs.last().unwrap();
        let mean = tenth(last.latency().mean() / 1e3);
        assert!(rows[4][2].starts_with(&format!("{mean} / ")), "{}", rows[4][2]);
    }

    /// Broken: a history that no order explains is shown like one that some order does.
    #[test]
    fn says_whether_linearizable() {
        let mut results = sample::sweep(&[2.0, 50.0]);
        assert!(!text(&results).contains('✗'));
        results.runs[0].linearizable = Some(false);
        results.runs[1].linearizable = None;
        let text = text(&results);
        assert_eq!(text.matches("✗ NOT LINEARIZABLE").count(), 1);
        assert_eq!(text.matches("? no verdict").count(), 1);
        assert!(compared(&results).1[0][1].ends_with('✗'));
    }
}
