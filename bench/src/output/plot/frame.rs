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

/// From one line of a name to the next, and what is more from one name to the next.
const LINE_HEIGHT: f64 = 15.0;
const LINE_GAP: f64 = 4.0;

/// Letters in a line of a name at the end of a curve.
const NAME_LINE_LEN: usize = 27;

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
    /// Where its curve ends.
    pub(super) end: Point,
}

/// Names in rows below the head, in the order given.
#[derive(Debug)]
pub(super) struct Key {
    names: Vec<(Point, Name)>,
    pub(super) height: f64,
}

impl Key {
    pub(super) fn of(names: impl IntoIterator<Item = Name>) -> Self {
        let font = small(Anchor::Left);
        let (mut x, mut y) = (MARGIN, HEAD_HEIGHT);
        let mut placed = Vec::new();
        for name in names {
            let width = 26.0 + font.width(&name.text);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + KEY_LINE);
            }
            placed.push(((x, y), name));
            x += width + 14.0;
        }
        Self { names: placed, height: y + KEY_LINE - HEAD_HEIGHT }
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>) -> Drawn {
        let font = small(Anchor::Left);
        for ((x, y), name) in &self.names {
            canvas.line((*x, *y), (x + 20.0, *y), name.pen)?;
            canvas.text((x + 26.0, *y), &font.fitted(&name.text, WIDTH - x - 32.0), font)?;
        }
        Ok(())
    }
}

/// Names at the ends of their curves, moved apart where they would cover each other.
pub(super) fn draw_names(canvas: &Canvas<'_>, frame: &Frame, mut names: Vec<Name>) -> Drawn {
    names.sort_by(|a, b| a.end.1.total_cmp(&b.end.1));
    let lines: Vec<_> = names.iter().map(|name| wrapped(&name.text)).collect();
    let height = |lines: &Vec<String>| lines.len() as f64 * LINE_HEIGHT + LINE_GAP;
    let wanted: Vec<_> =
        names.iter().zip(&lines).map(|(name, lines)| (name.end.1, height(lines))).collect();
    let places = apart(&wanted, frame.top, frame.bottom);
    let left = frame.right + 8.0;
    let font = small(Anchor::Left);
    for ((name, lines), place) in names.iter().zip(&lines).zip(places) {
        let leader = Pen { width: 1.0, is_dashed: false, ..name.pen };
        let (end, at) = name.end;
        canvas.path(&[(end + 6.0, at), (left + 12.0, place)], leader.faint(0.6))?;
        canvas.line((left + 12.0, place), (left + 24.0, place), name.pen)?;
        let room = WIDTH - left - 30.0;
        let top = place - (lines.len() - 1) as f64 * LINE_HEIGHT / 2.0;
        for (index, line) in lines.iter().enumerate() {
            let at = (left + 30.0, top + index as f64 * LINE_HEIGHT);
            canvas.text(at, &font.fitted(line, room), font)?;
        }
    }
    Ok(())
}

/// The room that names at the ends of curves need.
pub(super) fn names_width<'a>(names: impl IntoIterator<Item = &'a str>) -> f64 {
    let lines = names.into_iter().flat_map(wrapped);
    let widths = lines.map(|line| small(Anchor::Left).width(&line));
    (widths.fold(0.0, f64::max) + 44.0).min(WIDTH * 0.42)
}

/// In lines of about that many letters, broken between words, but not within `f = 1`.
fn wrapped(text: &str) -> Vec<String> {
    let text = text.replace(" = ", "\u{a0}=\u{a0}");
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < NAME_LINE_LEN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A curve's pen: its colour, dashed where another one has it too.
pub(super) fn curve_pen(colour: Colour, is_dashed: bool) -> Pen {
    Pen::new(colour, 2.5).dashed(is_dashed)
}

/// Places near the wanted ones, which are in order and come with heights, so that none covers
/// another.
fn apart(wanted: &[(f64, f64)], top: f64, bottom: f64) -> Vec<f64> {
    // Neighbours that are too near form a group, centred on where its members want to be.
    let mut groups: Vec<Group> = Vec::new();
    for (at, height) in wanted {
        groups.push(
            Group { centre: *at, height: *height, heights: vec![*height] }.within(top, bottom),
        );
        while let [.., above, below] = &groups[..] {
            if below.centre - above.centre >= (below.height + above.height) / 2.0 {
                break;
            }
            let joined = above.joined(below).within(top, bottom);
            groups.truncate(groups.len() - 2);
            groups.push(joined);
        }
    }
    groups.iter().flat_map(Group::places).collect()
}

/// Names that touch each other.
#[derive(Debug)]
struct Group {
    centre: f64,
    height: f64,
    heights: Vec<f64>,
}

impl Group {
    fn within(self, top: f64, bottom: f64) -> Self {
        let half = self.height / 2.0;
        Self { centre: self.centre.min(bottom - half).max(top + half), ..self }
    }

    fn joined(&self, below: &Self) -> Self {
        let height = self.height + below.height;
        let centre = (self.centre * self.height + below.centre * below.height) / height;
        Self { centre, height, heights: [&self.heights[..], &below.heights[..]].concat() }
    }

    fn places(&self) -> Vec<f64> {
        let mut top = self.centre - self.height / 2.0;
        let place = |height: &f64| {
            top += height;
            top - height / 2.0
        };
        self.heights.iter().map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: names cover each other, leave the plot, or are moved though there was room.
    #[test]
    fn names_keep_apart() {
        let high = |at: f64| (at, 20.0);
        assert_eq!(apart(&[10.0, 100.0, 150.0].map(high), 0.0, 200.0), [10.0, 100.0, 150.0]);
        for at in [[50.0; 5], [0.0, 1.0, 2.0, 199.0, 200.0], [190.0, 195.0, 196.0, 198.0, 199.0]] {
            let mut wanted = at.map(high);
            wanted[2].1 = 35.0;
            let places = apart(&wanted, 0.0, 200.0);
            assert_eq!(places.len(), 5);
            let rows: Vec<_> =
                places.iter().zip(wanted).map(|(at, (_, high))| (at, high)).collect();
            for pair in rows.windows(2) {
                let least = (pair[0].1 + pair[1].1) / 2.0;
                assert!(pair[1].0 - pair[0].0 >= least - 1e-9, "{wanted:?}: {places:?}");
            }
            assert!(places[0] >= 10.0 && places[4] <= 190.0, "{wanted:?}: {places:?}");
        }
    }

    /// Broken: a long name is cut off, or has its words in another order.
    #[test]
    fn long_names_take_lines() {
        let lines = wrapped("Multi-Paxos, leader in ap-southeast-1, f = 1, worst place");
        assert_eq!(
            lines,
            ["Multi-Paxos, leader in", "ap-southeast-1, f\u{a0}=\u{a0}1,", "worst place"]
        );
        let lines = wrapped("Althing, classic path, f = 1");
        assert_eq!(lines, ["Althing, classic path,", "f\u{a0}=\u{a0}1"]);
    }
}
