//! `plasma-faults`: breaks a service of its own in every way that it must stand, and says whether
//! it kept its promises.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::{Parser, Subcommand};
use plasma_load_tests::dice::Dice;
use plasma_load_tests::faults::planted::{BUGS, Bug};
use plasma_load_tests::faults::probe::{Nodes, Probe, Scene};
use plasma_load_tests::faults::storm::Storm;
use plasma_testkit::ClusterKind;

/// Breaks a service of its own in every way that it must stand.
#[derive(Debug, Parser)]
#[command(name = "plasma-faults")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// Repeats a run: the same faults at the same moments.
    #[arg(long, env = "SEED", global = true)]
    seed: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Ask every question that needs one fault at one moment, on both ways to run.
    Probe {
        /// Streams of the node that is drained.
        #[arg(long, default_value_t = 1_000)]
        streams: usize,
    },
    /// Let everything fail at random under a load, on both ways to run.
    Storm {
        /// Messages of both ways together, at least.
        #[arg(long, default_value_t = 100_000)]
        messages: u64,
        /// One way alone: embedded or scaled.
        #[arg(long)]
        only: Option<String>,
        /// Seconds of faults, at least.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        #[arg(long, default_value_t = 40)]
        opaque: usize,
        #[arg(long, default_value_t = 10)]
        sealed: usize,
        #[arg(long, default_value_t = 200)]
        pause: u64,
    },
    /// See that each planted bug is caught, and that nothing is where none is planted.
    Control {
        /// One bug alone.
        bug: Option<String>,
    },
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
    runtime.block_on(async {
        match &arguments.task {
            Task::Probe { streams } => probe(seed, *streams).await,
            Task::Storm { messages, only, seconds, opaque, sealed, pause } => {
                for kind in ClusterKind::BOTH {
                    let name = format!("{kind:?}").to_lowercase();
                    if only.as_ref().is_some_and(|only| *only != name) { continue; }
                    let storm = Storm { kind, seed, opaque: *opaque, sealed: *sealed, pause: Duration::from_millis(*pause), calm: Duration::from_secs(5), faults: Duration::from_secs(*seconds), messages: *messages / 2 };
                    let outcome = storm.blow().await?;
                    println!("{outcome}");
                    ensure!(outcome.is_clean(), "promises were broken");
                }
                Ok(())
            }
            Task::Control { bug } => control(seed, bug.as_deref()).await,
        }
    })
}

async fn probe(seed: u64, streams: usize) -> Result<()> {
    let mut broken = 0;
    for kind in ClusterKind::BOTH {
        let mut scene = Scene::start(kind, Nodes::Sound, seed).await?;
        scene.streams = streams;
        for probe in Probe::ALL.into_iter().filter(|probe| probe.fits(kind)) {
            let begun = Instant::now();
            let found = probe.ask(&mut scene).await?;
            println!("{kind:?}, {probe}: {found} [{:.1} s]", begun.elapsed().as_secs_f64());
            broken += u32::from(!found.is_kept());
        }
    }
    ensure!(broken == 0, "{broken} promises were broken (SEED={seed})");
    Ok(())
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
        ensure!(found.is_kept(), "without a bug a promise was broken");
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
    if !missed.is_empty() {
        bail!("not caught: {}", missed.join(", "));
    }
    println!("every planted bug was caught");
    Ok(())
}
