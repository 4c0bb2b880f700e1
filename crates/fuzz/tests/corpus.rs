//! Every target on its corpus, and on a second of fresh inputs.

use althing_fuzz::{Corpus, Fuzzer, TARGETS, Target};

/// Inputs made anew for each target: about a second in an unoptimised build.
const FRESH: u64 = 1500;

fn corpus(target: Target) -> Vec<Vec<u8>> {
    let files = Corpus::of(target).read().unwrap();
    files.into_iter().map(|(_, input)| input).collect()
}

/// Broken: what was found once is back, or the corpus no longer reaches what it was kept for.
#[test]
fn every_property_holds_on_the_corpus() {
    for target in TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 4, "{} has a corpus", target.name);
        let fuzzer = Fuzzer::new(target, 0, &inputs)
            .unwrap_or_else(|failure| panic!("{}: {failure:?}", target.name));
        // Each file is there because it leads to something that no other does.
        let (kept, all) = (fuzzer.kept().len(), inputs.len());
        assert!(kept * 4 >= all * 3, "{}: {kept} of {all} lead to something new", target.name);
    }
}

/// Broken: a peer's bytes, or its messages at the wrong time, end a node.
#[test]
fn every_property_holds_on_fresh_inputs() {
    for target in TARGETS {
        let mut fuzzer = Fuzzer::new(target, 20_261_124, &corpus(target)).unwrap();
        for _ in 0..FRESH {
            if let Err(failure) = fuzzer.step() {
                panic!("{}: {failure:?}", target.name);
            }
        }
    }
}

/// Broken: a target's inputs all end before they reach what they are for, so that it cannot fail.
#[test]
fn well_formed_inputs_reach_what_targets_are_for() {
    for (name, least) in [
        ("frame", 40),
        ("message", 70),
        ("record", 120),
        ("journal", 45),
        ("node_config", 28),
        ("client_file", 20),
        ("planet", 6),
        ("identity", 9),
        ("kv", 16),
        ("resp", 100),
        ("snapshot", 30),
        ("snapshot_file", 16),
        ("registry", 30),
        ("voter", 200),
        ("dependency", 40),
        ("acceptor", 40),
        ("proposer", 450),
        ("replica", 100),
        ("client", 80),
    ] {
        let target = Target::named(name).unwrap();
        let mut fuzzer = Fuzzer::new(target, 7, &[]).unwrap();
        for _ in 0..FRESH {
            fuzzer.step().unwrap();
        }
        let outcomes = fuzzer.outcomes().len();
        assert!(outcomes >= least, "{name}: {outcomes} outcomes, and {least} are easy");
    }
}
