//! A sheet to draw on: plotters' SVG with lengths in pixels of the screen.

use super::palette::{Colour, INK, PAPER};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;

/// What drawing ends with.
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;

/// A place, from the upper left.
pub(super) type Point = (f64, f64);

/// The backend rounds to whole units: with two to the pixel, curves are smooth.
const UNITS: f64 = 2.0;

/// The backend divides sizes of text by this, to come from points to its pixels.
const FONT: f64 = 1.24;

/// The width of a letter, of the size of its font: a little more than the usual fonts have.
const LETTER: f64 = 0.56;

/// A sheet.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    pub(super) colour: Colour,
    pub(super) alpha: f64,
    pub(super) width: f64,
    pub(super) is_dashed: bool,
}

impl Pen {
    pub(super) fn new(colour: Colour, width: f64) -> Self {
        Self { colour, alpha: 1.0, width, is_dashed: false }
    }

    pub(super) fn dashed(self, is_dashed: bool) -> Self {
        Self { is_dashed, ..self }
    }

    pub(super) fn faint(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    fn style(self) -> ShapeStyle {
        let stroke_width = (self.width * UNITS).round() as u32;
        ShapeStyle { color: self.colour.with_alpha(self.alpha), filled: false, stroke_width }
    }
}

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    pub(super) size: f64,
    pub(super) colour: Colour,
    pub(super) is_bold: bool,
    pub(super) anchor: Anchor,
}

impl Font {
    pub(super) fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, colour: INK, is_bold: false, anchor }
    }

    pub(super) fn bold(self) -> Self {
        Self { is_bold: true, ..self }
    }

    pub(super) fn colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// About how wide a text is.
    pub(super) fn width(self, text: &str) -> f64 {
        text.chars().count() as f64 * self.size * LETTER
    }

    /// The text, or as much of its beginning as fits.
    pub(super) fn fitted(self, text: &str, width: f64) -> String {
        let fits = (width / (self.size * LETTER)) as usize;
        match text.chars().count() {
            len if len <= fits => text.to_owned(),
            _ => text.chars().take(fits.saturating_sub(1)).chain(['…']).collect(),
        }
    }
}

/// Which point of a text a place means; in height always its middle.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

impl Canvas<'_> {
    /// A sheet of that size, drawn on.
    pub(super) fn draw(
        (width, height): Point,
        draw: impl FnOnce(&Canvas<'_>) -> Drawn,
    ) -> Drawn<String> {
        let mut svg = String::new();
        let size = ((width * UNITS) as u32, (height * UNITS) as u32);
        let canvas = Canvas { area: SVGBackend::with_string(&mut svg, size).into_drawing_area() };
        canvas.area.fill(&PAPER.with_alpha(1.0))?;
        draw(&canvas)?;
        canvas.area.present()?;
        drop(canvas);
        Ok(svg)
    }

    pub(super) fn text(&self, at: Point, text: &str, font: Font) -> Drawn {
        let h_pos = match font.anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let style = if font.is_bold { FontStyle::Bold } else { FontStyle::Normal };
        let style = ("sans-serif", font.size * FONT * UNITS, style)
            .into_font()
            .color(&font.colour.with_alpha(1.0))
            .pos(Pos::new(h_pos, VPos::Center));
        self.area.draw(&Text::new(text, units(at), style))
    }

    pub(super) fn line(&self, from: Point, to: Point, pen: Pen) -> Drawn {
        self.path(&[from, to], pen)
    }

    pub(super) fn path(&self, points: &[Point], pen: Pen) -> Drawn {
        let points = points.iter().map(|point| units(*point)).collect::<Vec<_>>();
        match pen.is_dashed {
            false => self.area.draw(&PathElement::new(points, pen.style())),
            true => {
                let dash = DashedPathElement::new(points, 5.0 * UNITS, 4.0 * UNITS, pen.style());
                self.area.draw(&dash)
            }
        }
    }

    /// What is enclosed by the points.
    pub(super) fn area(&self, points: &[Point], colour: Colour, alpha: f64) -> Drawn {
        let points = points.iter().map(|point| units(*point)).collect::<Vec<_>>();
        self.area.draw(&Polygon::new(points, colour.with_alpha(alpha)))
    }

    pub(super) fn rectangle(&self, from: Point, to: Point, colour: Colour, alpha: f64) -> Drawn {
        let corners = [units(from), units(to)];
        self.area.draw(&Rectangle::new(corners, colour.with_alpha(alpha).filled()))
    }

    pub(super) fn dot(&self, at: Point, radius: f64, colour: Colour) -> Drawn {
        let style = colour.with_alpha(1.0).filled();
        self.area.draw(&Circle::new(units(at), (radius * UNITS) as i32, style))
    }
}

fn units((x, y): Point) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}
