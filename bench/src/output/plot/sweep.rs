//! Plots against something that was varied: a curve for each protocol, its name at its end.

use super::super::series::Series;
use super::axis::Axis;
use super::canvas::{Canvas, Drawn};
use super::frame::{self, FOOT_HEIGHT, Frame, HEAD_HEIGHT, HEIGHT, Name, WIDTH};
use super::palette::{self, Colour};

/// Dots of a curve with more points than these are a smear.
const DOTS_MAX: usize = 50;

/// One curve: what was varied, and what came of it.
#[derive(Debug, Clone)]
pub(super) struct Curve<'a> {
    pub(super) series: Series<'a>,
    pub(super) points: Vec<(f64, f64)>,
}

/// What stands around the curves.
#[derive(Debug, Clone)]
pub(super) struct Sweep<'a> {
    pub(super) title: &'a str,
    pub(super) subtitle: &'a str,
    pub(super) x_title: &'a str,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Sweep<'_> {
    pub(super) fn draw(self, curves: &[Curve<'_>]) -> Drawn<String> {
        let names_width = frame::names_width(curves.iter().map(|curve| curve.series.title));
        let frame = Frame {
            left: 60.0,
            top: HEAD_HEIGHT + 6.0,
            right: WIDTH - names_width,
            bottom: HEIGHT - FOOT_HEIGHT,
            x: self.x,
            y: self.y,
        };
        Canvas::draw((WIDTH, HEIGHT), |canvas| {
            frame::draw_head(canvas, self.title, self.subtitle)?;
            frame.draw_grid(canvas, self.x_title)?;
            let mut names = Vec::new();
            // The first is drawn last, above the others.
            for curve in curves.iter().rev() {
                let colour = Colour::of(&curve.series);
                let pen = frame::curve_pen(colour, palette::is_dashed(&curve.series));
                let points: Vec<_> = curve.points.iter().map(|(x, y)| frame.at(*x, *y)).collect();
                canvas.path(&points, pen)?;
                for point in points.iter().filter(|_| points.len() <= DOTS_MAX) {
                    canvas.dot(*point, 4.0, colour)?;
                }
                let end = points[points.len() - 1];
                names.push(Name { text: curve.series.title.to_owned(), pen, end });
            }
            frame::draw_names(canvas, &frame, names)
        })
    }
}

/// Every value of the curves, along and up.
pub(super) fn values(curves: &[Curve<'_>]) -> (Vec<f64>, Vec<f64>) {
    let points = curves.iter().flat_map(|curve| curve.points.iter().copied());
    let (mut along, up): (Vec<_>, Vec<_>) = points.unzip();
    along.sort_by(f64::total_cmp);
    along.dedup();
    (along, up)
}

/// The least and the greatest.
pub(super) fn span(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    (least, values.iter().copied().fold(0.0, f64::max))
}
