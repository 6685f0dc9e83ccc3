//! What recipients earned and were paid.

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::Table;
use plasma_proto::billing::v1::payout_service_client::PayoutServiceClient;
use plasma_proto::billing::v1::{
    Amount, ListEarningsRequest, ListPayoutsRequest, RecordPayoutRequest,
};

use super::Connection;
use super::connection::{explain, request_id};

/// Lists what every recipient earned, page by page.
pub(crate) async fn list_earnings(connection: &Connection) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["recipient", "currency", "earned", "paid out", "payable"]);
    let mut page_token = String::new();
    loop {
        let request =
            ListEarningsRequest { currency_code: String::new(), page_size: 200, page_token };
        let answer = PayoutServiceClient::new(connection.channel.clone())
            .list_earnings(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        for line in answer.earnings {
            table.add_row([
                line.recipient_user_id,
                line.currency_code,
                line.earned_minor_units.to_string(),
                line.paid_out_minor_units.to_string(),
                line.payable_minor_units.to_string(),
            ]);
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("minor units\n{table}");
    Ok(())
}

/// Record that a recipient was paid.
#[derive(Debug, Args)]
pub(crate) struct RecordPayout {
    /// The recipient, user_….
    user_id: String,
    /// How much, in minor units.
    minor_units: i64,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// The platform's own reference, such as its transfer's id.
    #[arg(long, default_value = "plasma admin")]
    reference: String,
    /// How much more than what is payable may be paid, in minor units.
    #[arg(long, default_value_t = 0)]
    advance: i64,
}

impl RecordPayout {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = RecordPayoutRequest {
            request_id: request_id(),
            recipient_user_id: self.user_id,
            amount: Some(Amount { currency_code: self.currency, minor_units: self.minor_units }),
            reference: self.reference,
            advance_minor_units: self.advance,
        };
        let answer = PayoutServiceClient::new(connection.channel.clone())
            .record_payout(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        let payout = answer.payout.context("the answer has no payout")?;
        println!("{} is recorded as {}", payout.payout_id, payout.transaction_id);
        Ok(())
    }
}

/// List payouts, newest first.
#[derive(Debug, Args)]
pub(crate) struct ListPayouts {
    /// The recipient, user_…; all where it is not given.
    #[arg(default_value = "")]
    user_id: String,
}

impl ListPayouts {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let mut table = Table::new();
        table.set_header(["payout", "recipient", "minor units", "reference"]);
        let mut request =
            ListPayoutsRequest { recipient_user_id: self.user_id, ..Default::default() };
        loop {
            let answer = PayoutServiceClient::new(connection.channel.clone())
                .list_payouts(connection.request(request.clone()))
                .await
                .map_err(explain)?
                .into_inner();
            for payout in answer.payouts {
                let amount = payout.amount.unwrap_or_default();
                table.add_row([
                    payout.payout_id,
                    payout.recipient_user_id,
                    format!("{} {}", amount.minor_units, amount.currency_code),
                    payout.reference,
                ]);
            }
            request.page_token = answer.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        println!("{table}");
        Ok(())
    }
}
