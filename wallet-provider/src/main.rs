//! `plasma-wallet-provider`: serves an example wallet on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use plasma_wallet_provider::{Book, Fault, Faults, Flaw, Wallet};

/// An example of a partner's wallet, to look at and to try Plasma against.
#[derive(Debug, Parser)]
#[command(name = "plasma-wallet-provider", version)]
struct Arguments {
    /// Address and port.
    #[arg(long, default_value = "127.0.0.1:7002")]
    listen: SocketAddr,
    /// The file of the book; kept in memory where it is not given.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The secret that callers must have.
    #[arg(
        long,
        env = "WALLET_SECRET",
        hide_env_values = true,
        default_value = "a-secret-for-trying"
    )]
    secret: String,
    /// Money that a user begins with: `user:currency:minor units`. May be given more than once.
    #[arg(long)]
    deposit: Vec<String>,
    /// What goes wrong on the way. May be given more than once.
    #[arg(long, value_enum)]
    fault: Vec<Fault>,
    /// To one call in how many something goes wrong.
    #[arg(long, default_value_t = 4)]
    one_in: u64,
    /// How late something is that is late, in milliseconds.
    #[arg(long, default_value_t = 5_000)]
    delay_milliseconds: u64,
    /// Where chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What of the contract is misunderstood.
    #[arg(long, value_enum)]
    flaw: Option<Flaw>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let book = match &arguments.file {
        Some(file) => Book::open(file).with_context(|| file.display().to_string())?,
        None => Book::in_memory()?,
    };
    for deposit in &arguments.deposit {
        let mut parts = deposit.rsplitn(3, ':');
        let units = parts.next().unwrap_or_default().parse();
        let units = units.with_context(|| format!("{deposit} is not user:currency:units"))?;
        let currency = parts.next().with_context(|| format!("{deposit} has no currency"))?;
        let user = parts.next().with_context(|| format!("{deposit} has no user"))?;
        book.deposit(user, currency, units)?;
    }
    let faults = Faults::default();
    let delay = Duration::from_millis(arguments.delay_milliseconds);
    faults.set(&arguments.fault, arguments.one_in, delay, arguments.seed);
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("a wallet listens on http://{}", listener.local_addr()?);
    let wallet = Wallet::new(book.with_flaw(arguments.flaw), faults, &arguments.secret);
    tokio::select! {
        ended = wallet.serve(listener) => Ok(ended?),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
