//! `report.html`: everything on one page that needs nothing else, made to be shown in a talk.

mod headline;
mod limits;
mod setup;
pub(super) mod usage;

use super::plot::palette::{self, Colour};
use super::plot::{Figure, Kind};
use super::series::Series;
use super::table::{HEADER, compared, heading, rows, verdict};
use crate::{Mode, Results, Run};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("report.css");

/// More comparisons than these are a click away.
const BARS_MAX: usize = 8;

/// The page.
pub(super) fn page(results: &Results, figures: &[Figure], command: &str) -> String {
    let title = title(results);
    let dark = format!("@media (prefers-color-scheme: dark) {{\n{}}}\n", palette::dark_rules());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                // Nothing in either comes from outside.
                style { (PreEscaped(STYLE)) (PreEscaped(dark)) }
            }
            body {
                header {
                    p.kicker { "Althing geo-latency benchmark" }
                    h1 { (title) }
                    p.lead { (setup::lead(results)) }
                    p.facts { (setup::in_short(results)) }
                }
                main {
                    (headline::section(results))
                    @for kind in [Kind::Bars, Kind::Conflict, Kind::Load, Kind::Timeline, Kind::Cdf] {
                        (section(kind, figures))
                    }
                    (tables(results))
                    (setup::section(results))
                    section id="reproduce" {
                        h2 { "How to reproduce" }
                        pre { code { (command) } }
                        p { (setup::reproduction(results)) }
                    }
                    (limits::section(results))
                }
            }
        }
    };
    page.into_string()
}

fn title(results: &Results) -> String {
    let regions = results.workload.regions.len();
    let how = match results.mode {
        Mode::Sim => "simulated",
        Mode::Wan => "emulated",
        Mode::Cluster => "measured",
    };
    let planet = &results.workload.planet;
    let plural = if regions == 1 { "" } else { "s" };
    format!("{regions} region{plural} of {planet}, {how}")
}

/// The plots of a kind; nothing where there are none.
fn section(kind: Kind, figures: &[Figure]) -> Markup {
    let figures: Vec<_> = figures.iter().filter(|figure| figure.kind == kind).collect();
    let (title, explanation) = words(kind);
    // Distributions under many settings fill pages: the last, where rates and loads are usually
    // highest, is open, the others a click away.
    let folds = kind == Kind::Cdf && figures.len() > 1;
    let is_long = |figure: &Figure| kind == Kind::Bars && figure.plots.len() > BARS_MAX;
    html! {
        @if !figures.is_empty() {
            section id=(kind.name()) {
                h2 { (title) }
                p.explanation { (explanation) }
                @for (index, figure) in figures.iter().enumerate() {
                    @if folds {
                        details open[index + 1 == figures.len()] {
                            summary { (figure.heading) }
                            (grid(figure))
                        }
                    } @else if is_long(figure) {
                        details {
                            summary { "Under each of " (figure.plots.len()) " settings" }
                            (grid(figure))
                        }
                    } @else {
                        @if !figure.heading.is_empty() { h3 { (figure.heading) } }
                        (grid(figure))
                    }
                }
            }
        }
    }
}

fn grid(figure: &Figure) -> Markup {
    html! {
        div.plots {
            @for plot in &figure.plots {
                figure role="img" aria-label=(plot.title) {
                    // plotters escapes the text in it.
                    (PreEscaped(&plot.svg))
                }
            }
        }
    }
}

fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Bars => (
            "Protocols compared",
            "Latency over all regions. The bound is one round trip to the nearest fast quorum of each \
             region, and nothing else: what no protocol of one round trip beats.",
        ),
        Kind::Conflict => (
            "When commands conflict",
            "Latency against the share of commands that touch a key which other regions write too.",
        ),
        Kind::Load => ("Under load", "Latency and throughput against how much is asked for."),
        Kind::Timeline => (
            "A region crashes",
            "A strip for each region, the same scale for every protocol. A strip that falls to \
             nothing is a region whose clients wait.",
        ),
        Kind::Cdf => (
            "Latency distributions",
            "The vertical axis is stretched towards the tail: from 90 % to 99 % is as far as from 0 to \
             90 %. Further left is faster; a curve that bends right near the top has a slow tail. Where \
             curves coincide, the first in the key is above the others.",
        ),
    }
}

/// The comparison, and what every run's regions saw.
fn tables(results: &Results) -> Markup {
    let (header, compared) = compared(results);
    html! {
        section id="tables" {
            h2 { "In figures" }
            @if results.runs.len() > 1 {
                p.explanation { "Mean / p99 in ms over all regions, and the mean over the bound." }
                div.scroll {
                    table.compared {
                        thead { tr { @for title in &header { th { (title) } } } }
                        tbody {
                            @for (row, series) in compared.iter().zip(Series::all(results)) {
                                tr style=(colours(&series)) {
                                    @for cell in row { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
            @let folds = results.runs.len() > 1;
            @for run in &results.runs {
                details open[!folds] {
                    summary { (heading(run)) }
                    (run_table(run, results.workload.warm_up_ms))
                }
            }
        }
    }
}

/// A protocol's colours, for the rules of the style sheet.
fn colours(series: &Series<'_>) -> String {
    let colour = Colour::of(series);
    format!("--light: {}; --dark: {}", colour.light_css(), colour.dark_css())
}

fn run_table(run: &Run, warm_up_ms: u64) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr { @for (above, below) in HEADER { th { (above) " " (below) } } }
                }
                tbody {
                    @for row in rows(run, warm_up_ms) { tr { @for cell in row { td { (cell) } } } }
                }
            }
        }
        p.verdict { (verdict(run)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{plot, sample};

    fn page_of(results: &Results) -> String {
        page(results, &plot::all(results).unwrap(), "the command")
    }

    fn kinds(results: &Results) -> Vec<&'static str> {
        let page = page_of(results);
        let all = [Kind::Bars, Kind::Conflict, Kind::Load, Kind::Timeline, Kind::Cdf];
        let names = all.map(Kind::name).into_iter();
        names.filter(|name| page.contains(&format!("<section id=\"{name}\">"))).collect()
    }

    /// Broken: a plot is missing though there is data for it, or an empty one is shown.
    #[test]
    fn shows_the_plots_that_there_is_data_for() {
        let sweep = sample::sweep(&[0.0, 50.0]);
        assert_eq!(kinds(&sweep), ["comparison", "conflict", "cdf"]);
        assert_eq!(kinds(&sample::load(&[1, 8])), ["comparison", "load", "cdf"]);
        assert_eq!(kinds(&sample::crash()), ["comparison", "timeline", "cdf"]);
        let one = Results { runs: sweep.runs[..1].to_vec(), ..sweep.clone() };
        assert_eq!(kinds(&one), ["cdf"]);
        let mut nothing = one.clone();
        nothing.runs[0].regions.iter_mut().for_each(|region| region.latency.reset());
        assert_eq!(kinds(&nothing), [""; 0]);
        let mut no_steps = sample::crash();
        let regions = no_steps.runs.iter_mut().flat_map(|run| &mut run.regions);
        regions.for_each(|region| region.timeline.clear());
        assert_eq!(kinds(&no_steps), ["comparison", "cdf"]);
    }

    /// Broken: a name from a file of the user's runs as a script in the browser of whoever looks at
    /// the report.
    #[test]
    fn escapes_what_comes_from_outside() {
        let evil = "<script>alert(\"x\")</script>&'";
        let mut results = sample::crash();
        evil.clone_into(&mut results.workload.planet);
        results.workload.regions[0] = evil.to_owned();
        results.workload.crash.as_mut().unwrap().region = evil.to_owned();
        for run in &mut results.runs {
            evil.clone_into(&mut run.title);
            evil.clone_into(&mut run.protocol);
            evil.clone_into(&mut run.regions[0].name);
        }
        let figures = plot::all(&results).unwrap();
        let page = page(&results, &figures, evil);
        assert!(page.contains("&lt;script&gt;"));
        assert!(!page.contains("<script"));
        for plot in figures.iter().flat_map(|figure| &figure.plots) {
            assert!(!plot.svg.contains("<script"), "{}", plot.name);
        }
    }

    /// Broken: the page looks different, or not at all, where there is no network.
    #[test]
    fn needs_nothing_else() {
        let page = page_of(&sample::sweep(&[0.0, 50.0]));
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    /// Broken: who looks at the report cannot tell how it was made, or does not see that a run's
    /// history is wrong.
    #[test]
    fn says_how_it_was_made_and_what_went_wrong() {
        let mut results = sample::sweep(&[0.0, 50.0]);
        let page = page_of(&results);
        assert!(page.contains("<code>the command</code>"));
        assert!(page.contains("linearizable: 10 of 10 runs"));
        assert!(!page.contains("NOT LINEARIZABLE"));
        results.runs[3].linearizable = Some(false);
        let page = page_of(&results);
        assert!(page.contains("NOT LINEARIZABLE: 1 of 10 runs"));
    }
}
