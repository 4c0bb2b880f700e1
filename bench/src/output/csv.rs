//! `results.csv`: one row for each run and region.

use super::figures::{Latency, bound_ms, p50_over_bound, rounded};
use super::series::run_names;
use crate::{Mode, Results};
use serde::Serialize;

/// A row; an empty cell is something that there is not.
#[derive(Debug, Serialize)]
struct Row<'a> {
    mode: Mode,
    planet: &'a str,
    /// As in the names of the histogram logs.
    run: &'a str,
    protocol: &'a str,
    title: &'a str,
    f: usize,
    conflict_percent: Option<f64>,
    clients: usize,
    rate: Option<f64>,
    region: &'a str,
    ops: u64,
    unanswered: u64,
    mean_ms: Option<f64>,
    min_ms: Option<f64>,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    #[serde(rename = "p99.9_ms")]
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
    bound_ms: Option<f64>,
    p50_over_bound: Option<f64>,
    fast_share: Option<f64>,
    seconds: f64,
    linearizable: Option<bool>,
}

/// The whole file.
pub(super) fn text(results: &Results) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (run, name) in results.runs.iter().zip(run_names(results)) {
        for region in &run.regions {
            let latency = Latency::of(&region.latency);
            writer.serialize(Row {
                mode: results.mode,
                planet: &results.workload.planet,
                run: &name,
                protocol: &run.protocol,
                title: &run.title,
                f: run.f,
                conflict_percent: run.conflict_percent,
                clients: run.clients,
                rate: run.rate,
                region: &region.name,
                ops: region.latency.len(),
                unanswered: region.unanswered,
                mean_ms: latency.map(|latency| latency.mean_ms),
                min_ms: latency.map(|latency| latency.min_ms),
                p50_ms: latency.map(|latency| latency.p50_ms),
                p90_ms: latency.map(|latency| latency.p90_ms),
                p95_ms: latency.map(|latency| latency.p95_ms),
                p99_ms: latency.map(|latency| latency.p99_ms),
                p999_ms: latency.map(|latency| latency.p999_ms),
                max_ms: latency.map(|latency| latency.max_ms),
                bound_ms: bound_ms(region),
                p50_over_bound: p50_over_bound(region).map(rounded),
                fast_share: region.fast_share.map(rounded),
                seconds: run.seconds,
                linearizable: run.linearizable,
            })?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use std::collections::HashMap;

    /// Broken: a spreadsheet shows other figures than were measured, or a name with a comma in it
    /// moves them into other columns.
    #[test]
    fn reads_back_to_the_figures() {
        let mut results = sample::sweep(&[2.0]);
        results.runs[0].title = "a, \"b\"\nc".to_owned();
        results.runs[1].regions[2].latency.reset();
        let text = text(&results).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let rows: Vec<HashMap<String, String>> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        let regions = results.runs.iter().flat_map(|run| run.regions.iter().map(move |r| (run, r)));
        assert_eq!(rows.len(), regions.clone().count());
        for (row, (run, region)) in rows.iter().zip(regions) {
            let number = |column: &str| row[column].parse::<f64>().ok();
            assert_eq!((&row["title"], &row["region"]), (&run.title, &region.name));
            assert_eq!(number("conflict_percent"), run.conflict_percent);
            assert_eq!(number("ops"), Some(region.latency.len() as f64));
            assert_eq!(number("rate"), None);
            let is_empty = region.latency.is_empty();
            let at = |quantile| {
                (!is_empty).then(|| region.latency.value_at_quantile(quantile) as f64 / 1e3)
            };
            for (column, quantile) in
                [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p99.9_ms", 0.999)]
            {
                assert_eq!(number(column), at(quantile), "{column}");
            }
            assert_eq!(number("bound_ms"), Some(region.bound_us as f64 / 1e3));
            assert_eq!(row["linearizable"], "true");
        }
    }
}
