//! `plasma-faults`: breaks a service of its own in every way that it must stand, and says whether
//! it kept its promises.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use plasma_load_tests::dice::Dice;
use plasma_load_tests::faults::planted::{BUGS, Bug};
use plasma_load_tests::faults::probe::{BRIEF_STREAMS, Nodes, Probe, Scene};
use plasma_load_tests::faults::promptness::WithoutRedis;
use plasma_load_tests::faults::storm::Storm;
use plasma_testkit::{ClusterKind, unless_interrupted};

/// Breaks a service of its own in every way that it must stand.
#[derive(Debug, Parser)]
#[command(name = "plasma-faults")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// Repeats a run: the same faults after the same pauses.
    #[arg(long, env = "SEED", global = true)]
    seed: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Ask every question that needs one fault at one moment, then let everything fail at random.
    Run {
        /// Messages on both ways to run together, at least.
        #[arg(long, default_value_t = 100_000)]
        messages: u64,
        /// Streams of the nodes when one of them is drained.
        #[arg(long, default_value_t = 1_000)]
        streams: usize,
        /// One way to run alone.
        #[arg(long)]
        only: Option<Way>,
        /// The bounded run of the tests instead.
        #[arg(long, conflicts_with_all = ["messages", "streams"])]
        brief: bool,
        /// Without the questions that need one fault at one moment.
        #[arg(long)]
        storm_only: bool,
    },
    /// See that each planted bug is caught, and that nothing is where none is planted.
    Control {
        /// One bug alone.
        bug: Option<String>,
    },
}

/// A way to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    /// One node on SQLite
    Embedded,
    /// Nodes on PostgreSQL and Redis
    Scaled,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plasma-faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let seed = arguments.seed.unwrap_or_else(Dice::random_seed);
    println!("SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(unless_interrupted(async {
        match &arguments.task {
            Task::Run { messages, streams, only, brief, storm_only } => {
                let kinds = match only {
                    None => vec![ClusterKind::Embedded, ClusterKind::Scaled],
                    Some(Way::Embedded) => vec![ClusterKind::Embedded],
                    Some(Way::Scaled) => vec![ClusterKind::Scaled],
                };
                let share = messages.div_ceil(kinds.len() as u64);
                for kind in kinds {
                    let (streams, blowing) = if *brief {
                        (BRIEF_STREAMS, Storm::short(kind, seed))
                    } else {
                        (*streams, Storm { messages: share, ..Storm::long(kind, seed) })
                    };
                    if !storm_only {
                        probe(kind, seed, streams).await?;
                    }
                    storm(blowing).await?;
                }
                Ok(())
            }
            Task::Control { bug } => control(seed, bug.as_deref()).await,
        }
    }))
}

async fn probe(kind: ClusterKind, seed: u64, streams: usize) -> Result<()> {
    let mut scene = Scene::start(kind, Nodes::Sound, seed).await?;
    scene.streams = streams;
    for probe in Probe::ALL.into_iter().filter(|probe| probe.fits(kind)) {
        let begun = Instant::now();
        let found = probe.ask(&mut scene).await?;
        println!("{kind:?}, {probe}: {found} [{:.1} s]", begun.elapsed().as_secs_f64());
        ensure!(found.is_kept(), "a promise was broken (SEED={seed})");
    }
    Ok(())
}

async fn storm(storm: Storm) -> Result<()> {
    let outcome = storm.blow().await?;
    println!("{outcome}");
    ensure!(outcome.is_clean(), "promises were broken (SEED={})", storm.seed);
    let Some(without_redis) = WithoutRedis::of(&outcome) else { return Ok(()) };
    println!("{without_redis}");
    without_redis.check()
}

async fn control(seed: u64, wanted: Option<&str>) -> Result<()> {
    let bugs: Vec<Bug> =
        BUGS.into_iter().filter(|bug| wanted.is_none_or(|wanted| wanted == bug.name)).collect();
    ensure!(!bugs.is_empty(), "there is no such bug");
    // The control of the control: the same program without a bug breaks nothing.
    let mut scene = Scene::start(ClusterKind::Scaled, Nodes::Planted(""), seed).await?;
    for probe in Probe::ALL {
        let found = probe.ask(&mut scene).await?;
        println!("no bug, {probe}: {found}");
        ensure!(found.is_kept(), "without a bug a promise was broken (SEED={seed})");
    }
    drop(scene);
    let mut missed = Vec::new();
    for Bug { name, caught_by } in bugs {
        let mut scene = Scene::start(ClusterKind::Scaled, Nodes::Planted(name), seed).await?;
        let begun = Instant::now();
        let found = caught_by.ask(&mut scene).await?;
        println!("{name}, {caught_by}: {found} [{:.1} s]", begun.elapsed().as_secs_f64());
        if found.is_kept() {
            missed.push(name);
        }
    }
    ensure!(missed.is_empty(), "not caught: {}", missed.join(", "));
    println!("every planted bug was caught");
    Ok(())
}
