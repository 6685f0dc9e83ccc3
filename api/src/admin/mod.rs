//! `plasma admin`: onboards and steers platforms over the same gRPC that partners use.

mod connection;
mod money;
mod onboarding;

use anyhow::Result;
use clap::{Args, Subcommand};

pub(crate) use connection::Connection;

/// Where to call, and with which key.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service's address.
    #[arg(long, env = "PLASMA_ENDPOINT", default_value = "http://127.0.0.1:7001", global = true)]
    endpoint: String,
    /// The operator's key or an API key, as the command needs. Where it is not given, the
    /// embedded default's own operator key is read from ./plasma-data/operator.key.
    #[arg(long, env = "PLASMA_API_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a platform and its first API key (operator).
    CreateTenant(onboarding::CreateTenant),
    /// List the platforms (operator).
    ListTenants,
    /// Make an API key (operator, or the tenant's admin key).
    CreateKey(onboarding::CreateKey),
    /// Revoke an API key (operator, or the tenant's admin key).
    RevokeKey(onboarding::RevokeKey),
    /// Register the keys that vouch for a platform's users (operator, or the tenant's admin key).
    RegisterProvider(onboarding::RegisterProvider),
    /// Publish a price (the tenant's admin key).
    SetPrice(money::SetPrice),
    /// Show the price in force, and which rule says so (an API key).
    ShowPrice(money::ShowPrice),
    /// Put money into a user's wallet (an API key with the backend scope).
    Credit(money::Credit),
    /// Show the statement of a time (the tenant's admin key).
    Statement(money::Statement),
}

/// Runs one command.
pub async fn run(arguments: Arguments) -> Result<()> {
    let connection = Connection::open(&arguments.endpoint, arguments.key).await?;
    match arguments.command {
        Command::CreateTenant(command) => command.run(&connection).await,
        Command::ListTenants => onboarding::list_tenants(&connection).await,
        Command::CreateKey(command) => command.run(&connection).await,
        Command::RevokeKey(command) => command.run(&connection).await,
        Command::RegisterProvider(command) => command.run(&connection).await,
        Command::SetPrice(command) => command.run(&connection).await,
        Command::ShowPrice(command) => command.run(&connection).await,
        Command::Credit(command) => command.run(&connection).await,
        Command::Statement(command) => command.run(&connection).await,
    }
}
