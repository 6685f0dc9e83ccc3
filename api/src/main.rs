//! `plasma`: serve | migrate | demo | admin | ledger.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use plasma_api::config::Config;
use plasma_api::{admin, ledger, migrate, node, server, wallet_check};
use plasma_kit::telemetry::Telemetry;

/// Paid, end-to-end encrypted chat between users of partner platforms.
#[derive(Debug, Parser)]
#[command(name = "plasma", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a node. With no configuration: one node on SQLite in ./plasma-data, port 7001.
    Serve {
        /// Print the configuration in force, check the database and the bus, and end.
        #[arg(long)]
        check: bool,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Play the whole story against real servers on this machine.
    #[command(disable_help_flag = true)]
    Demo {
        /// Passed on to `plasma-demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Onboard and steer platforms over gRPC.
    Admin(admin::Arguments),
    /// Verify the books in the database of the configuration.
    Ledger(ledger::Arguments),
    /// Try a partner's own wallet against the contract, and report.
    WalletCheck(wallet_check::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plasma: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    // Several crates bring a TLS provider; the process must have chosen one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Task::Demo { arguments } = &arguments.command {
        return demo(arguments);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Task::Serve { check: true } => check().await,
            Task::Serve { check: false } => serve().await,
            Task::Migrate => {
                migrate::up(&node::connect(&Config::load()?).await?).await?;
                println!("the schema is up to date");
                Ok(())
            }
            Task::Admin(arguments) => admin::run(arguments).await,
            Task::Ledger(arguments) => ledger::run(arguments).await,
            Task::WalletCheck(arguments) => wallet_check::run(arguments).await,
            Task::Demo { .. } => unreachable!("handled before the runtime started"),
        }
    })
}

async fn serve() -> Result<()> {
    let config = Config::load()?;
    let _telemetry = Telemetry::start(&config.telemetry)?;
    let node = node::Node::start(&config).await?;
    server::serve(&config, node).await
}

async fn check() -> Result<()> {
    let config = Config::load()?;
    println!("{config}");
    let db = node::connect(&config).await?;
    let pending = migrate::pending(&db).await?;
    if pending.is_empty() {
        println!("schema                 up to date");
    } else {
        println!("schema                 lacks {}", pending.join(", "));
    }
    node::check_bus(&config).await?;
    println!("the configuration is fine");
    Ok(())
}

/// Becomes `plasma-demo`, which lies beside this program: the server does not link the protocol
/// that the demo's devices speak.
fn demo(arguments: &[String]) -> Result<()> {
    let own = std::env::current_exe()?;
    let demo = own.with_file_name("plasma-demo");
    let error = Command::new(&demo).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}; build it with `make demo`", demo.display()))
}
