//! The driver on the stable toolchain: `cargo run --profile swarm -p althing-fuzz -- --target
//! voter --seconds 60`.

use althing_fuzz::{Corpus, Failure, Fuzzer, Outcomes, TARGETS, Target};
use anyhow::{Context, bail};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Fuzzes decoders and roles. Ends with 1 and one line that reproduces it when a property fails.
#[derive(Parser)]
struct Arguments {
    /// Which target; `all` is each in turn.
    #[arg(long, default_value = "all")]
    target: String,
    /// How long, for each target.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The same seed, on the same corpus, makes the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs these files instead.
    #[arg(long, num_args = 1..)]
    replay: Vec<PathBuf>,
    /// Replaces the target's corpus by a few inputs that led to the most.
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let targets = match arguments.target.as_str() {
        "all" => TARGETS.to_vec(),
        name => vec![Target::named(name).with_context(|| {
            format!("there is no target {name}: {}", TARGETS.map(|it| it.name).join(", "))
        })?],
    };
    if !arguments.replay.is_empty() {
        return replay(&targets, &arguments.replay);
    }
    // What a property says is told with the input that it fails for; once is enough.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = 0;
    for target in targets {
        failed += usize::from(!fuzz(target, &arguments)?);
    }
    if failed > 0 {
        bail!("{failed} failed");
    }
    Ok(())
}

/// Fuzzes one target; whether its property held.
fn fuzz(target: Target, arguments: &Arguments) -> anyhow::Result<bool> {
    let bar = ProgressBar::new(arguments.seconds)
        .with_style(ProgressStyle::with_template("{prefix:12} [{bar:30}] {pos}/{len} s  {msg}")?);
    bar.set_prefix(target.name);
    let corpus = Corpus::of(target);
    let inputs: Vec<Vec<u8>> = corpus.read()?.into_iter().map(|(_, input)| input).collect();
    let begun = Instant::now();
    let mut fuzzer = match Fuzzer::new(target, arguments.seed, &inputs) {
        Ok(fuzzer) => fuzzer,
        Err(failure) => return report(target, failure).map(|()| false),
    };
    let mut told = begun;
    while begun.elapsed() < Duration::from_secs(arguments.seconds) {
        for _ in 0..16 {
            if let Err(failure) = fuzzer.step() {
                bar.abandon();
                return report(target, failure).map(|()| false);
            }
        }
        if told.elapsed() >= Duration::from_millis(200) {
            told = Instant::now();
            bar.set_position(begun.elapsed().as_secs());
            bar.set_message(progress(&fuzzer, begun));
        }
    }
    bar.finish_and_clear();
    println!("{:12} {}", target.name, progress(&fuzzer, begun));
    if arguments.keep {
        println!("{:12} {} inputs kept in corpus/", target.name, corpus.replace(&fuzzer)?);
    }
    Ok(true)
}

fn progress(fuzzer: &Fuzzer, begun: Instant) -> String {
    format!(
        "{} executions, {:.0}/s, {} outcomes",
        fuzzer.executions(),
        fuzzer.executions() as f64 / begun.elapsed().as_secs_f64(),
        fuzzer.outcomes().len()
    )
}

/// Writes the input, shrunk, and says how to run it again.
fn report(target: Target, failure: Failure) -> anyhow::Result<()> {
    let failure = failure.shrunk(target);
    let mut hasher = DefaultHasher::new();
    failure.input.hash(&mut hasher);
    let file = PathBuf::from(format!("failure-{}-{:016x}", target.name, hasher.finish()));
    std::fs::write(&file, &failure.input)?;
    println!("{}: {}", target.name, failure.message);
    println!(
        "reproduce: cargo run --profile swarm -p althing-fuzz -- --target {} --replay {}",
        target.name,
        file.display()
    );
    Ok(())
}

/// Runs files, with the panic and its place told as usual.
fn replay(targets: &[Target], files: &[PathBuf]) -> anyhow::Result<()> {
    let [target] = targets else { bail!("--replay takes one --target") };
    for file in files {
        let input = read(file)?;
        (target.run)(&input, &mut Outcomes::default());
        println!("{}: the property holds", file.display());
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| file.display().to_string())
}
