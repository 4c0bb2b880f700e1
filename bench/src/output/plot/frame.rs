//! What every plot has: a title, what is drawn, marks and light lines, and the names of curves.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Drawn, Font, Pen, Point};
use super::palette::{AXIS, Colour, GRID, MUTED};

/// How wide every plot is; two beside each other fill a page.
pub(super) const WIDTH: f64 = 680.0;

/// How high most are.
pub(super) const HEIGHT: f64 = 420.0;

/// The height of title and subtitle together.
pub(super) const HEAD_HEIGHT: f64 = 58.0;

/// Below the marks of the horizontal axis.
pub(super) const FOOT_HEIGHT: f64 = 48.0;

/// From one name to the next, at least.
const LABEL_HEIGHT: f64 = 19.0;

const MARGIN: f64 = 6.0;
const KEY_LINE: f64 = 18.0;

/// The text of marks and names.
pub(super) fn small(anchor: Anchor) -> Font {
    Font::new(13.0, anchor)
}

/// The rectangle in which values are drawn.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Frame {
    /// Where a value is on the sheet.
    pub(super) fn at(&self, x: f64, y: f64) -> Point {
        let across = self.left + self.x.place(x) * (self.right - self.left);
        let down = self.bottom - self.y.place(y) * (self.bottom - self.top);
        (across, down)
    }

    /// Marks, and light lines across.
    pub(super) fn draw_grid(&self, canvas: &Canvas<'_>, x_title: &str) -> Drawn {
        for mark in &self.y.marks {
            let (_, y) = self.at(self.x.from, mark.at);
            canvas.line((self.left, y), (self.right, y), Pen::new(GRID, 1.0))?;
            let font = small(Anchor::Right).colour(MUTED);
            canvas.text((self.left - 8.0, y), &mark.label, font)?;
        }
        self.draw_x_marks(canvas)?;
        let font = small(Anchor::Right).colour(MUTED);
        canvas.text((self.right, self.bottom + 37.0), x_title, font)
    }

    /// The horizontal axis, its marks, and a label where there is room for one.
    pub(super) fn draw_x_marks(&self, canvas: &Canvas<'_>) -> Drawn {
        let (left, right) = ((self.left, self.bottom), (self.right, self.bottom));
        canvas.line(left, right, Pen::new(AXIS, 1.0))?;
        let font = small(Anchor::Middle).colour(MUTED);
        let mut end = f64::MIN;
        for mark in &self.x.marks {
            let (x, _) = self.at(mark.at, self.y.from);
            canvas.line((x, self.bottom), (x, self.bottom + 4.0), Pen::new(AXIS, 1.0))?;
            let half = font.width(&mark.label) / 2.0;
            if x - half > end {
                canvas.text((x, self.bottom + 16.0), &mark.label, font)?;
                end = x + half + 4.0;
            }
        }
        Ok(())
    }
}

/// The title, and below it what is drawn.
pub(super) fn draw_head(canvas: &Canvas<'_>, title: &str, subtitle: &str) -> Drawn {
    let font = Font::new(17.0, Anchor::Left).bold();
    canvas.text((MARGIN, 14.0), &font.fitted(title, WIDTH - 2.0 * MARGIN), font)?;
    let font = small(Anchor::Left).colour(MUTED);
    canvas.text((MARGIN, 36.0), &font.fitted(subtitle, WIDTH - 2.0 * MARGIN), font)
}

/// A line and what it is called.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) pen: Pen,
    /// The height at which its curve ends.
    pub(super) at: f64,
}

/// Names in rows below the head, in the order given; returns how high they are together.
pub(super) fn draw_key(canvas: &Canvas<'_>, names: &[Name]) -> Drawn<f64> {
    let font = small(Anchor::Left);
    let (mut x, mut y) = (MARGIN, HEAD_HEIGHT);
    for name in names {
        let width = 26.0 + font.width(&name.text);
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + KEY_LINE);
        }
        canvas.line((x, y), (x + 20.0, y), name.pen)?;
        canvas.text((x + 26.0, y), &font.fitted(&name.text, WIDTH - x - 32.0), font)?;
        x += width + 14.0;
    }
    Ok(y + KEY_LINE - HEAD_HEIGHT)
}

/// Names at the ends of their curves, moved apart where they would cover each other.
pub(super) fn draw_names(canvas: &Canvas<'_>, frame: &Frame, mut names: Vec<Name>) -> Drawn {
    names.sort_by(|a, b| a.at.total_cmp(&b.at));
    let wanted: Vec<_> = names.iter().map(|name| name.at).collect();
    let places = apart(&wanted, frame.top, frame.bottom);
    let left = frame.right + 8.0;
    let font = small(Anchor::Left);
    for (name, place) in names.iter().zip(places) {
        let leader = Pen { width: 1.0, is_dashed: false, ..name.pen };
        canvas.path(&[(left - 2.0, name.at), (left + 12.0, place)], leader.faint(0.6))?;
        canvas.line((left + 12.0, place), (left + 24.0, place), name.pen)?;
        let room = WIDTH - left - 30.0;
        canvas.text((left + 30.0, place), &font.fitted(&name.text, room), font)?;
    }
    Ok(())
}

/// The room that names at the ends of curves need.
pub(super) fn names_width<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let widths = names.into_iter().map(|name| small(Anchor::Left).width(name));
    (widths.fold(0.0, f64::max) + 44.0).min(WIDTH * 0.42)
}

/// A curve's pen: its colour, dashed where another one has it too.
pub(super) fn curve_pen(colour: Colour, is_dashed: bool) -> Pen {
    Pen::new(colour, 2.5).dashed(is_dashed)
}

/// Heights near the wanted ones, which are in order, each far enough from the next.
fn apart(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    // Neighbours that are too near form a group, centred on where its members want to be.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let half = |len: usize| (len - 1) as f64 * LABEL_HEIGHT / 2.0;
    let within = |centre: f64, len: usize| centre.min(bottom - half(len)).max(top + half(len));
    for at in wanted {
        groups.push((within(*at, 1), 1));
        while let [.., (above, above_len), (below, below_len)] = groups[..] {
            let len = above_len + below_len;
            if below - half(below_len) - above - half(above_len) >= LABEL_HEIGHT {
                break;
            }
            let centre = (above * above_len as f64 + below * below_len as f64) / len as f64;
            groups.truncate(groups.len() - 2);
            groups.push((within(centre, len), len));
        }
    }
    let places = groups.into_iter().flat_map(|(centre, len)| {
        (0..len).map(move |index| centre - half(len) + index as f64 * LABEL_HEIGHT)
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: names cover each other, leave the plot, or are moved though there was room.
    #[test]
    fn names_keep_apart() {
        assert_eq!(apart(&[10.0, 100.0, 150.0], 0.0, 200.0), [10.0, 100.0, 150.0]);
        for wanted in
            [[50.0; 5], [0.0, 1.0, 2.0, 199.0, 200.0], [190.0, 195.0, 196.0, 198.0, 199.0]]
        {
            let places = apart(&wanted, 0.0, 200.0);
            assert_eq!(places.len(), 5);
            for pair in places.windows(2) {
                assert!(pair[1] - pair[0] >= LABEL_HEIGHT - 1e-9, "{wanted:?}: {places:?}");
            }
            assert!(places[0] >= 0.0 && places[4] <= 200.0, "{wanted:?}: {places:?}");
        }
    }
}
