//! `plasma wallet-check`: tries the contract of `plasma.billing.v1.WalletProvider` against a partner's
//! running wallet, and says in words what it keeps and what it does not.
//!
//! Every check makes operations of its own, for one user whose money nobody else moves meanwhile, and
//! gives back what it took. A check that fails may leave something reserved.

mod bench;
mod captures;
mod listing;
mod refunds;
mod releases;
mod reserves;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::{ContentArrangement, Table};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use bench::Bench;

/// Try a wallet against the contract.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The wallet's address, such as <https://wallet.example.com>; http:// on this machine will do.
    url: String,
    /// The secret that Plasma will call it with.
    #[arg(long, env = "WALLET_SECRET", hide_env_values = true, default_value = "")]
    token: String,
    /// A user of the wallet with at least 100 minor units, whose money nobody else moves meanwhile.
    #[arg(long, default_value = "wallet-check")]
    user: String,
    /// The currency of the user's money, an ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
}

/// Columns of a terminal that the report takes.
const REPORT_WIDTH: u16 = 110;

/// What a check found: nothing, or what the wallet did instead.
pub type Verdict = Result<(), String>;

/// One check with its verdict.
#[derive(Debug)]
pub struct Finding {
    /// A short name.
    pub name: &'static str,
    /// What the contract promises.
    pub promise: &'static str,
    /// Whether the wallet keeps it.
    pub verdict: Verdict,
}

macro_rules! checks {
    ($bench:expr; $($name:literal, $promise:literal, $check:expr;)*) => {
        vec![$(Finding {
            name: $name,
            promise: $promise,
            verdict: $bench.judge($check(&$bench)).await,
        },)*]
    };
}

/// Tries everything, in order.
pub async fn check(
    channel: Channel,
    token: &str,
    user: &str,
    currency: &str,
) -> Result<Vec<Finding>> {
    let bench = Bench::new(channel, token, user, currency)?;
    let available = bench.available().await.map_err(anyhow::Error::msg)?;
    if available < bench::MONEY_MIN {
        bail!(
            "{user} can spend {available} minor units of {currency}; the checks need {}",
            bench::MONEY_MIN
        );
    }
    Ok(checks! { bench;
        "secret", "a wrong secret is refused", reserves::needs_the_secret;
        "reserve", "a reserve sets money aside and takes none", reserves::sets_aside;
        "same again", "the same reserve again has one effect and the same answer", reserves::repeats;
        "in parallel", "20 equal reserves at once have one effect", reserves::in_parallel;
        "other body", "an id with another body is answered with duplicate", reserves::other_body;
        "too much", "what the user cannot pay is declined, again and again", reserves::too_much;
        "stranger", "a user whom the wallet does not know is declined", reserves::stranger;
        "capture", "a capture takes the money, once", captures::takes;
        "capture again", "another capture is a duplicate and takes nothing", captures::is_final;
        "part", "a capture of a part frees the rest", captures::part;
        "never seen", "an operation never seen is said to be unknown", captures::never_seen;
        "release", "a release frees the money, however often", releases::frees;
        "tombstone", "a reserve that was released before it came is declined", releases::tombstone;
        "then capture", "what was released is not captured", releases::is_not_captured;
        "then release", "what was captured is not released", releases::of_captured;
        "declined", "what was declined can be released", releases::of_declined;
        "refund", "a refund gives back, once", refunds::gives_back;
        "refunds", "no more is given back than was taken", refunds::bounded;
        "operation", "GetOperation says what became of it", listing::operation;
        "list", "every operation is listed once, oldest first", listing::pages;
    })
}

/// Checks a wallet and prints a report; fails where a check does.
pub async fn run(arguments: Arguments) -> Result<()> {
    let url = &arguments.url;
    let mut endpoint = Endpoint::from_shared(url.clone())
        .with_context(|| format!("{url} is no address"))?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(10));
    if url.starts_with("https://") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_native_roots())?;
    }
    let channel = endpoint.connect().await.with_context(|| format!("nothing answers at {url}"))?;
    let findings = check(channel, &arguments.token, &arguments.user, &arguments.currency).await?;
    println!("{}", report(&findings));
    let failed = findings.iter().filter(|finding| finding.verdict.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed", findings.len());
    }
    println!("The wallet keeps the contract in all {} checks.", findings.len());
    Ok(())
}

/// The report, for a person.
pub fn report(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(REPORT_WIDTH);
    table.set_header(["", "check", "what the contract promises", "what the wallet did instead"]);
    for finding in findings {
        let (mark, instead) = match &finding.verdict {
            Ok(()) => ("ok", ""),
            Err(instead) => ("FAILED", instead.as_str()),
        };
        table.add_row([mark, finding.name, finding.promise, instead]);
    }
    table
}
