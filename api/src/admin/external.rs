//! The platform's own wallet: how it is called, what was asked of it, where the books differ.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::Table;
use plasma_kit::{Env, convert};
use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::external_wallet_service_client::ExternalWalletServiceClient;
use tonic::transport::Channel;

use super::Connection;
use super::connection::{explain, request_id};

/// How long a comparison is waited for.
const COMPARISON_MAX: Duration = Duration::from_mins(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

fn client(connection: &Connection) -> ExternalWalletServiceClient<Channel> {
    ExternalWalletServiceClient::new(connection.channel.clone())
}

/// Connect a wallet.
#[derive(Debug, Args)]
pub(crate) struct SetWallet {
    /// Where it is: <https://wallet.example.com>.
    url: String,
    /// The secret to call it with, of at least 16 characters.
    #[arg(long, env = "WALLET_SECRET", hide_env_values = true)]
    token: String,
    /// Most calls to it that one node has under way; 16 where 0.
    #[arg(long, default_value_t = 0)]
    concurrency: i32,
}

impl SetWallet {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = pb::SetWalletProviderRequest {
            request_id: request_id(),
            url: self.url,
            bearer_secret: self.token,
            concurrency_max: self.concurrency,
        };
        let request = connection.request(request);
        let answer = client(connection).set_wallet_provider(request).await.map_err(explain)?;
        show(answer.into_inner().settings)
    }
}

/// Shows how the wallet is called.
pub(crate) async fn show_wallet(connection: &Connection) -> Result<()> {
    let request = connection.request(pb::GetWalletProviderRequest {});
    let answer = client(connection).get_wallet_provider(request).await.map_err(explain)?;
    show(answer.into_inner().settings)
}

fn show(settings: Option<pb::WalletProviderSettings>) -> Result<()> {
    let settings = settings.context("the answer has no settings")?;
    println!("users pay from {}, with {} calls at once", settings.url, settings.concurrency_max);
    Ok(())
}

/// Disconnects the wallet.
pub(crate) async fn remove_wallet(connection: &Connection) -> Result<()> {
    let request = pb::RemoveWalletProviderRequest { request_id: request_id() };
    let request = connection.request(request);
    client(connection).remove_wallet_provider(request).await.map_err(explain)?;
    println!("users pay from hosted wallets");
    Ok(())
}

/// List operations.
#[derive(Debug, Args)]
pub(crate) struct ListHolds {
    /// Show those that have ended as well.
    #[arg(long)]
    all: bool,
}

impl ListHolds {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let mut table = Table::new();
        table.set_header(["operation", "state", "user", "amount", "", "attempts in vain", "pays"]);
        let mut page_token = String::new();
        loop {
            let request = pb::ListExternalOperationsRequest {
                open_only: !self.all,
                page_size: 200,
                page_token,
            };
            let request = connection.request(request);
            let page = client(connection).list_external_operations(request).await;
            let page = page.map_err(explain)?.into_inner();
            for operation in page.operations {
                let state = operation.state().as_str_name();
                let state = state.trim_start_matches("EXTERNAL_OPERATION_STATE_").to_lowercase();
                let amount = operation.amount.unwrap_or_default();
                table.add_row([
                    operation.operation_id,
                    state,
                    operation.user_id,
                    amount.minor_units.to_string(),
                    amount.currency_code,
                    operation.failed_attempts.to_string(),
                    operation.reference,
                ]);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                println!("{table}");
                return Ok(());
            }
        }
    }
}

/// Compare a day.
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// Which day, counted back from today, in UTC: 1 is yesterday.
    #[arg(long, default_value_t = 1)]
    days_ago: u32,
}

impl Reconcile {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let day = Env::system().now().minus(Duration::from_hours(24) * self.days_ago);
        let request = pb::StartReconciliationRequest {
            request_id: request_id(),
            day_time: Some(convert::timestamp(day)),
        };
        let request = connection.request(request);
        let asked = client(connection).start_reconciliation(request).await.map_err(explain)?;
        let asked = asked.into_inner().reconciliation.context("the answer has no day")?;
        let begun = tokio::time::Instant::now();
        let found = loop {
            let reconciliation_id = asked.reconciliation_id.clone();
            let request = pb::GetReconciliationRequest { reconciliation_id };
            let request = connection.request(request);
            let got = client(connection).get_reconciliation(request).await.map_err(explain)?;
            let got = got.into_inner();
            let state = got.reconciliation.as_ref().map(pb::Reconciliation::state);
            if state != Some(pb::ReconciliationState::Pending) {
                break got;
            }
            if begun.elapsed() > COMPARISON_MAX {
                bail!(
                    "the wallet does not list its operations; {} goes on",
                    asked.reconciliation_id
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        };
        let counted = found.reconciliation.context("the answer has no day")?;
        println!("{} operations are the same on both sides", counted.matched_count);
        if found.findings.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.set_header(["difference", "operation", "", "taken here", "taken there"]);
        for finding in &found.findings {
            let kind = finding.kind().as_str_name();
            let kind = kind.trim_start_matches("RECONCILIATION_FINDING_KIND_").to_lowercase();
            table.add_row([
                kind.replace('_', " "),
                finding.operation_id.clone(),
                finding.currency_code.clone(),
                finding.own_minor_units.to_string(),
                finding.provider_minor_units.to_string(),
            ]);
        }
        bail!("{} operations differ\n{table}", counted.finding_count);
    }
}
