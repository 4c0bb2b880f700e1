//! A history for each class, told in words such as `x+1 y:1,2`: appends 1 to x and reads 1, 2 of y.

use althing_checker::list_append::{Anomaly, Appends, Class, ListHistory, Step, check};

#[derive(Default)]
struct Story(ListHistory);

fn steps(words: &str) -> Vec<Step> {
    let step = |word: &str| match word.split_once('+') {
        Some((key, element)) => Step::append(key, element.parse().unwrap()),
        None => {
            let (key, list) = word.split_once(':').expect("a read has a colon");
            let elements = list.split(',').filter(|element| !element.is_empty());
            Step::read(key, elements.map(|e| e.parse().unwrap()).collect::<Vec<u64>>())
        }
    };
    words.split_whitespace().map(step).collect()
}

fn appends(words: &str) -> Appends {
    let appends = steps(words).into_iter().filter_map(|step| match step {
        Step::Append { key, element } => Some((key, element)),
        Step::Read { .. } => None,
    });
    appends.collect()
}

impl Story {
    /// One transaction after all before it.
    fn then(self, words: &str) -> Self {
        self.at_once([words])
    }

    /// Transactions that all overlap.
    fn at_once<const N: usize>(mut self, all: [&str; N]) -> Self {
        let begun = all.map(|words| (self.0.invoked(1, 0, appends(words)), steps(words)));
        begun.into_iter().for_each(|(id, steps)| self.0.returned(id, 0, steps));
        self
    }

    /// One that would have appended, and returned without.
    fn without(mut self, would: &str, did: &str) -> Self {
        let id = self.0.invoked(1, 0, appends(would));
        self.0.returned(id, 0, steps(did));
        self
    }

    fn unknown(mut self, words: &str) -> Self {
        self.0.invoked(1, 0, appends(words));
        self
    }

    fn failed(mut self, words: &str) -> Self {
        let id = self.0.invoked(1, 0, appends(words));
        self.0.failed(id);
        self
    }

    fn is_right(&self) {
        if let Err(anomaly) = check(&self.0) {
            panic!("{anomaly}");
        }
    }

    fn is(&self, class: Class) -> Anomaly {
        let anomaly = check(&self.0).expect_err("it is wrong");
        assert_eq!(anomaly.class, class, "{anomaly}");
        *anomaly
    }
}

fn story() -> Story {
    Story::default()
}

/// Broken: right histories are condemned.
#[test]
fn right_histories_pass() {
    story().is_right();
    story().then("x+1 y+1").then("x:1 y:1 x+2 x:1,2").then("x:1,2 z:").is_right();
    // Concurrent ones may be in any order, and each may miss the other's append, not both.
    story().at_once(["y: x+1", "x:1 y+2"]).then("x:1 y:2").is_right();
    story().at_once(["x+1 y+1", "x+2 y+2"]).then("x:2,1 y:2,1").is_right();
    // One that is never read, with nobody who could have.
    story().at_once(["x+1", "x:"]).is_right();
    story().then("x:").then("x+1").is_right();
    // Whose outcome nobody knows may have been, may be later, or not.
    story().unknown("x+1").then("x:1").is_right();
    story().unknown("x+1").then("x:").then("x:1").is_right();
    story().unknown("x+1").then("x+2").then("x:2").is_right();
    story().failed("x+1").then("x:").is_right();
    story().without("x+1", "y:").then("x:").is_right();
}

/// Broken: an element that took effect twice passes.
#[test]
fn duplicate_append() {
    story().then("x+1").then("x:1,1").is(Class::DuplicateAppend);
}

/// Broken: a value out of nowhere passes.
#[test]
fn garbage() {
    story().then("x+1").then("y:1").is(Class::Garbage);
}

/// Broken: what a client was told never to happen happens.
#[test]
fn aborted_read() {
    story().failed("x+1").then("x:1").is(Class::G1a);
    story().without("x+1", "y:").then("x:1").is(Class::G1a);
}

/// Broken: a transaction that does not see itself, or sees two states, passes.
#[test]
fn internal() {
    story().then("x+1 x:").is(Class::Internal);
    story().then("x+1 x+2 x:1").is(Class::Internal);
    story().at_once(["x+1", "x: x:1"]).is(Class::Internal);
    story().then("x:1 x+1").is(Class::Internal);
}

/// Broken: two replicas with two orders of one list pass.
#[test]
fn incompatible_orders() {
    story().at_once(["x+1", "x+2"]).at_once(["x:1,2", "x:2,1"]).is(Class::IncompatibleOrders);
    story().at_once(["x+1", "x+2"]).at_once(["x:1", "x:2"]).is(Class::IncompatibleOrders);
    story().then("x+1 x+2").then("x:2,1").is(Class::IncompatibleOrders);
    story().then("x+1 x+2").then("x:2").is(Class::IncompatibleOrders);
}

/// Broken: half a transaction is seen.
#[test]
fn intermediate_read() {
    story().at_once(["x+1 x+2", "x:1"]).is(Class::G1b);
    story().unknown("x+1 x+2").then("x:1").is(Class::G1b);
}

/// Broken: an append that was acknowledged and is nowhere passes.
#[test]
fn lost_append() {
    story().then("x+1").then("x:").is(Class::LostAppend);
    story().then("x+1").then("x+2").then("x:2").is(Class::LostAppend);
}

/// Broken: transactions that are interleaved pass.
#[test]
fn write_cycle() {
    story().at_once(["x+1 y+1", "x+2 y+2"]).then("x:1,2 y:2,1").is(Class::G0);
    story().at_once(["x+1 x+3", "x+2"]).then("x:1,2,3").is(Class::G0);
}

/// Broken: two transactions that each see the other's effect pass.
#[test]
fn circular_information_flow() {
    let anomaly = story().at_once(["x+1 y:2", "y+2 x:1"]).is(Class::G1c);
    assert_eq!(anomaly.operations.len(), 2);
}

/// Broken: a reader that sees one half of a transaction and not the other passes.
#[test]
fn read_skew() {
    story().at_once(["x+1 y+1", "x:1 y:"]).is(Class::GSingle);
    story().unknown("x+1 y+1").then("x:1 y:").is(Class::GSingle);
    // Two read the same and both append: one update is lost.
    story().at_once(["x: x+1", "x: x+2"]).then("x:1,2").is(Class::GSingle);
}

/// Broken: write skew and long forks pass, which snapshot isolation and weaker let through.
#[test]
fn anti_dependency_cycle() {
    story().at_once(["x: y+1", "y: x+2"]).is(Class::G2);
    story().at_once(["x+1", "y+2", "x:1 y:", "x: y:2"]).is(Class::G2);
}

/// Broken: what is serializable, in an order that real time forbids, passes.
#[test]
fn real_time() {
    story().then("x+1").then("x+2").then("x:2,1").is(Class::G0RealTime);
    story().then("x:1").then("x+1").is(Class::G1cRealTime);
    story().then("x+1").then("x:1").then("x:").is(Class::GSingleRealTime);
    story().unknown("x+1").then("x:1").then("x:").is(Class::GSingleRealTime);

    // The second is concurrent with both others, misses the one's append and is missed by the other.
    let mut skew = ListHistory::new();
    let long = skew.invoked(2, 0, appends("x+1"));
    let one = skew.invoked(1, 0, appends("y+3"));
    skew.returned(one, 0, steps("y+3"));
    let other = skew.invoked(1, 0, appends(""));
    skew.returned(other, 0, steps("x:"));
    skew.returned(long, 0, steps("y: x+1"));
    Story(skew).is(Class::G2RealTime);
}

/// Broken: a reader of a failed run is told nothing that helps.
#[test]
fn the_account_tells_the_smallest_cycle() {
    let mut story = story().at_once(["x+1 y+1", "x:1 y:"]);
    for other in 2..50 {
        // A larger cycle through the same transactions.
        story = story.at_once([&format!("x+{other}"), &format!("z+{other}")]);
    }
    let anomaly = story.is(Class::GSingle);
    assert_eq!(
        anomaly.to_string(),
        "G-single (read skew): 2 transactions, each before the next, in a circle:\n  \
         T1 of client 1 at 1..3: read [1] of x, read [] of y\n    \
         T1 is before T0: it did not see T0's 1 in y (rw)\n  \
         T0 of client 1 at 0..2: append 1 to x, append 1 to y\n    \
         T0 is before T1: T1 saw its 1 in x (wr)"
    );
}

/// Broken: a long run ends the process, or takes for ever.
#[test]
fn long_histories_are_decided() {
    let mut story = story();
    let mut list = String::new();
    for number in 0..6_000 {
        if number % 20 == 0 {
            list.clear();
        }
        let (key, comma) = (number / 20, if list.is_empty() { "" } else { "," });
        list = format!("{list}{comma}{number}");
        story = story.then(&format!("{key}+{number} all+{number} {key}:{list}"));
    }
    story.is_right();
    // That of number 19 was read by its own transaction alone.
    let list: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
    let story = story.then(&format!("0:{}", list.join(",")));
    let anomaly = story.then("0:0,1,2,3,4,5").is(Class::GSingleRealTime);
    assert_eq!(anomaly.operations.len(), 2, "{anomaly}");
}
