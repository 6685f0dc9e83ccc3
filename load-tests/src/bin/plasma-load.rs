//! `plasma-load`: loads the service, writes a report, and ends with 1 where a promise was broken.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use plasma_load_tests::load;
use plasma_load_tests::load::options::Arguments;
use plasma_load_tests::relay::{self, Mode};
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
    if let Some(Mode::RelayServer { listen }) = arguments.mode {
        // The runtime that `plasma serve` has.
        return Runtime::new()?.block_on(relay::serve(listen)).map(|()| true);
    }
    let profile = arguments.profile.context("a profile")?;
    let options = &arguments.options;
    let threads = usize::from(options.threads);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let outcome = runtime.block_on(unless_interrupted(load::run(profile, options)))?;
    let [json, html] = outcome.write(&load::output(profile, options))?;
    println!("{}\nwritten to {} and {}", outcome.text(), json.display(), html.display());
    Ok(outcome.is_clean)
}
