//! Colours: the same for the same protocol everywhere, told apart by colour-blind people too, and
//! each with another one for dark screens.

use super::super::series::Series;
use plotters::style::{Color, RGBAColor, RGBColor};
use std::fmt::Write as _;

/// On paper, and in the dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Colour {
    light: u32,
    dark: u32,
}

/// Text and what is to be seen first.
pub(super) const INK: Colour = Colour { light: 0x1F2933, dark: 0xE8ECF1 };
/// Text that explains.
pub(super) const MUTED: Colour = Colour { light: 0x5B6776, dark: 0xA3AFBE };
/// Lines at the edge of a plot.
pub(super) const AXIS: Colour = Colour { light: 0x9AA5B2, dark: 0x5C6878 };
/// Lines across a plot.
pub(super) const GRID: Colour = Colour { light: 0xE6E9EE, dark: 0x2C3542 };
/// What is under everything; the dark one is that of the report's cards.
pub(super) const PAPER: Colour = Colour { light: 0xFFFFFF, dark: 0x181E27 };

/// The colours of series: M. Okabe and K. Ito's, without their yellow, which is too light on paper,
/// and with a grey and an olive.
const SERIES: [Colour; 8] = [
    Colour { light: 0x0072B2, dark: 0x4BA6E8 },
    Colour { light: 0xD55E00, dark: 0xF5803E },
    Colour { light: 0x009E73, dark: 0x2DC79C },
    Colour { light: 0xCC79A7, dark: 0xE6A0C8 },
    Colour { light: 0xE69F00, dark: 0xF7BC45 },
    Colour { light: 0x56B4E9, dark: 0x95D5F9 },
    Colour { light: 0x6B6B6B, dark: 0xB4B4B4 },
    Colour { light: 0x8A8A2E, dark: 0xC6C65C },
];

impl Colour {
    /// A protocol's. Where there are more than colours, they begin again, and
    /// [`is_dashed`] tells the second time from the first.
    pub(in super::super) fn of(series: &Series<'_>) -> Self {
        SERIES[series.colour % SERIES.len()]
    }

    /// As plotters takes it.
    pub(super) fn with_alpha(self, alpha: f64) -> RGBAColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue).mix(alpha)
    }

    /// As CSS and SVG write it, on paper.
    pub(in super::super) fn light_css(self) -> String {
        format!("#{:06X}", self.light)
    }

    /// Likewise, in the dark.
    pub(in super::super) fn dark_css(self) -> String {
        format!("#{:06X}", self.dark)
    }
}

/// Whether a protocol's lines are dashed: its colour is another's too, or it is a bound.
pub(super) fn is_dashed(series: &Series<'_>) -> bool {
    series.is_bound() || series.colour / SERIES.len() % 2 == 1
}

/// Rules for a page in the dark: each colour of the plots becomes its other one.
pub(in super::super) fn dark_rules() -> String {
    let mut rules = String::new();
    for colour in [INK, MUTED, AXIS, GRID, PAPER].iter().chain(&SERIES) {
        let (light, dark) = (colour.light_css(), colour.dark_css());
        let _ = writeln!(rules, "svg [fill=\"{light}\"]{{fill:{dark}}}");
        let _ = writeln!(rules, "svg [stroke=\"{light}\"]{{stroke:{dark}}}");
    }
    rules
}
