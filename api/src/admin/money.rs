//! Prices, wallets, statements.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use comfy_table::Table;
use plasma_proto::billing::v1::pricing_service_client::PricingServiceClient;
use plasma_proto::billing::v1::publish_price_request::Mode as PriceMode;
use plasma_proto::billing::v1::quote::Mode as QuoteMode;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::wallet_service_client::WalletServiceClient;
use plasma_proto::billing::v1::{
    Amount, CreditWalletRequest, ExplainPriceRequest, FreePrice, GetStatementRequest,
    OneTimeUnlockPrice, PriceRule, PriceScope, PublishPriceRequest, Shares, TimePassPrice,
};

use super::Connection;
use super::connection::{explain, request_id};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Access costs nothing.
    Free,
    /// One payment for ever.
    Unlock,
    /// One payment for a time.
    Pass,
}

/// Publish a price.
#[derive(Debug, Args)]
pub(crate) struct SetPrice {
    /// What access costs.
    #[arg(long, value_enum)]
    mode: Mode,
    /// The price in minor units: 500 is 5.00 EUR.
    #[arg(long, default_value_t = 0)]
    minor_units: i64,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// How long a pass lasts, in seconds.
    #[arg(long, default_value_t = 0)]
    seconds: i64,
    /// The recipient's share of what the operator leaves, in basis points; the rest is the
    /// platform's.
    #[arg(long, default_value_t = 8_000)]
    recipient_share: u32,
    /// The user whose price it is, user_…; the whole tenant's default where it is not given.
    #[arg(long, default_value = "")]
    recipient: String,
}

impl SetPrice {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let Some(platform_share) = 10_000_u32.checked_sub(self.recipient_share) else {
            bail!("--recipient-share must be at most 10000");
        };
        let amount = Some(Amount { currency_code: self.currency, minor_units: self.minor_units });
        let mode = match self.mode {
            Mode::Free => PriceMode::Free(FreePrice {}),
            Mode::Unlock => PriceMode::OneTimeUnlock(OneTimeUnlockPrice { amount }),
            Mode::Pass => {
                let duration = Some(prost_types::Duration { seconds: self.seconds, nanos: 0 });
                PriceMode::TimePass(TimePassPrice { amount, duration })
            }
        };
        let scope = if self.recipient.is_empty() {
            PriceScope::TenantDefault
        } else {
            PriceScope::Recipient
        };
        let request = PublishPriceRequest {
            request_id: request_id(),
            scope: scope.into(),
            recipient_user_id: self.recipient,
            mode: Some(mode),
            shares: Some(Shares {
                recipient_basis_points: self.recipient_share,
                platform_basis_points: platform_share,
            }),
        };
        let answer = PricingServiceClient::new(connection.channel.clone())
            .publish_price(connection.request(request))
            .await
            .map_err(explain)?;
        let price = answer.into_inner().price.context("the answer has no price")?;
        println!("{} is in force as version {}", price.price_id, price.version);
        Ok(())
    }
}

/// Show the price in force.
#[derive(Debug, Args)]
pub(crate) struct ShowPrice {
    /// The recipient, user_…; the tenant's default where it is not given.
    #[arg(default_value = "")]
    recipient: String,
}

impl ShowPrice {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = ExplainPriceRequest { recipient_user_id: self.recipient };
        let answer = PricingServiceClient::new(connection.channel.clone())
            .explain_price(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        let rule = match answer.rule() {
            PriceRule::Unspecified => "unknown",
            PriceRule::TenantIsFree => "the tenant's policy is free",
            PriceRule::Recipient => "the recipient's own price",
            PriceRule::TenantDefault => "the tenant's default price",
        };
        let quote = answer.quote.context("the answer has no quote")?;
        let cost = match quote.mode {
            None | Some(QuoteMode::Free(_)) => "free".to_owned(),
            Some(QuoteMode::OneTimeUnlock(price)) => format!("{} once", show(price.amount)),
            Some(QuoteMode::TimePass(price)) => format!(
                "{} for {} s",
                show(price.amount),
                price.duration.map(|duration| duration.seconds).unwrap_or_default()
            ),
        };
        println!("price    {cost}");
        println!("version  {}", if quote.price_id.is_empty() { "none" } else { &quote.price_id });
        println!("because  {rule}");
        Ok(())
    }
}

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
}

impl Statement {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = GetStatementRequest {
            currency_code: self.currency.clone(),
            start_time: None,
            end_time: None,
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

fn show(amount: Option<Amount>) -> String {
    amount.map_or_else(
        || "nothing".to_owned(),
        |amount| format!("{} minor units of {}", amount.minor_units, amount.currency_code),
    )
}
