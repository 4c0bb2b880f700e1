//! How the nodes of a region committed what their clients submitted: from their pages.

use althing_local::page;
use std::time::Duration;

/// How long a page may take: it is asked for while clients are measured.
const PATIENCE: Duration = Duration::from_secs(2);

/// Counts the commits of a region's nodes, over crashes, in which nodes begin again from nothing.
#[derive(Debug)]
pub(super) struct Meter {
    pages: Vec<String>,
    /// When the present count began, if it could be read.
    base: Option<Commits>,
    /// What ended before.
    counted: Commits,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Commits {
    fast: u64,
    all: u64,
}

impl Meter {
    /// Of the nodes that have these pages, HOST:PORT.
    pub(super) fn new(pages: &[String]) -> Self {
        Self { pages: pages.to_vec(), base: None, counted: Commits::default() }
    }

    /// What happens from now on counts, and nothing before.
    pub(super) async fn begin(&mut self) {
        self.counted = Commits::default();
        self.base = self.read().await;
    }

    /// The nodes are going to be killed.
    pub(super) async fn pause(&mut self) {
        if let (Some(base), Some(now)) = (self.base.take(), self.read().await) {
            self.counted = self.counted.plus(now.since(base));
        }
    }

    /// They are back; what they recovered to get there does not count.
    pub(super) async fn resume(&mut self) {
        self.base = self.read().await;
    }

    /// The share of commits after one round trip; none of none, or when no page could be read.
    pub(super) async fn fast_share(mut self) -> Option<f64> {
        self.pause().await;
        let Commits { fast, all } = self.counted;
        (all > 0).then(|| fast as f64 / all as f64)
    }

    async fn read(&self) -> Option<Commits> {
        let mut sum = None;
        for address in &self.pages {
            let proposer = page::status(address, PATIENCE).await.ok()?.proposer?;
            let counts = proposer.commits;
            let own = counts.fast + counts.slow + counts.classic + counts.recovered;
            // Noops are no commands: a node that comes back fills what it had reserved with them.
            let all = (own + counts.learned).saturating_sub(proposer.noops);
            let commits = Commits { fast: counts.fast, all };
            sum = Some(commits.plus(sum.unwrap_or_default()));
        }
        sum
    }
}

impl Commits {
    fn plus(self, other: Self) -> Self {
        Self { fast: self.fast + other.fast, all: self.all + other.all }
    }

    fn since(self, base: Self) -> Self {
        let Self { fast, all } = self;
        Self { fast: fast.saturating_sub(base.fast), all: all.saturating_sub(base.all) }
    }
}
