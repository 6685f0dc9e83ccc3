//! `plasma-bench`: measures, prints a table, writes `target/bench.json`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use plasma_load_tests::figures::{
    idle_memory, latency_half, offline, progress, purchase, ratchet, relay_connect, relay_unary,
    renewals,
};
use plasma_load_tests::machine::Cores;
use plasma_load_tests::options::{Arguments, FigureName, Options};
use plasma_load_tests::relay::{self, Mode};
use plasma_load_tests::report::{self, Figure};
use plasma_testkit::unless_interrupted;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};
use tokio::time::{Instant, timeout_at};

/// Everything together ends within this, whatever hangs.
const AT_MOST: Duration = Duration::from_mins(30);

/// The order in which figures are measured.
const ORDER: [FigureName; 13] = [
    FigureName::Handshake,
    FigureName::RatchetTurn,
    FigureName::RatchetChain,
    FigureName::Fanout10,
    FigureName::RelayUnary,
    FigureName::RelayConnect,
    FigureName::LatencyHalf,
    FigureName::IdleMemory,
    FigureName::OfflineStore,
    FigureName::OfflineDrain,
    FigureName::PurchaseHot,
    FigureName::PurchaseSpread,
    FigureName::Renewals,
];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plasma-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Mode::RelayServer { listen }) = arguments.mode {
        // The runtime that `plasma serve` has.
        return Runtime::new()?.block_on(relay::serve(listen));
    }
    let options = &arguments.options;
    let cores = Cores::find()?;
    // One thread, so that the load does not compete with itself.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let measuring = async { Ok(measure_all(options, &cores, Instant::now() + AT_MOST).await) };
    let (figures, failures) = LocalSet::new().block_on(&runtime, unless_interrupted(measuring))?;
    report::write(&figures, &options.output)?;
    if !figures.is_empty() {
        println!("{}", report::table(&figures));
        println!("written to {}", options.output.display());
    }
    for failure in &failures {
        eprintln!("plasma-bench: {failure:#}");
    }
    ensure!(failures.is_empty(), "{} of the figures could not be measured", failures.len());
    Ok(())
}

/// Measures what is asked for; a figure that fails does not keep the others from being measured.
async fn measure_all(
    options: &Options,
    cores: &Cores,
    deadline: Instant,
) -> (Vec<Figure>, Vec<anyhow::Error>) {
    let (mut figures, mut failures) = (Vec::new(), Vec::new());
    for name in ORDER {
        if !options.wants(name) {
            continue;
        }
        // Some figures compute without a pause: an interruption is heard between them.
        yield_now().await;
        let measuring = measure(name, options, cores, &mut figures);
        let outcome = timeout_at(deadline, measuring).await;
        // A figure that was cut short may have left this process pinned.
        let unpinned = cores.unpin(std::process::id());
        if let Err(error) = outcome.context("out of time").and_then(|done| unpinned.and(done)) {
            progress(name.name(), "failed");
            failures.push(error.context(name.name()));
        }
    }
    (figures, failures)
}

async fn measure(
    name: FigureName,
    options: &Options,
    cores: &Cores,
    figures: &mut Vec<Figure>,
) -> Result<()> {
    match name {
        FigureName::RelayUnary => figures.push(relay_unary::measure(options, cores).await?),
        FigureName::RelayConnect => relay_connect::measure(options, cores, figures).await?,
        FigureName::LatencyHalf => latency_half::measure(options, cores, figures).await?,
        FigureName::IdleMemory => figures.extend(idle_memory::measure(options, cores).await?),
        // What is stored is what is drained: both are measured together.
        FigureName::OfflineDrain if options.wants(FigureName::OfflineStore) => {}
        FigureName::OfflineStore | FigureName::OfflineDrain => {
            figures.extend(offline::measure(options, cores).await?);
        }
        FigureName::PurchaseHot => figures.push(purchase::measure_hot(options, cores).await?),
        FigureName::PurchaseSpread => {
            figures.extend(purchase::measure_spread(options, cores).await?);
        }
        FigureName::Renewals => figures.extend(renewals::measure(options, cores).await?),
        FigureName::Handshake
        | FigureName::RatchetTurn
        | FigureName::RatchetChain
        | FigureName::Fanout10 => figures.push(ratchet::measure(name, options)?),
    }
    Ok(())
}
