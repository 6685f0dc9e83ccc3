//! `plasma admin`: onboards and steers platforms over the same gRPC that partners use.

mod clock;
mod connection;
mod external;
mod money;
mod onboarding;
mod payouts;
mod price;
mod reports;
mod span;

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
    /// Keep the price list (the tenant's admin key).
    Price(price::Prices),
    /// Put money into a user's wallet (an API key with the backend scope).
    Credit(money::Credit),
    /// Show the statement of a time (the tenant's admin key).
    Statement(money::Statement),
    /// Connect the platform's own wallet in the place of hosted ones (the tenant's admin key).
    SetWallet(external::SetWallet),
    /// Show the platform's own wallet (the tenant's admin key).
    ShowWallet,
    /// Disconnect the platform's own wallet (the tenant's admin key).
    RemoveWallet,
    /// List what was asked of the platform's own wallet (the tenant's admin key).
    ListHolds(external::ListHolds),
    /// Compare a day with the platform's own wallet, and show what differs (the tenant's admin key).
    Reconcile(external::Reconcile),
    /// Show a sandbox's clock, or move it (an API key of the sandbox).
    Clock(clock::MoveClock),
    /// Show what access brought, by day, product, recipient or price (the tenant's admin key).
    Revenue(reports::ShowRevenue),
    /// List charges, newest first (the tenant's admin key).
    Charges(reports::ListCharges),
    /// Write charges, postings, wallet entries or payouts as CSV (the tenant's admin key).
    Export(reports::Export),
    /// List what recipients earned and what is left to pay them (an API key).
    Earnings,
    /// Record that a recipient was paid (an API key with the backend scope).
    Payout(payouts::RecordPayout),
    /// List payouts, newest first (an API key).
    Payouts(payouts::ListPayouts),
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
        Command::Price(command) => command.run(&connection).await,
        Command::Credit(command) => command.run(&connection).await,
        Command::Statement(command) => command.run(&connection).await,
        Command::SetWallet(command) => command.run(&connection).await,
        Command::ShowWallet => external::show_wallet(&connection).await,
        Command::RemoveWallet => external::remove_wallet(&connection).await,
        Command::ListHolds(command) => command.run(&connection).await,
        Command::Reconcile(command) => command.run(&connection).await,
        Command::Clock(command) => command.run(&connection).await,
        Command::Revenue(command) => command.run(&connection).await,
        Command::Charges(command) => command.run(&connection).await,
        Command::Export(command) => command.run(&connection).await,
        Command::Earnings => payouts::list_earnings(&connection).await,
        Command::Payout(command) => command.run(&connection).await,
        Command::Payouts(command) => command.run(&connection).await,
    }
}
