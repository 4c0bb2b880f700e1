//! Plants every fault that `althing_model::mutant` knows, one at a time, and says how many seeds of
//! the simulator it took to catch it. A fault that is not caught is a hole in the generator.
//!
//! ```text
//! RUSTFLAGS='--cfg mutants' cargo run --profile swarm --target-dir target/mutants \
//!     -p althing-sim --example mutants -- --seeds 1..1000 --ops 300 [--only NAME,NAME] [--json]
//! ```
//! A fault is switched on for the life of a process, so each gets a process of its own: this one,
//! executed again. First nothing is planted, and nothing may be caught. Exits with 1 when a fault
//! was not caught, with 2 when there is nothing to be said.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(mutants))]
fn main() -> std::process::ExitCode {
    eprintln!(
        "built without planted faults; build with them, in a target directory of their own:\n\
         RUSTFLAGS='--cfg mutants' cargo run --profile swarm --target-dir target/mutants \
         -p althing-sim --example mutants -- --help"
    );
    std::process::ExitCode::from(2)
}

#[cfg(mutants)]
fn main() -> std::process::ExitCode {
    hunt::main()
}

#[cfg(mutants)]
mod hunt {
    use althing_model::mutant::{Mutant, planted};
    use althing_sim::{Plan, run};
    use clap::Parser;
    use comfy_table::Table;
    use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
    use std::io::{BufRead, BufReader};
    use std::panic::catch_unwind;
    use std::process::{Child, Command, ExitCode, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::{Duration, Instant};

    /// Of an account, the beginning: whole values may stand in it.
    const ACCOUNT_LEN_MAX: usize = 400;

    /// How many seeds it takes to catch each planted fault.
    #[derive(Parser)]
    struct Options {
        /// The seeds to try, in this order, the last included.
        #[arg(long, default_value = "1..1000", value_parser = seeds)]
        seeds: (u64, u64),
        /// Operations in each seed's run.
        #[arg(long, default_value_t = 300)]
        ops: usize,
        /// Only these faults.
        #[arg(long, value_delimiter = ',', value_parser = known)]
        only: Vec<Mutant>,
        /// Processes at a time; as many as there are cores.
        #[arg(long)]
        jobs: Option<usize>,
        /// Seconds after which a run that does not end is taken never to end.
        #[arg(long, default_value_t = 300)]
        patience: u64,
        /// Seeds that must pass with nothing planted, before anything is.
        #[arg(long, default_value_t = 20)]
        control: u64,
        /// The result as JSON, on standard output.
        #[arg(long)]
        json: bool,
        /// Runs the seeds in this process, with the fault that ALTHING_MUTANT names.
        #[arg(long, hide = true)]
        here: bool,
    }

    fn seeds(range: &str) -> Result<(u64, u64), String> {
        let (first, last) = range.split_once("..").ok_or("A..B, both included")?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text}: no number"));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some((first, last)).ok_or_else(|| "no seed in it".into())
    }

    fn known(name: &str) -> Result<Mutant, String> {
        let all = || Mutant::ALL.map(Mutant::name).join(", ");
        Mutant::named(name).ok_or_else(|| format!("there are {}", all()))
    }

    /// What became of one fault.
    struct Outcome {
        mutant: Mutant,
        caught: Option<Catch>,
        seconds: f64,
    }

    /// By what a fault was caught.
    struct Catch {
        seed: u64,
        /// The oracle, or `assertion`.
        by: String,
        account: String,
    }

    pub(crate) fn main() -> ExitCode {
        let options = Options::parse();
        if options.here {
            return run_here(&options);
        }
        let begun = Instant::now();
        let first = options.seeds.0;
        let control = (first, (first + options.control).saturating_sub(1).min(options.seeds.1));
        let quiet = ProgressBar::hidden();
        if options.control > 0
            && let Some(catch) = run_apart(&options, control, None, &quiet)
        {
            eprintln!(
                "seed {} fails with nothing planted, by {}: {}",
                catch.seed, catch.by, catch.account
            );
            return ExitCode::from(2);
        }
        let outcomes = hunt_all(&options);
        report(&options, &outcomes, begun.elapsed());
        let is_all_caught = outcomes.iter().all(|outcome| outcome.caught.is_some());
        if is_all_caught { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn hunt_all(options: &Options) -> Vec<Outcome> {
        let mutants = if options.only.is_empty() { &Mutant::ALL[..] } else { &options.only };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = options.jobs.unwrap_or(cores).clamp(1, mutants.len());
        let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let bars = MultiProgress::new();
        let style = |template| ProgressStyle::with_template(template).expect("a valid template");
        let total = bars.add(ProgressBar::new(mutants.len() as u64).with_style(style(
            "{bar:40} {pos}/{len} faults, {elapsed}, {eta} to go; not caught: {msg}",
        )));
        total.set_message("0");
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    let bar = bars.add(ProgressBar::new(options.seeds.1 - options.seeds.0 + 1));
                    bar.set_style(style("  {msg:44} seed {pos}/{len}"));
                    while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                        bar.set_message(mutant.name());
                        bar.reset();
                        let begun = Instant::now();
                        let caught = run_apart(options, options.seeds, Some(*mutant), &bar);
                        let seconds = begun.elapsed().as_secs_f64();
                        let mut outcomes = outcomes.lock().expect("no holder panics");
                        outcomes.push(Outcome { mutant: *mutant, caught, seconds });
                        let escaped = outcomes.iter().filter(|it| it.caught.is_none()).count();
                        total.set_message(escaped.to_string());
                        total.inc(1);
                    }
                    bar.finish_and_clear();
                });
            }
        });
        total.finish_and_clear();
        let mut outcomes = outcomes.into_inner().expect("no holder panics");
        outcomes.sort_by_key(|outcome| outcome.mutant);
        outcomes
    }

    /// Runs the seeds in a process of its own; the first that fails, and why.
    fn run_apart(
        options: &Options,
        (first, last): (u64, u64),
        mutant: Option<Mutant>,
        bar: &ProgressBar,
    ) -> Option<Catch> {
        let itself = std::env::current_exe().expect("this program has a file");
        let mut child = Command::new(itself)
            .arg("--here")
            .args(["--seeds", &format!("{first}..{last}"), "--ops", &options.ops.to_string()])
            .env("ALTHING_MUTANT", mutant.map_or("", Mutant::name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be executed again");
        let caught = listen(&mut child, first, Duration::from_secs(options.patience), bar);
        // It ended by itself, but for one that never would.
        let _ = child.kill();
        child.wait().expect("a child can be waited for");
        caught
    }

    /// Follows a child's account, a line for each seed, until it ends or falls silent.
    fn listen(
        child: &mut Child,
        first: u64,
        patience: Duration,
        bar: &ProgressBar,
    ) -> Option<Catch> {
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|it| told.send(it)));
        let mut seed = first;
        loop {
            let line = match heard.recv_timeout(patience) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let account = format!("no end after {} s", patience.as_secs());
                    return Some(Catch { seed, by: "Converges".into(), account });
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            match line.split('\t').collect::<Vec<_>>()[..] {
                ["passed"] => {
                    seed += 1;
                    bar.inc(1);
                }
                ["done"] => return None,
                ["failed", by, account] => {
                    return Some(Catch { seed, by: by.into(), account: account.into() });
                }
                _ => panic!("a child says nothing else: {line}"),
            }
        }
        Some(Catch { seed, by: "assertion".into(), account: "the process ended".into() })
    }

    /// What the child does: tells each seed that passed, and the first that failed.
    fn run_here(options: &Options) -> ExitCode {
        // A misspelt name must not look like a fault that every seed catches.
        let _ = planted();
        std::panic::set_hook(Box::new(|_| {}));
        let tell = |by: &str, account: &str| {
            let line = account.lines().next().unwrap_or_default().replace('\t', " ");
            let account: String = line.chars().take(ACCOUNT_LEN_MAX).collect();
            println!("failed\t{by}\t{account}");
        };
        for seed in options.seeds.0..=options.seeds.1 {
            match catch_unwind(|| run(&Plan::draw(seed, options.ops))) {
                Ok(Ok(_)) => println!("passed"),
                Ok(Err(failure)) => {
                    tell(failure.violation.property, &failure.violation.account);
                    return ExitCode::FAILURE;
                }
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                    tell("assertion", text.unwrap_or("a panic without words"));
                    return ExitCode::FAILURE;
                }
            }
        }
        println!("done");
        ExitCode::SUCCESS
    }

    fn report(options: &Options, outcomes: &[Outcome], took: Duration) {
        let seeds_of = |catch: &Catch| catch.seed - options.seeds.0 + 1;
        let caught_within = |seeds: u64| {
            let caught = outcomes.iter().filter_map(|it| it.caught.as_ref());
            caught.filter(|catch| seeds_of(catch) <= seeds).count()
        };
        if options.json {
            let mutants: Vec<_> = outcomes
                .iter()
                .map(|Outcome { mutant, caught, seconds }| {
                    serde_json::json!({
                        "mutant": mutant.name(),
                        "breaks": mutant.breaks(),
                        "stands_for": mutant.stands_for(),
                        "caught_by": caught.as_ref().map(|catch| &catch.by),
                        "account": caught.as_ref().map(|catch| &catch.account),
                        "seed": caught.as_ref().map(|catch| catch.seed),
                        "seeds": caught.as_ref().map(seeds_of),
                        "seconds": seconds,
                    })
                })
                .collect();
            let all = serde_json::json!({
                "ops": options.ops,
                "seeds": options.seeds.1 - options.seeds.0 + 1,
                "seconds": took.as_secs_f64(),
                "planted": outcomes.len(),
                "caught": caught_within(u64::MAX),
                "mutants": mutants,
            });
            println!("{all}");
            return;
        }
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(["mutant", "what it breaks", "stands for", "caught by", "seeds", "s"]);
        for Outcome { mutant, caught, seconds } in outcomes {
            table.add_row([
                mutant.name().to_string(),
                mutant.breaks().to_string(),
                mutant.stands_for().to_string(),
                caught.as_ref().map_or("NOT CAUGHT".into(), |catch| catch.by.clone()),
                caught.as_ref().map_or("-".into(), |catch| seeds_of(catch).to_string()),
                format!("{seconds:.1}"),
            ]);
        }
        println!("{table}");
        let share = |caught: usize| 100.0 * caught as f64 / outcomes.len() as f64;
        let tried = options.seeds.1 - options.seeds.0 + 1;
        let steps = [1, 10, 100, 1_000, 10_000, 100_000].into_iter().filter(|step| *step < tried);
        for seeds in steps.chain([tried]) {
            let (caught, of) = (caught_within(seeds), outcomes.len());
            println!("within {seeds:>6} seeds: {caught} of {of} ({:.0} %)", share(caught));
        }
        println!("{:.0} s, {} operations a seed", took.as_secs_f64(), options.ops);
    }
}
