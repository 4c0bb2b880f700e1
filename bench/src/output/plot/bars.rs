//! Protocols beside each other: mean and p99, with their bounds.

use super::super::OutputError;
use super::super::figures::{Latency, Totals};
use super::super::series::{Series, Setting, file_name};
use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Drawn, Font, Pen};
use super::frame::{self, FOOT_HEIGHT, Frame, HEAD_HEIGHT, WIDTH};
use super::palette::{Colour, GRID, INK, MUTED};
use super::{Figure, Kind, Plot};
use crate::Results;

/// The height of a protocol: its title and two bars.
const ROW_HEIGHT: f64 = 62.0;

const BAR_HEIGHT: f64 = 15.0;

/// A plot for each setting under which there are several protocols, all on one scale.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let settings =
        Setting::all(results).into_iter().map(|setting| (setting, rows(setting, results)));
    let settings: Vec<_> = settings.filter(|(_, rows)| rows.len() > 1).collect();
    let all = settings.iter().flat_map(|(_, rows)| rows);
    let max = all.map(|row| row.latency.p99_ms.max(row.bound_p99_ms.unwrap_or(0.0)));
    let max = max.fold(0.0, f64::max);
    let axis = Axis::from_zero(max);
    let plot = |(setting, rows): &(Setting, Vec<Row<'_>>)| {
        let title = match setting.title(results) {
            title if title.is_empty() => "Latency of all regions".to_owned(),
            title => title,
        };
        let name = format!("comparison-{}", file_name(&title));
        let drawn = draw(&title, rows, &axis);
        Plot::new(name, title, drawn)
    };
    let plots = settings.iter().map(plot).collect::<Result<Vec<_>, _>>()?;
    let figure = Figure { kind: Kind::Bars, heading: String::new(), plots };
    Ok(if figure.plots.is_empty() { Vec::new() } else { vec![figure] })
}

/// What one protocol shows.
#[derive(Debug)]
struct Row<'a> {
    series: Series<'a>,
    latency: Latency,
    bound_mean_ms: Option<f64>,
    bound_p99_ms: Option<f64>,
}

fn rows(setting: Setting, results: &Results) -> Vec<Row<'_>> {
    let all = Series::all(results).into_iter().filter_map(|series| {
        let run = series.under(setting, results)?;
        let Totals { latency, bound_mean_ms, bound_p99_ms, .. } =
            Totals::of(run, results.workload.warm_up_ms);
        Some(Row { series, latency: latency?, bound_mean_ms, bound_p99_ms })
    });
    all.collect()
}

fn draw(title: &str, rows: &[Row<'_>], x: &Axis) -> Drawn<String> {
    let bottom = HEAD_HEIGHT + rows.len() as f64 * ROW_HEIGHT;
    // The longest bar's figure stands to the right of it.
    let y = Axis::from_zero(1.0);
    let frame =
        Frame { left: 8.0, top: HEAD_HEIGHT - 8.0, right: WIDTH - 90.0, bottom, x: x.clone(), y };
    Canvas::draw((WIDTH, bottom + FOOT_HEIGHT), |canvas| {
        let subtitle =
            "mean (strong) and p99 (faint) in ms; the marks across are their lower bounds";
        frame::draw_head(canvas, title, subtitle)?;
        for mark in &x.marks {
            let (x, _) = frame.at(mark.at, 0.0);
            canvas.line((x, frame.top), (x, frame.bottom), Pen::new(GRID, 1.0))?;
        }
        for (index, row) in rows.iter().enumerate() {
            draw_row(canvas, &frame, HEAD_HEIGHT + index as f64 * ROW_HEIGHT, row)?;
        }
        frame.draw_x_marks(canvas)?;
        let font = frame::small(Anchor::Right).colour(MUTED);
        canvas.text((frame.right, bottom + 37.0), "latency, ms", font)
    })
}

fn draw_row(canvas: &Canvas<'_>, frame: &Frame, top: f64, row: &Row<'_>) -> Drawn {
    let colour = Colour::of(&row.series);
    let font = Font::new(14.0, Anchor::Left);
    canvas.text((frame.left, top + 10.0), &font.fitted(row.series.title, WIDTH - 20.0), font)?;
    let Latency { mean_ms, p99_ms, .. } = row.latency;
    let bars = [(mean_ms, row.bound_mean_ms, 1.0, "mean"), (p99_ms, row.bound_p99_ms, 0.45, "p99")];
    for (index, (value, bound, alpha, word)) in bars.into_iter().enumerate() {
        let top = top + 20.0 + index as f64 * (BAR_HEIGHT + 2.0);
        let bottom = top + BAR_HEIGHT;
        let (end, _) = frame.at(value, 0.0);
        canvas.rectangle((frame.left, top), (end, bottom), colour, alpha)?;
        let mut after = end;
        if let Some(bound) = bound {
            let (at, _) = frame.at(bound, 0.0);
            canvas.line((at, top - 1.0), (at, bottom + 1.0), Pen::new(INK, 2.0))?;
            after = end.max(at);
        }
        let text = format!("{value:.1} {word}");
        canvas.text((after + 6.0, top + BAR_HEIGHT / 2.0), &text, frame::small(Anchor::Left))?;
    }
    Ok(())
}
