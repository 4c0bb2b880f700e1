//! The plots that results have data for.

mod axis;
mod bars;
mod canvas;
mod cdf;
mod conflict;
mod frame;
mod load;
pub(super) mod palette;
mod steps;
mod sweep;
mod timeline;
pub(super) mod usage;

use super::OutputError;
use crate::Results;
use canvas::Drawn;

/// Plots that belong together.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) kind: Kind,
    /// What tells it from others of its kind; empty for the only one.
    pub(super) heading: String,
    pub(super) plots: Vec<Plot>,
}

/// One plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// The name of its file, without `.svg`.
    pub(super) name: String,
    /// What it shows, for who cannot see it.
    pub(super) title: String,
    pub(super) svg: String,
}

/// What a plot is about, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Protocols beside each other.
    Bars,
    /// Latency against conflict rate.
    Conflict,
    /// Latency and throughput against load.
    Load,
    /// A crash.
    Timeline,
    /// Latency distributions.
    Cdf,
}

impl Kind {
    /// The word for it, as in names of files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bars => "comparison",
            Self::Conflict => "conflict",
            Self::Load => "load",
            Self::Timeline => "timeline",
            Self::Cdf => "cdf",
        }
    }
}

/// All that there is data for, by kind.
pub(super) fn all(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let mut figures = Vec::new();
    for figures_of in
        [bars::figures, conflict::figures, load::figures, timeline::figures, cdf::figures]
    {
        figures.extend(figures_of(results)?);
    }
    Ok(figures)
}

impl Plot {
    fn new(name: String, title: String, drawn: Drawn<String>) -> Result<Self, OutputError> {
        match drawn {
            Ok(svg) => Ok(Self { name, title, svg }),
            Err(error) => Err(OutputError::Plot { name, reason: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use crate::output::series::Series;
    use palette::Colour;

    /// The numbers in the attributes of that name.
    fn numbers<'a>(svg: &'a str, name: &'a str) -> impl Iterator<Item = f64> + 'a {
        let values = svg.split(&format!(" {name}=\"")).skip(1).collect::<Vec<_>>();
        let values = values.into_iter().map(|rest| rest.split('"').next().unwrap());
        values
            .flat_map(|value| value.split([' ', ',']).filter(|number| !number.is_empty()))
            .map(|number| number.parse().unwrap())
    }

    /// Broken: a plot is empty, lacks a protocol, or has something outside of its sheet.
    #[test]
    fn everything_is_drawn_and_on_the_sheet() {
        let sweep = sample::sweep(&[0.0, 2.0, 50.0]);
        for results in [sweep, sample::load(&[1, 8, 64]), sample::crash()] {
            for figure in all(&results).unwrap() {
                for plot in &figure.plots {
                    let size = plot.svg.split(" viewBox=\"0 0 ").nth(1).unwrap();
                    let size = size.split(['"', ' ']).take(2).map(|n| n.parse::<f64>().unwrap());
                    let size: Vec<_> = size.collect();
                    for name in ["x", "x1", "x2", "y", "y1", "y2", "cx", "cy"] {
                        let end = if name.contains('x') { size[0] } else { size[1] };
                        let is_in = |at: f64| (0.0..=end).contains(&at);
                        assert!(numbers(&plot.svg, name).all(is_in), "{}: {name}", plot.name);
                    }
                    let end = size[0].max(size[1]);
                    let is_in = |at: f64| (0.0..=end).contains(&at);
                    assert!(numbers(&plot.svg, "points").all(is_in), "{}", plot.name);
                    let series = Series::all(&results);
                    let drawn = series.iter().filter(|series| {
                        plot.svg.matches(&Colour::of(series).light_css()).count() > 1
                    });
                    let wanted = if figure.kind == Kind::Timeline { 1 } else { series.len() };
                    assert_eq!(drawn.count(), wanted, "{}", plot.name);
                }
            }
        }
    }
}
