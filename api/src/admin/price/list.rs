//! Published prices.

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::Table;
use plasma_proto::billing::v1::{
    ExplainPriceRequest, ListPricesRequest, Price, PublishPriceRequest, WithdrawPriceRequest,
};
use prost_types::Timestamp;

use super::definition::Definition;
use super::{client, shown};
use crate::admin::Connection;
use crate::admin::connection::{explain, request_id};

/// Publish a price.
#[derive(Debug, Args)]
pub(super) struct Publish {
    #[command(flatten)]
    definition: Definition,
    /// From when on it is in force, such as 2027-03-01T00:00:00Z; at once where it is not given.
    #[arg(long)]
    from: Option<Timestamp>,
}

impl Publish {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = PublishPriceRequest {
            request_id: request_id(),
            definition: Some(self.definition.read()?),
            effective_time: self.from,
        };
        let request = connection.request(request);
        let answer = client(connection).publish_price(request).await.map_err(explain)?;
        published(answer.into_inner().price)
    }
}

/// Says from when on a price is in force.
pub(super) fn published(price: Option<Price>) -> Result<()> {
    let price = price.context("the answer has no price")?;
    let from = shown::moment(price.effective_time.as_ref());
    println!("{} is in force from {from} on as version {}", price.price_id, price.version);
    Ok(())
}

/// Withdraw a price that has not taken effect yet.
#[derive(Debug, Args)]
pub(super) struct Withdraw {
    /// The price, price_….
    price_id: String,
}

impl Withdraw {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = WithdrawPriceRequest { request_id: request_id(), price_id: self.price_id };
        let request = connection.request(request);
        let answer = client(connection).withdraw_price(request).await.map_err(explain)?;
        let price = answer.into_inner().price.context("the answer has no price")?;
        println!("{} is withdrawn", price.price_id);
        Ok(())
    }
}

/// Lists all versions, newest first.
pub(super) async fn list(connection: &Connection) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["price", "version", "for", "costs", "from", "until"]);
    let mut page_token = String::new();
    loop {
        let request = connection.request(ListPricesRequest { page_size: 200, page_token });
        let page = client(connection).list_prices(request).await.map_err(explain)?.into_inner();
        for price in page.prices {
            let [target, cost] = shown::definition(price.definition.as_ref());
            let until = match &price.withdraw_time {
                Some(_) => "withdrawn".to_owned(),
                None => shown::moment(price.supersede_time.as_ref()),
            };
            let from = shown::moment(price.effective_time.as_ref());
            table.add_row([price.price_id, price.version.to_string(), target, cost, from, until]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("{table}");
    Ok(())
}

/// Show what access costs, and which rule says so.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The recipient, user_…; nobody in particular where it is not given.
    #[arg(long, default_value = "")]
    recipient: String,
    /// The payer, user_…; nobody in particular where it is not given.
    #[arg(long, default_value = "")]
    payer: String,
    /// The payer's platform, tenant_…; the own one where it is not given.
    #[arg(long, default_value = "", requires = "payer")]
    payer_tenant: String,
    /// When, such as 2027-03-01T00:00:00Z; now where it is not given.
    #[arg(long)]
    at: Option<Timestamp>,
}

impl Explain {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = connection.request(ExplainPriceRequest {
            recipient_user_id: self.recipient,
            payer_user_id: self.payer,
            payer_tenant_id: self.payer_tenant,
            time: self.at,
        });
        let answer = client(connection).explain_price(request).await.map_err(explain)?;
        let answer = answer.into_inner();
        let because = shown::rule(answer.rule());
        let quote = answer.quote.context("the answer has no quote")?;
        let terms = quote.terms.context("the quote has no terms")?;
        println!("price    {}", shown::cost(&terms));
        println!("version  {}", if quote.price_id.is_empty() { "none" } else { &quote.price_id });
        println!("because  {because}");
        if !answer.payer_group_id.is_empty() {
            println!("group    {}", answer.payer_group_id);
        }
        for price in answer.candidates.iter().skip(1) {
            let [target, cost] = shown::definition(price.definition.as_ref());
            println!("else     {cost}, for {target} ({})", price.price_id);
        }
        Ok(())
    }
}
