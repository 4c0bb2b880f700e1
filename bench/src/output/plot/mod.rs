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
