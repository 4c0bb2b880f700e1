//! Latency distributions: which share of commands was answered within which time.

use super::super::OutputError;
use super::super::figures::{Latency, bound_ms, ms};
use super::super::series::{Series, Setting, distinct, file_name};
use super::axis::{Axis, grouped};
use super::canvas::{Canvas, Drawn, Pen, Point};
use super::frame::{self, FOOT_HEIGHT, Frame, HEAD_HEIGHT, Key, Name, WIDTH};
use super::palette::{self, Colour, INK};
use super::{Figure, Kind, Plot};
use crate::{Results, Run};
use hdrhistogram::Histogram;

/// The height of the rectangle with the curves, below however many names.
const CURVES_HEIGHT: f64 = 290.0;

/// A plot for all regions and one for each. One protocol: all that it was put under in the same
/// plots, in shades. Several: plots of their own for each setting, a curve for each protocol.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let all = Series::all(results);
    let settings = Setting::all(results);
    let groups: Vec<(String, Vec<Shown<'_>>)> = match &all[..] {
        [series] => vec![(String::new(), Shown::shades(*series, &settings, results))],
        _ => {
            let shown = |setting: &Setting| {
                let runs = all.iter().filter_map(|series| {
                    Some(Shown::plain(*series, series.under(*setting, results)?))
                });
                (setting.title(results), runs.collect())
            };
            settings.iter().map(shown).collect()
        }
    };
    let mut figures = Vec::new();
    for (heading, shown) in groups {
        if let Some(figure) = figure(heading, &shown)? {
            figures.push(figure);
        }
    }
    Ok(figures)
}

/// A run, and how its curves look.
#[derive(Debug)]
struct Shown<'a> {
    run: &'a Run,
    name: String,
    pen: Pen,
}

impl<'a> Shown<'a> {
    fn plain(series: Series<'a>, run: &'a Run) -> Self {
        let pen = frame::curve_pen(Colour::of(&series), palette::is_dashed(&series));
        Self { run, name: series.title.to_owned(), pen }
    }

    fn shades(series: Series<'a>, settings: &[Setting], results: &'a Results) -> Vec<Self> {
        let runs = settings
            .iter()
            .filter_map(|setting| Some((series.under(*setting, results)?, setting.title(results))));
        let runs: Vec<_> = runs.collect();
        let steps = runs.len();
        let shade = |(index, (run, title)): (usize, (&'a Run, String))| {
            let plain = Self::plain(series, run);
            let alpha = 0.3 + 0.7 * (index + 1) as f64 / steps as f64;
            let name = if title.is_empty() { plain.name } else { title };
            Self { run, name, pen: plain.pen.faint(alpha) }
        };
        runs.into_iter().enumerate().map(shade).collect()
    }
}

/// None where nobody was answered.
fn figure(heading: String, shown: &[Shown<'_>]) -> Result<Option<Figure>, OutputError> {
    let all: Vec<_> = shown.iter().map(|shown| shown.run.latency()).collect();
    let latencies = shown.iter().zip(&all).flat_map(|(shown, all)| {
        shown.run.regions.iter().map(|region| &region.latency).chain([all])
    });
    let latencies: Vec<_> = latencies.filter_map(Latency::of).collect();
    // A few commands that waited for a crash would squeeze everybody else's into a corner.
    let longest = |of: fn(&Latency) -> f64| latencies.iter().map(of).fold(0.0, f64::max);
    let max_ms = longest(|latency| latency.p999_ms).min(2.5 * longest(|latency| latency.p99_ms));
    if max_ms == 0.0 {
        return Ok(None);
    }
    let x = Axis::up_to(max_ms * 1.02);
    let regions = distinct(shown.iter().flat_map(|shown| &shown.run.regions).map(|r| &r.name));
    let name = |what: &str| file_name(&format!("cdf {heading} {what}"));
    let curves = shown.iter().zip(&all).collect::<Vec<_>>();
    let mut plots = vec![Plot::new(
        name("all regions"),
        "All regions".to_owned(),
        draw("All regions", &subtitle(&[]), &[], &curves, x.clone()),
    )?];
    for region in regions {
        let of_region = shown.iter().filter_map(|shown| {
            let region = shown.run.regions.iter().find(|other| other.name == *region)?;
            Some((shown, region))
        });
        let of_region: Vec<_> = of_region.collect();
        let bounds = of_region.iter().filter_map(|(shown, r)| Some((shown.run.f, bound_ms(r)?)));
        let bounds = distinct(bounds);
        let curves: Vec<_> = of_region.iter().map(|(shown, r)| (*shown, &r.latency)).collect();
        let drawn = draw(region, &subtitle(&bounds), &bounds, &curves, x.clone());
        plots.push(Plot::new(name(region), region.clone(), drawn)?);
    }
    Ok(Some(Figure { kind: Kind::Cdf, heading, plots }))
}

/// What is drawn, and the bounds in figures.
fn subtitle(bounds_ms: &[(usize, f64)]) -> String {
    let value = |ms: f64| grouped((ms * 10.0).round() / 10.0);
    let bounds = match bounds_ms {
        [] => String::new(),
        [(_, ms)] => format!("; dashed: bound, {} ms", value(*ms)),
        several => {
            let each = several.iter().map(|(f, ms)| format!("{} ms (f = {f})", value(*ms)));
            format!("; dashed: bound, {}", each.collect::<Vec<_>>().join(", "))
        }
    };
    format!("share of commands answered within{bounds}")
}

fn draw(
    title: &str,
    subtitle: &str,
    bounds_ms: &[(usize, f64)],
    curves: &[(&Shown<'_>, &Histogram<u64>)],
    x: Axis,
) -> Drawn<String> {
    let samples = curves.iter().map(|(_, latency)| latency.len()).max().unwrap_or(0);
    let names = curves.iter().map(|(shown, _)| Name {
        text: shown.name.clone(),
        pen: shown.pen,
        end: (0.0, 0.0),
    });
    let key = Key::of(names);
    let top = HEAD_HEIGHT + key.height + 6.0;
    let bottom = top + CURVES_HEIGHT;
    let y = Axis::tail(samples);
    let frame = Frame { left: 60.0, top, right: WIDTH - 14.0, bottom, x, y };
    Canvas::draw((WIDTH, bottom + FOOT_HEIGHT), |canvas| {
        frame::draw_head(canvas, title, subtitle)?;
        key.draw(canvas)?;
        frame.draw_grid(canvas, "latency, ms")?;
        for (_, bound_ms) in bounds_ms {
            let (x, _) = frame.at(*bound_ms, 0.0);
            if x <= frame.right {
                let pen = Pen::new(INK, 1.5).dashed(true);
                canvas.line((x, frame.top), (x, frame.bottom), pen)?;
            }
        }
        // The first is drawn last, above the others.
        for (shown, latency) in curves.iter().rev().filter(|(_, latency)| !latency.is_empty()) {
            canvas.path(&steps(&frame, latency), shown.pen)?;
        }
        Ok(())
    })
}

/// The curve: up at every latency that occurred, as far as the frame goes.
fn steps(frame: &Frame, latency: &Histogram<u64>) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut share: f64 = 0.0;
    for value in latency.iter_recorded() {
        let at_ms = ms(value.value_iterated_to());
        let before = frame.at(at_ms.min(frame.x.to), share);
        // What is less than a line's width apart is one point.
        let is_near = points
            .last()
            .is_some_and(|(x, y)| (before.0 - x).abs() < 0.7 && (before.1 - y).abs() < 0.7);
        if !is_near {
            points.push(before);
        }
        if at_ms > frame.x.to {
            return points;
        }
        share = value.quantile().min(frame.y.to);
        let after = frame.at(at_ms, share);
        if (after.1 - points[points.len() - 1].1).abs() >= 0.7 {
            points.push(after);
        }
        if share >= frame.y.to {
            break;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegionRun;

    /// Broken: the curve is beside the shares that were measured, or leaves its frame.
    #[test]
    fn the_curve_goes_through_the_shares() {
        let mut latency = RegionRun::histogram();
        (1..=2000).for_each(|ms| latency.record(ms * 1000).unwrap());
        let frame = Frame {
            left: 0.0,
            top: 0.0,
            right: 1000.0,
            bottom: 300.0,
            x: Axis::up_to(1990.0),
            y: Axis::tail(latency.len()),
        };
        let points = steps(&frame, &latency);
        for share in [0.1, 0.5, 0.9, 0.99] {
            let wanted = frame.at(2000.0 * share, share);
            let distance =
                |point: &Point| (point.0 - wanted.0).abs().max((point.1 - wanted.1).abs());
            let nearest = points.iter().map(distance).fold(f64::MAX, f64::min);
            assert!(nearest < 1.5, "{share}: {nearest}");
        }
        for (x, y) in points {
            assert!((0.0..=1000.0).contains(&x) && (0.0..=300.0).contains(&y), "({x}, {y})");
        }
    }
}
