//! What a platform's admin sees: revenue, charges, files.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use comfy_table::Table;
use plasma_proto::billing::v1::revenue::Group;
use plasma_proto::billing::v1::statement_service_client::StatementServiceClient;
use plasma_proto::billing::v1::{
    ExportCsvRequest, ExportKind, GetRevenueRequest, ListChargesRequest, Product, Revenue,
    RevenueGrouping,
};

use super::Connection;
use super::connection::explain;
use super::span::Span;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Day,
    Product,
    Recipient,
    Price,
}

/// Show what access brought.
#[derive(Debug, Args)]
pub(crate) struct ShowRevenue {
    /// By what it is added up.
    #[arg(long, value_enum, default_value = "day")]
    by: By,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    #[command(flatten)]
    span: Span,
}

impl ShowRevenue {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let by = match self.by {
            By::Day => RevenueGrouping::Day,
            By::Product => RevenueGrouping::Product,
            By::Recipient => RevenueGrouping::Recipient,
            By::Price => RevenueGrouping::Price,
        };
        let start = self.span.start()?.context("say with --from where revenue begins")?;
        let mut request = GetRevenueRequest {
            currency_code: self.currency.clone(),
            start_time: Some(start),
            end_time: self.span.end()?,
            by: by.into(),
            page_size: 200,
            page_token: String::new(),
        };
        let mut table = Table::new();
        table.set_header([
            "group",
            "charges",
            "gross",
            "operator",
            "recipients",
            "platform",
            "refunded",
        ]);
        let zone = loop {
            let answer = StatementServiceClient::new(connection.channel.clone())
                .get_revenue(connection.request(request.clone()))
                .await
                .map_err(explain)?
                .into_inner();
            for revenue in &answer.revenues {
                table.add_row(row(revenue));
            }
            if answer.next_page_token.is_empty() {
                break answer.time_zone;
            }
            request.page_token = answer.next_page_token;
        };
        println!("minor units of {}; days of {zone}\n{table}", self.currency);
        Ok(())
    }
}

fn row(revenue: &Revenue) -> Vec<String> {
    let group = match &revenue.group {
        Some(Group::Date(text) | Group::RecipientUserId(text) | Group::PriceId(text)) => {
            text.clone()
        }
        Some(Group::Product(number)) => {
            let product = Product::try_from(*number).unwrap_or_default();
            product.as_str_name().trim_start_matches("PRODUCT_").to_lowercase().replace('_', " ")
        }
        None => String::new(),
    };
    let figures = [
        revenue.charges,
        revenue.gross_minor_units,
        revenue.operator_minor_units,
        revenue.recipient_minor_units,
        revenue.platform_minor_units,
        revenue.refunded_minor_units,
    ];
    std::iter::once(group).chain(figures.map(|figure| figure.to_string())).collect()
}

/// List charges, newest first.
#[derive(Debug, Args)]
pub(crate) struct ListCharges {
    /// Most charges to list.
    #[arg(long, default_value_t = 50)]
    most: usize,
}

impl ListCharges {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let mut table = Table::new();
        table.set_header([
            "charge",
            "payer",
            "recipient",
            "amount",
            "operator",
            "recipient's",
            "platform",
        ]);
        let (mut left, mut page_token) = (self.most, String::new());
        while left > 0 {
            let page_size = i32::try_from(left.min(200))?;
            let request = ListChargesRequest { page_size, page_token };
            let answer = StatementServiceClient::new(connection.channel.clone())
                .list_charges(connection.request(request))
                .await
                .map_err(explain)?
                .into_inner();
            left = left.saturating_sub(answer.charges.len());
            for charge in answer.charges {
                table.add_row([
                    charge.charge_id,
                    charge.payer_user_id,
                    charge.recipient_user_id,
                    format!("{} {}", charge.amount_minor_units, charge.currency_code),
                    charge.operator_minor_units.to_string(),
                    charge.recipient_minor_units.to_string(),
                    charge.platform_minor_units.to_string(),
                ]);
            }
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        println!("{table}");
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// The charges for access to the platform's users.
    Charges,
    /// Every posting of the ledger.
    Postings,
    /// The movements of one user's wallet.
    WalletEntries,
    /// Payouts to recipients.
    Payouts,
}

/// Write rows of a time as CSV to the standard output.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// What to write.
    #[arg(value_enum)]
    kind: Kind,
    /// The currency, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// The user, user_…, with wallet-entries.
    #[arg(long, default_value = "")]
    user: String,
    #[command(flatten)]
    span: Span,
}

impl Export {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let kind = match self.kind {
            Kind::Charges => ExportKind::Charges,
            Kind::Postings => ExportKind::Postings,
            Kind::WalletEntries => ExportKind::WalletEntries,
            Kind::Payouts => ExportKind::Payouts,
        };
        let request = ExportCsvRequest {
            kind: kind.into(),
            currency_code: self.currency.clone(),
            start_time: self.span.start()?,
            end_time: self.span.end()?,
            user_id: self.user,
        };
        let mut chunks = StatementServiceClient::new(connection.channel.clone())
            .export_csv(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        let mut out = std::io::stdout().lock();
        while let Some(chunk) = chunks.message().await.map_err(explain)? {
            out.write_all(&chunk.chunk).context("the output ends early")?;
        }
        out.flush().context("the output ends early")
    }
}
