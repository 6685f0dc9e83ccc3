//! `plasma admin price`: the price list, its drafts, what they would have earned, and groups of
//! payers.

mod definition;
mod drafts;
mod groups;
mod list;
mod shown;

use anyhow::Result;
use clap::{Args, Subcommand};
use plasma_proto::billing::v1::pricing_service_client::PricingServiceClient;
use tonic::transport::Channel;

use super::Connection;

/// Keep the price list.
#[derive(Debug, Args)]
pub(crate) struct Prices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publish a price, in force at once or from a time on.
    Publish(list::Publish),
    /// Withdraw a price that has not taken effect yet.
    Withdraw(list::Withdraw),
    /// List all versions of all prices, newest first.
    List,
    /// Show what access costs, and which rule says so.
    Explain(list::Explain),
    /// Draft a price, which nobody pays.
    Draft(drafts::Create),
    /// List drafts.
    Drafts,
    /// Delete a draft.
    DeleteDraft(drafts::Delete),
    /// Publish a draft.
    PublishDraft(drafts::Publish),
    /// Replay the charges of a time as if drafts had been in force.
    Simulate(drafts::Simulate),
    /// Create a group of payers.
    Group(groups::Create),
    /// List groups of payers.
    Groups,
    /// Delete a group that has no payers.
    DeleteGroup(groups::Delete),
    /// Put a payer, or everybody of a platform, into a group.
    AddPayer(groups::Add),
    /// Take a payer, or everybody of a platform, out of a group.
    RemovePayer(groups::Remove),
    /// List the payers of a group.
    Payers(groups::Payers),
}

impl Prices {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        match self.command {
            Command::Publish(command) => command.run(connection).await,
            Command::Withdraw(command) => command.run(connection).await,
            Command::List => list::list(connection).await,
            Command::Explain(command) => command.run(connection).await,
            Command::Draft(command) => command.run(connection).await,
            Command::Drafts => drafts::list(connection).await,
            Command::DeleteDraft(command) => command.run(connection).await,
            Command::PublishDraft(command) => command.run(connection).await,
            Command::Simulate(command) => command.run(connection).await,
            Command::Group(command) => command.run(connection).await,
            Command::Groups => groups::list(connection).await,
            Command::DeleteGroup(command) => command.run(connection).await,
            Command::AddPayer(command) => command.run(connection).await,
            Command::RemovePayer(command) => command.run(connection).await,
            Command::Payers(command) => command.run(connection).await,
        }
    }
}

fn client(connection: &Connection) -> PricingServiceClient<Channel> {
    PricingServiceClient::new(connection.channel.clone())
}
