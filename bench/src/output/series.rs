//! Which runs belong together: those of one protocol, and those under one load.

use crate::{Results, Run};

/// A protocol with its tolerance: one colour, one curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Series<'a> {
    /// Its colour's number: the same in other reports too, as far as these have the same series.
    pub(super) colour: usize,
    pub(super) protocol: &'a str,
    pub(super) f: usize,
    pub(super) title: &'a str,
}

impl<'a> Series<'a> {
    /// All of them, each once.
    pub(super) fn all(results: &'a Results) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for run in &results.runs {
            if !all.iter().any(|series| series.has(run)) {
                let (protocol, title) = (run.protocol.as_str(), run.title.as_str());
                let taken: Vec<_> = all.iter().map(|series| series.colour).collect();
                let colour = colour(protocol, &taken);
                all.push(Self { colour, protocol, f: run.f, title });
            }
        }
        all
    }

    pub(super) fn has(&self, run: &Run) -> bool {
        self.protocol == run.protocol && self.f == run.f
    }

    /// Whether it is no protocol, but what none beats.
    pub(super) fn is_bound(&self) -> bool {
        self.protocol == "bound"
    }

    /// Its run under a setting.
    pub(super) fn under(&self, setting: Setting, results: &'a Results) -> Option<&'a Run> {
        results.runs.iter().find(|run| self.has(run) && Setting::of(run) == setting)
    }
}

/// The colours that a kind of protocol, which is its name up to a region, takes first.
const COLOURS: [(&str, &[usize]); 7] = [
    ("fast", &[0, 5]),
    ("leader", &[1, 4]),
    ("atlas", &[2]),
    ("epaxos", &[3]),
    ("leader-majority", &[4]),
    ("classic", &[7]),
    ("bound", &[6]),
];

/// One that is not taken, and where it can be one that is usual for this protocol.
fn colour(protocol: &str, taken: &[usize]) -> usize {
    let kind = protocol.split(':').next().unwrap_or_default();
    let usual = COLOURS.iter().find(|(name, _)| *name == kind);
    let usual = usual.map_or(&[][..], |(_, colours)| colours).iter().copied();
    usual.chain(0..).find(|colour| !taken.contains(colour)).expect("the numbers are not all taken")
}

/// What a run was put under.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Setting {
    pub(super) conflict_percent: Option<f64>,
    pub(super) clients: Option<usize>,
    pub(super) rate: Option<f64>,
}

impl Setting {
    pub(super) fn of(run: &Run) -> Self {
        let Run { conflict_percent, clients, rate, .. } = *run;
        Self { conflict_percent, clients: Some(clients), rate }
    }

    /// All of them, each once, in the order in which they were asked for.
    pub(super) fn all(results: &Results) -> Vec<Self> {
        distinct(results.runs.iter().map(Self::of))
    }

    /// The same at any load.
    pub(super) fn without_load(self) -> Self {
        Self { clients: None, rate: None, ..self }
    }

    /// The same at any conflict rate.
    pub(super) fn without_conflict(self) -> Self {
        Self { conflict_percent: None, ..self }
    }

    /// In words, leaving out what all the results have in common. Empty where they have all.
    pub(super) fn title(self, results: &Results) -> String {
        let varies = |of: fn(&Run) -> Option<f64>| distinct(results.runs.iter().map(of)).len() > 1;
        let mut words = Vec::new();
        if varies(|run| run.conflict_percent) {
            words.extend(self.conflict_percent.map(|percent| format!("{percent} % conflict")));
        }
        if varies(|run| run.rate) {
            words.extend(self.rate.map(|rate| format!("{rate} commands/s a region")));
        }
        if varies(|run| Some(run.clients as f64)) {
            words.extend(self.clients.map(|clients| match clients {
                1 => "1 client a region".to_owned(),
                _ => format!("{clients} clients a region"),
            }));
        }
        words.join(", ")
    }
}

/// Each value once, in the order of the first.
pub(super) fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// Names of runs that are fit for files and tags: letters, digits and hyphens, each different.
pub(super) fn run_names(results: &Results) -> Vec<String> {
    let varies = |of: fn(&Run) -> Option<f64>| distinct(results.runs.iter().map(of)).len() > 1;
    let has_clients = varies(|run| Some(run.clients as f64));
    let mut names: Vec<String> = Vec::new();
    for run in &results.runs {
        let mut name = format!("{}-f{}", file_name(&run.protocol), run.f);
        if let Some(percent) = run.conflict_percent {
            name += &format!("-conflict{}", file_name(&percent.to_string()));
        }
        if let Some(rate) = run.rate {
            name += &format!("-rate{}", file_name(&rate.to_string()));
        }
        if has_clients {
            name += &format!("-clients{}", run.clients);
        }
        names.push(unused(name, &names));
    }
    names
}

/// Lower-case letters and digits, with a hyphen for whatever stands between.
pub(super) fn file_name(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The name, with a number where it is taken.
pub(super) fn unused(name: String, taken: &[String]) -> String {
    if !taken.contains(&name) {
        return name;
    }
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    numbered.into_iter().find(|name| !taken.contains(name)).expect("the numbers are not all taken")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// Broken: two runs write to one file, or a protocol's name leads out of the directory.
    #[test]
    fn names_are_different_and_fit_for_files() {
        let mut results = sample::sweep(&[0.0, 2.5]);
        let again = results.runs[0].clone();
        results.runs.push(again);
        results.runs[1].protocol = "../a b:C".to_owned();
        let names = run_names(&results);
        assert_eq!(names[0], "fast-f1-conflict0");
        assert_eq!(names[1], "a-b-c-f2-conflict0");
        assert_eq!(names[5], "fast-f1-conflict2-5");
        assert_eq!(names.last().unwrap(), "fast-f1-conflict0-2");
        assert_eq!(distinct(names.iter()).len(), results.runs.len());
    }

    /// Broken: two protocols have one colour, or one has another in another report.
    #[test]
    fn colours_are_different_and_stay() {
        let results = sample::sweep(&[0.0]);
        let all = Series::all(&results);
        assert_eq!(distinct(all.iter().map(|series| series.colour)).len(), all.len());
        let crash = sample::crash();
        for series in Series::all(&crash) {
            let there = all.iter().find(|it| (it.protocol, it.f) == (series.protocol, series.f));
            assert_eq!(there.unwrap().colour, series.colour);
        }
    }

    /// Broken: a plot's title leaves out what tells it from its neighbours, or repeats what does
    /// not.
    #[test]
    fn titles_say_what_differs() {
        let results = sample::sweep(&[0.0, 50.0]);
        let titles = Setting::all(&results).iter().map(|s| s.title(&results)).collect::<Vec<_>>();
        assert_eq!(titles, ["0 % conflict", "50 % conflict"]);
        let alone = sample::sweep(&[2.0]);
        assert_eq!(Setting::all(&alone)[0].title(&alone), "");
    }
}
