//! The page of a soak: its figures, and its plots.

use super::super::plot::{Plot, palette};
use super::STYLE;
use maud::{DOCTYPE, PreEscaped, html};

/// The page. `rows` are what was measured, and the figures.
pub(in super::super) fn page(rows: &[(String, String)], plots: &[Plot], command: &str) -> String {
    let dark = format!("@media (prefers-color-scheme: dark) {{\n{}}}\n", palette::dark_rules());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Soak" }
                // Nothing in either comes from outside.
                style { (PreEscaped(STYLE)) (PreEscaped(dark)) }
            }
            body {
                header {
                    p.kicker { "Althing soak" }
                    h1 { "Does anything grow?" }
                    p.lead { "Processes on one machine, their clients beside them." }
                }
                main {
                    section id="usage" {
                        h2 { "Over time" }
                        div.plots {
                            @for plot in plots {
                                figure role="img" aria-label=(plot.title) {
                                    // plotters escapes the text in it.
                                    (PreEscaped(&plot.svg))
                                }
                            }
                        }
                    }
                    section id="figures" {
                        h2 { "In figures" }
                        div.scroll {
                            table {
                                tbody {
                                    @for (name, figure) in rows {
                                        tr { td { (name) } td { (figure) } }
                                    }
                                }
                            }
                        }
                    }
                    section id="reproduce" {
                        h2 { "How to reproduce" }
                        pre { code { (command) } }
                    }
                }
            }
        }
    };
    page.into_string()
}
