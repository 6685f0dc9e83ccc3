//! Wallets and statements.

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::Table;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::wallet_service_client::WalletServiceClient;
use plasma_proto::billing::v1::{Amount, CreditWalletRequest, GetStatementRequest};

use super::Connection;
use super::connection::{explain, request_id};
use super::span::Span;

/// Put money into a user's wallet.
#[derive(Debug, Args)]
pub(crate) struct Credit {
    /// The user, user_….
    user_id: String,
    /// How much, in minor units.
    minor_units: i64,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// The platform's own reference.
    #[arg(long, default_value = "plasma admin")]
    reference: String,
}

impl Credit {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = CreditWalletRequest {
            request_id: request_id(),
            user_id: self.user_id,
            amount: Some(Amount { currency_code: self.currency, minor_units: self.minor_units }),
            reference: self.reference,
        };
        let answer = WalletServiceClient::new(connection.channel.clone())
            .credit_wallet(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        let wallet = answer.wallet.context("the answer has no wallet")?;
        println!("{} now holds {}", wallet.wallet_id, show(wallet.balance));
        Ok(())
    }
}

/// Show a statement.
#[derive(Debug, Args)]
pub(crate) struct Statement {
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    #[command(flatten)]
    span: Span,
}

impl Statement {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = GetStatementRequest {
            currency_code: self.currency.clone(),
            start_time: self.span.start()?,
            end_time: self.span.end()?,
        };
        let statement = StatementServiceClient::new(connection.channel.clone())
            .get_statement(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        let mut table = Table::new();
        table.set_header(["account", "opening", "in", "out", "closing"]);
        for line in statement.lines {
            let purpose = line.purpose().as_str_name();
            let mut account =
                purpose.trim_start_matches("ACCOUNT_PURPOSE_").to_lowercase().replace('_', " ");
            if !line.peer_tenant_id.is_empty() {
                account = format!("{account} {}", line.peer_tenant_id);
            }
            let figures = [
                line.opening_minor_units,
                line.posted_in_minor_units,
                line.posted_out_minor_units,
                line.closing_minor_units,
            ];
            table.add_row(std::iter::once(account).chain(figures.map(|units| units.to_string())));
        }
        println!("minor units of {}\n{table}", self.currency);
        Ok(())
    }
}

/// An amount in words.
pub(super) fn show(amount: Option<Amount>) -> String {
    amount.map_or_else(
        || "nothing".to_owned(),
        |amount| format!("{} minor units of {}", amount.minor_units, amount.currency_code),
    )
}
