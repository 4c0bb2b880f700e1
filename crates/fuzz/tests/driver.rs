//! The driver itself, on properties that do not hold.

use althing_fuzz::{Failure, Fuzzer, Outcomes, TARGETS, Target, allocation};
use arbitrary::Unstructured;

fn target(run: fn(&[u8], &mut Outcomes)) -> Target {
    fn generate(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
        bytes.arbitrary()
    }
    Target { name: "planted", run, generate, len_max: 256, words: &["needle"] }
}

fn failure(target: Target, seed: u64) -> Failure {
    let mut fuzzer = Fuzzer::new(target, seed, &[]).unwrap();
    (0..200_000).find_map(|_| fuzzer.step().err()).expect("it is found").shrunk(target)
}

/// Broken: a property that does not hold is not noticed, or its input cannot be read.
#[test]
fn a_planted_panic_is_found_and_shrunk() {
    let planted = target(|data, outcomes| {
        outcomes.note(data.len());
        let at = data.windows(6).position(|window| window == b"needle");
        assert!(at.is_none_or(|at| data.len() < at + 8), "the needle at {}", at.unwrap_or(0));
    });
    let found = failure(planted, 1);
    assert_eq!(&found.input[..6], b"needle");
    assert_eq!(found.input.len(), 8);
    assert_eq!(found.message, "the needle at 0");
}

/// Broken: what needs several steps, each of which leads to something new, is out of reach.
#[test]
fn what_led_to_something_new_is_built_upon() {
    let staircase = target(|data, outcomes| {
        let steps = data.iter().zip(b"staircase").take_while(|(ours, stair)| ours == stair).count();
        outcomes.note(steps);
        assert!(steps < 4, "at the top");
    });
    assert_eq!(failure(staircase, 2).input, b"stai");
}

/// Broken: one length field makes a node take memory that nobody sent.
#[test]
fn memory_beyond_the_bound_is_a_failure() {
    let greedy = target(|data, _| {
        let announced = data.first().map_or(0, |len| usize::from(*len));
        let taken = allocation::bounded(100, || Vec::<u8>::with_capacity(announced).capacity());
        assert!(taken >= announced);
    });
    let found = failure(greedy, 3);
    assert!(found.input[0] > 100, "{found:?}");
    assert!(found.message.contains("over the 100 allowed"), "{found:?}");
}

/// Broken: an input that fails today fails no more tomorrow.
#[test]
fn a_seed_makes_the_same_inputs() {
    let any = target(|data, outcomes| outcomes.note(data));
    let inputs = |seed| {
        let mut fuzzer = Fuzzer::new(any, seed, &[]).unwrap();
        (0..200).for_each(|_| fuzzer.step().unwrap());
        fuzzer.kept().to_vec()
    };
    assert_eq!(inputs(5), inputs(5));
    assert_ne!(inputs(5), inputs(6));
}

/// Broken: those who fuzz with coverage miss a target.
#[test]
fn coverage_has_every_target() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/coverage");
    let manifest = std::fs::read_to_string(format!("{dir}/Cargo.toml")).unwrap();
    for target in TARGETS {
        let file = format!("fuzz_targets/{}.rs", target.name);
        let text = std::fs::read_to_string(format!("{dir}/{file}")).unwrap();
        assert!(text.contains(&format!("run(\"{}\"", target.name)), "{text}");
        assert!(manifest.contains(&file), "{file} is in no [[bin]]");
    }
}
