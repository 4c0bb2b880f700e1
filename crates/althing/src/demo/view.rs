//! What there is to see while it runs: announcements, and a line for each region, on stderr. The
//! lines only where stderr is a terminal; nothing at all where a program reads the result.

use super::figures::{ms, percentile};
use super::plan::Plan;
use althing_bench::real::{Recorder, Sample};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::interval;

/// Medians and rates are of this much of the past.
const RECENT: Duration = Duration::from_secs(1);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A region's state, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Killed,
    Restarting,
    Back,
}

/// The view. Clones show the same.
#[derive(Debug, Clone)]
pub(super) struct View {
    kind: Kind,
    lines: MultiProgress,
    time: ProgressBar,
    regions: Vec<ProgressBar>,
    states: Arc<Mutex<Vec<State>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Silent,
    Announcements,
    Live,
}

impl View {
    pub(super) fn new(plan: &Plan, is_silent: bool) -> Self {
        let kind = match (is_silent, std::io::stderr().is_terminal()) {
            (true, _) => Kind::Silent,
            (false, false) => Kind::Announcements,
            (false, true) => Kind::Live,
        };
        let target = match kind {
            Kind::Live => ProgressDrawTarget::stderr_with_hz(8),
            _ => ProgressDrawTarget::hidden(),
        };
        let lines = MultiProgress::with_draw_target(target);
        let width = plan.regions.iter().map(|region| region.name().len()).max().unwrap_or(0);
        let line = |name: &str| {
            let style = format!("  {{prefix:{width}.bold}}  {{msg}}");
            let style = ProgressStyle::with_template(&style).expect("a constant in all but width");
            lines.add(ProgressBar::no_length().with_style(style).with_prefix(name.to_owned()))
        };
        let regions = plan.regions.iter().map(|region| line(region.name())).collect();
        let style = ProgressStyle::with_template("  {bar:48.cyan/dim} {msg}");
        let length = u64::try_from(plan.phases.end.as_millis()).unwrap_or(u64::MAX);
        let time = lines.add(
            ProgressBar::new(length).with_style(style.expect("a constant").progress_chars("━╸─")),
        );
        let states = Arc::new(Mutex::new(vec![State::Up; plan.regions.len()]));
        Self { kind, lines, time, regions, states }
    }

    /// Says a line, above those that change.
    pub(super) fn say(&self, line: &str) {
        match self.kind {
            Kind::Silent => {}
            Kind::Announcements => eprintln!("{line}"),
            // Without a terminal nobody misses it.
            Kind::Live => {
                let _ = self.lines.println(line);
            }
        }
    }

    pub(super) fn set_state(&self, region: usize, state: State) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)[region] = state;
    }

    /// Follows the recorder, for ever.
    pub(super) async fn follow(self, recorder: Arc<Recorder>) {
        let mut counts = vec![0_usize; self.regions.len()];
        let mut recent: VecDeque<Sample> = VecDeque::new();
        let mut seen = 0;
        let mut ticks = interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if self.kind != Kind::Live {
                continue;
            }
            let now = recorder.now();
            for sample in recorder.samples_from(seen) {
                seen += 1;
                counts[sample.region] += 1;
                recent.push_back(sample);
            }
            while recent.front().is_some_and(|sample| sample.answered + RECENT < now) {
                recent.pop_front();
            }
            self.draw(now, &counts, &recent);
        }
    }

    fn draw(&self, now: Duration, counts: &[usize], recent: &VecDeque<Sample>) {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (region, line) in self.regions.iter().enumerate() {
            let of_region = recent.iter().filter(|sample| sample.region == region);
            let mut latencies: Vec<f64> = of_region.map(|sample| ms(sample.latency())).collect();
            latencies.sort_by(f64::total_cmp);
            let (ops, rate) = (counts[region], latencies.len());
            let median = match rate {
                0 => "       –".to_owned(),
                _ => format!("{:>5.0} ms", percentile(&latencies, 50)),
            };
            let state = match states[region] {
                State::Up => "\u{1b}[32m● up\u{1b}[0m",
                State::Killed => "\u{1b}[31m✗ dead, its clients go elsewhere\u{1b}[0m",
                State::Restarting => "\u{1b}[33m● starting, catching up\u{1b}[0m",
                State::Back => "\u{1b}[32m● back\u{1b}[0m",
            };
            line.set_message(format!("{ops:>7} ops  {rate:>5}/s  p50 {median}   {state}"));
        }
        self.time.set_position(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        self.time.set_message(format!("{:.0} s", now.as_secs_f64()));
    }

    /// Removes the lines that change.
    pub(super) fn clear(&self) {
        self.regions.iter().chain([&self.time]).for_each(ProgressBar::finish_and_clear);
    }
}
