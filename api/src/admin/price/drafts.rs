//! Drafts of prices, and what they would have earned.

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::Table;
use plasma_proto::billing::v1::{
    CreatePriceDraftRequest, DeletePriceDraftRequest, ListPriceDraftsRequest,
    PublishPriceDraftRequest, SimulatePricesRequest,
};
use prost_types::Timestamp;

use super::definition::Definition;
use super::list::published;
use super::{client, shown};
use crate::admin::Connection;
use crate::admin::connection::{explain, request_id};

/// Draft a price.
#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    definition: Definition,
    /// A note.
    #[arg(long, default_value = "")]
    note: String,
}

impl Create {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let definition = Some(self.definition.read()?);
        let request =
            CreatePriceDraftRequest { request_id: request_id(), definition, note: self.note };
        let request = connection.request(request);
        let answer = client(connection).create_price_draft(request).await.map_err(explain)?;
        let draft = answer.into_inner().draft.context("the answer has no draft")?;
        println!("{} is drafted", draft.price_draft_id);
        Ok(())
    }
}

/// Lists drafts, newest first.
pub(super) async fn list(connection: &Connection) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["draft", "for", "costs", "note"]);
    let mut page_token = String::new();
    loop {
        let request = connection.request(ListPriceDraftsRequest { page_size: 200, page_token });
        let page = client(connection).list_price_drafts(request).await.map_err(explain)?;
        let page = page.into_inner();
        for draft in page.drafts {
            let [target, cost] = shown::definition(draft.definition.as_ref());
            table.add_row([draft.price_draft_id, target, cost, draft.note]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("{table}");
    Ok(())
}

/// Delete a draft.
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The draft, pricedraft_….
    price_draft_id: String,
}

impl Delete {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let price_draft_id = self.price_draft_id;
        let request = DeletePriceDraftRequest { request_id: request_id(), price_draft_id };
        let request = connection.request(request);
        client(connection).delete_price_draft(request).await.map_err(explain)?;
        println!("deleted");
        Ok(())
    }
}

/// Publish a draft.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The draft, pricedraft_….
    price_draft_id: String,
    /// From when on it is in force, such as 2027-03-01T00:00:00Z; at once where it is not given.
    #[arg(long)]
    from: Option<Timestamp>,
}

impl Publish {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = connection.request(PublishPriceDraftRequest {
            request_id: request_id(),
            price_draft_id: self.price_draft_id,
            effective_time: self.from,
        });
        let answer = client(connection).publish_price_draft(request).await.map_err(explain)?;
        published(answer.into_inner().price)
    }
}

/// Replay the charges of a time as if drafts had been in force.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// The drafts, pricedraft_…, each for somebody else.
    #[arg(required = true)]
    price_draft_ids: Vec<String>,
    /// From when on, such as 2027-02-01T00:00:00Z; 30 days before the end where it is not given.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Until when; now where it is not given.
    #[arg(long)]
    until: Option<Timestamp>,
}

impl Simulate {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = connection.request(SimulatePricesRequest {
            price_draft_ids: self.price_draft_ids,
            start_time: self.from,
            end_time: self.until,
        });
        let answer = client(connection).simulate_prices(request).await.map_err(explain)?;
        let answer = answer.into_inner();
        let (start, end) = (answer.start_time, answer.end_time);
        println!(
            "charges from {} to {}",
            shown::moment(start.as_ref()),
            shown::moment(end.as_ref())
        );
        let mut table = Table::new();
        table.set_header([
            "minor units of",
            "",
            "charges",
            "paid",
            "recipients",
            "platform",
            "operator",
        ]);
        for revenue in answer.revenue {
            let was = [
                revenue.charges,
                revenue.amount_minor_units,
                revenue.recipient_minor_units,
                revenue.platform_minor_units,
                revenue.operator_minor_units,
            ];
            let then = [
                revenue.simulated_charges,
                revenue.simulated_amount_minor_units,
                revenue.simulated_recipient_minor_units,
                revenue.simulated_platform_minor_units,
                revenue.simulated_operator_minor_units,
            ];
            for (name, figures) in [("as it was", was), ("with the drafts", then)] {
                let names = [revenue.currency_code.clone(), name.to_owned()];
                let figures = figures.map(|figure| figure.to_string());
                table.add_row(names.into_iter().chain(figures));
            }
        }
        println!("{table}");
        for draft in answer.drafts {
            println!(
                "{}: {} charges, {} of them dearer, {} cheaper",
                draft.price_draft_id, draft.charges, draft.dearer_charges, draft.cheaper_charges
            );
        }
        Ok(())
    }
}
