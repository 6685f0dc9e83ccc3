//! `plasma-load`: loads the service, writes a report, and ends with 1 where a promise was broken.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use plasma_load_tests::load::options::{Arguments, Mode};
use plasma_load_tests::size::Form;
use plasma_load_tests::{load, relay, size};
use plasma_testkit::unless_interrupted;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plasma-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every promise was kept.
fn run(arguments: &Arguments) -> Result<bool> {
    match &arguments.mode {
        // The runtime that `plasma serve` has.
        Some(Mode::Relay(relay::Mode::RelayServer { listen })) => {
            return Runtime::new()?.block_on(relay::serve(*listen)).map(|()| true);
        }
        Some(Mode::Size(arguments)) => return size::run(arguments),
        None => {}
    }
    let profile = arguments.profile.context("a profile")?;
    let options = &arguments.options;
    let threads = usize::from(options.threads);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let outcome = runtime.block_on(unless_interrupted(load::run(profile, options)))?;
    let path = load::output(profile, options);
    let [json, html] = outcome.write(&path)?;
    if let Some(costs) = outcome.costs.as_ref() {
        let units = path.with_extension("units.json");
        costs.write(&units)?;
        println!("{}\nunit costs written to {}", size::units(costs, Form::Plain), units.display());
    }
    println!("{}\nwritten to {} and {}", outcome.text(), json.display(), html.display());
    Ok(outcome.is_clean)
}
