//! What clients saw around a crash: answers a second and the longest latency, step by step.

use super::super::OutputError;
use super::super::figures::{ms, step_ms};
use super::super::series::{Series, run_names};
use super::super::table::heading;
use super::axis::{Axis, grouped};
use super::canvas::{Anchor, Canvas, Drawn, Font, Pen, Point};
use super::frame::{self, FOOT_HEIGHT, Frame, HEAD_HEIGHT, WIDTH};
use super::palette::{AXIS, Colour, GRID, INK, MUTED};
use super::{Figure, Kind, Plot, steps};
use crate::{Crash, RegionRun, Results, Run};

/// The height of a region's strip, with the space above it.
const ROW_HEIGHT: f64 = 76.0;
const ROW_GAP: f64 = 18.0;

/// Where what is said of the crash stands, between the head and the first strip.
const CRASH_HEIGHT: f64 = 22.0;

/// Two plots for each run, throughput and longest latency, a strip for each region; all runs on one
/// scale, so that they can be compared.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let Some(crash) = &results.workload.crash else { return Ok(Vec::new()) };
    let names = run_names(results);
    let runs = results.runs.iter().zip(&names).filter(|(run, _)| step_ms(run).is_some());
    let runs: Vec<_> = runs.collect();
    let all: Vec<_> = runs.iter().map(|(run, _)| *run).collect();
    let Some(step_ms) = steps::common_ms(&all) else { return Ok(Vec::new()) };
    let axes = What::ALL.map(|what| {
        let regions =
            all.iter().flat_map(|run| run.regions.iter().map(move |region| (run, region)));
        let values = regions.flat_map(|(run, region)| what.values(run, region, step_ms));
        let values: Vec<_> = values.filter_map(|(_, value)| value).collect();
        what.axis(&values)
    });
    let colours = Series::all(results);
    let mut figures = Vec::new();
    for (run, name) in runs {
        let series = colours.iter().find(|series| series.has(run)).expect("every run has a series");
        let plots = What::ALL.into_iter().zip(&axes).map(|(what, y)| {
            let title = format!("{}: {}", what.title(), heading(run));
            let strips = Strips { run, step_ms, crash, colour: Colour::of(series), what, y };
            Plot::new(format!("timeline-{}-{name}", what.name()), title, strips.draw())
        });
        let plots = plots.collect::<Result<_, _>>()?;
        figures.push(Figure { kind: Kind::Timeline, heading: heading(run), plots });
    }
    Ok(figures)
}

/// What is drawn over time.
#[derive(Debug, Clone, Copy)]
enum What {
    Throughput,
    Longest,
}

impl What {
    const ALL: [Self; 2] = [Self::Throughput, Self::Longest];

    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Longest => "latency",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Throughput",
            Self::Longest => "Longest latency",
        }
    }

    /// Throughput from 0. A time-out is a hundred usual latencies: by ratio both are seen.
    fn axis(self, values: &[f64]) -> Axis {
        let max = values.iter().copied().fold(0.0, f64::max);
        match (self, values.iter().copied().reduce(f64::min)) {
            (Self::Longest, Some(min)) if min > 0.0 => Axis::logarithmic(min, max),
            _ => Axis::from_zero(max),
        }
    }

    fn subtitle(self, step_ms: u64) -> String {
        match self {
            Self::Throughput => format!("answers a second, in steps of {step_ms} ms"),
            Self::Longest => format!(
                "ms (logarithmic), of the answers in each step of {step_ms} ms; gaps: no answers"
            ),
        }
    }

    /// For each step the moment at which it begins, in milliseconds, and what there is to show.
    fn values(self, run: &Run, region: &RegionRun, step_ms: u64) -> Vec<(f64, Option<f64>)> {
        let end_ms = run.seconds * 1e3;
        let value = |bucket: &crate::Bucket| {
            let at_ms = bucket.at_ms as f64;
            let value = match self {
                // The last step may end before it is over; of a short one nothing can be told.
                Self::Throughput => {
                    let covered_ms = (end_ms - at_ms).min(step_ms as f64);
                    let is_long = covered_ms * 2.0 >= step_ms as f64;
                    is_long.then(|| bucket.ops as f64 * 1e3 / covered_ms)
                }
                Self::Longest => (bucket.ops > 0).then(|| ms(bucket.max_us)),
            };
            (at_ms, value)
        };
        let steps = steps::merged(&region.timeline, step_ms, end_ms.ceil() as u64);
        steps.iter().map(value).collect()
    }
}

/// One plot.
#[derive(Debug)]
struct Strips<'a> {
    run: &'a Run,
    step_ms: u64,
    crash: &'a Crash,
    colour: Colour,
    what: What,
    /// What all strips of all runs have in common.
    y: &'a Axis,
}

impl Strips<'_> {
    fn draw(&self) -> Drawn<String> {
        let top = HEAD_HEIGHT + CRASH_HEIGHT;
        let bottom = top + self.run.regions.len() as f64 * ROW_HEIGHT;
        let names = self.run.regions.iter().map(|region| region.name.as_str());
        let font = frame::small(Anchor::Left);
        let names_width = names.map(|name| font.width(name)).fold(0.0, f64::max);
        let x = Axis::up_to(self.run.seconds);
        let left = (names_width + 62.0).min(WIDTH * 0.4);
        let frame = |index: usize| Frame {
            left,
            top: top + index as f64 * ROW_HEIGHT + ROW_GAP,
            right: WIDTH - 14.0,
            bottom: top + (index + 1) as f64 * ROW_HEIGHT,
            x: x.clone(),
            y: self.y.clone(),
        };
        Canvas::draw((WIDTH, bottom + FOOT_HEIGHT), |canvas| {
            frame::draw_head(canvas, self.what.title(), &self.what.subtitle(self.step_ms))?;
            let all = Frame { top: top + 2.0, bottom, ..frame(0) };
            self.draw_crash(canvas, &all)?;
            for (index, region) in self.run.regions.iter().enumerate() {
                self.draw_strip(canvas, &frame(index), region)?;
            }
            all.draw_x_marks(canvas)?;
            let font = frame::small(Anchor::Right).colour(MUTED);
            canvas.text((all.right, bottom + 37.0), "seconds since the beginning", font)
        })
    }

    /// The time in which the region is down, over all strips.
    fn draw_crash(&self, canvas: &Canvas<'_>, all: &Frame) -> Drawn {
        let within = |at_ms: u64| (at_ms as f64 / 1e3).min(all.x.to);
        let (from, _) = all.at(within(self.crash.at_ms), 0.0);
        let (until, _) = all.at(self.crash.until_ms.map_or(all.x.to, within), 0.0);
        canvas.rectangle((from, all.top), (until, all.bottom), GRID, 0.7)?;
        let pen = Pen::new(INK, 1.5).dashed(true);
        canvas.line((from, all.top), (from, all.bottom), pen)?;
        let font = frame::small(Anchor::Left).bold();
        let text = match self.crash.until_ms {
            Some(_) => format!("{} is down", self.crash.region),
            None => format!("{} crashes", self.crash.region),
        };
        // To the left of the line where there is no room to its right.
        let width = font.width(&text);
        let (at, anchor) = match from + width < all.right {
            true => (from, Anchor::Left),
            false => (all.right, Anchor::Right),
        };
        canvas.text((at, all.top - 10.0), &text, Font { anchor, ..font })?;
        if let Some(until_ms) = self.crash.until_ms.filter(|at| *at as f64 / 1e3 < all.x.to) {
            canvas.line((until, all.top), (until, all.bottom), pen)?;
            let is_room = until > at + width + 10.0 && until + font.width("back") < all.right;
            if is_room && until_ms > self.crash.at_ms {
                canvas.text((until, all.top - 10.0), "back", font)?;
            }
        }
        Ok(())
    }

    fn draw_strip(&self, canvas: &Canvas<'_>, frame: &Frame, region: &RegionRun) -> Drawn {
        let middle = (frame.top + frame.bottom) / 2.0;
        let font = frame::small(Anchor::Left);
        let room = frame.left - 60.0;
        canvas.text((6.0, middle), &font.fitted(&region.name, room), font)?;
        let mark = Font::new(11.0, Anchor::Right).colour(MUTED);
        canvas.text((frame.left - 6.0, frame.top + 4.0), &grouped(frame.y.to), mark)?;
        canvas.text((frame.left - 6.0, frame.bottom - 5.0), &grouped(frame.y.from), mark)?;
        let (left, right) = (frame.left, frame.right);
        canvas.line((left, frame.top), (right, frame.top), Pen::new(GRID, 1.0))?;
        canvas.line((left, frame.bottom), (right, frame.bottom), Pen::new(AXIS, 1.0))?;
        let values = self.what.values(self.run, region, self.step_ms);
        for piece in values.split(|(_, value)| value.is_none()).filter(|piece| !piece.is_empty()) {
            let points = self.outline(frame, piece);
            if frame.y.from == 0.0 {
                let (first, last) = (points[0].0, points[points.len() - 1].0);
                let base = [(last, frame.bottom), (first, frame.bottom)];
                canvas.area(&[&points[..], &base].concat(), self.colour, 0.3)?;
            }
            canvas.path(&points, Pen::new(self.colour, 1.5))?;
        }
        Ok(())
    }

    /// Each value for the whole of its step.
    fn outline(&self, frame: &Frame, piece: &[(f64, Option<f64>)]) -> Vec<Point> {
        let points = piece.iter().flat_map(|(at_ms, value)| {
            let value = value.expect("a piece has values only");
            let (from, to) = (at_ms / 1e3, (at_ms + self.step_ms as f64) / 1e3);
            let to = to.min(frame.x.to);
            [frame.at(from, value), frame.at(to, value)]
        });
        points.collect()
    }
}
