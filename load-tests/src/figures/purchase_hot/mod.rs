//! `purchase.hot`: purchases against the revenue of one tenant on PostgreSQL, compared with the
//! same statements run by `pgbench` on the same server and the same tables.
//!
//! PostgreSQL has the server's core to itself; what talks to it — the node with its callers, or
//! `pgbench` — has the other one.

mod callers;
mod pgbench;
mod shop;

use std::process;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_testkit::PrivatePostgres;
use plasma_testkit::postgres::Programs;
use serde_json::json;
use tokio::task::spawn_blocking;

use self::callers::Callers;
use self::pgbench::PgBench;
use self::shop::Shop;
use super::progress;
use crate::machine::Cores;
use crate::options::Options;
use crate::report::{Figure, Run};

const NAME: &str = "purchase.hot";
/// Callers and `pgbench` clients at a time.
const CALLERS: usize = 8;
/// Recipients of the tenant, each with a chat with every payer.
const RECIPIENTS: usize = 28;
/// What one purchase costs, in minor units.
const PRICE: i64 = 500;

/// A larger server than that of tests: the tables of a bench grow.
const SETTINGS: [(&str, &str); 3] =
    [("autovacuum", "on"), ("shared_buffers", "512MB"), ("max_wal_size", "4GB")];

/// Measures.
pub async fn measure(options: &Options, cores: &Cores) -> Result<Figure> {
    progress(NAME, "starting PostgreSQL and `plasma serve`");
    let postgres = spawn_blocking(|| PrivatePostgres::start_with(&SETTINGS)).await??;
    cores.pin_server_tree(postgres.pid())?;
    let database = Database { url: postgres.create_database()?, programs: Programs::find()? };
    // A payer of each caller's own, so that callers meet at the revenue alone.
    let payers = if options.quick { 5 } else { 9 } * CALLERS;
    let shop = Shop::open(&database, payers).await?;
    let pgbench = PgBench::prepare(&database, payers).await?;

    cores.pin_generator(shop.node_pid())?;
    cores.pin_generator(process::id())?;
    let runs = pairs_of_runs(options, cores, &database, &shop, &pgbench).await;
    cores.unpin(process::id())?;
    let figure = Figure::of(NAME, "purchases/s", runs?);
    database.check_books().await?;
    Ok(figure)
}

async fn pairs_of_runs(
    options: &Options,
    cores: &Cores,
    database: &Database,
    shop: &Shop,
    pgbench: &PgBench,
) -> Result<Vec<Run>> {
    let mut callers = Callers::of(shop)?;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        database.query("CHECKPOINT").await?;
        let (charges, busy) = (database.charges().await?, cores.server_core_busy()?);
        let ours = callers.run(options.warm_up(), options.window()).await?;
        let ours_busy = part(cores.server_core_busy()?, busy, options.warm_up() + options.window());
        let charged = database.charges().await? - charges;
        ensure!(charged == ours.bought, "{} passes for {charged} charges", ours.bought);

        database.query("CHECKPOINT").await?;
        let (charges, busy) = (database.charges().await?, cores.server_core_busy()?);
        let theirs = pgbench.run(number, options.window()).await?;
        let their_busy = part(cores.server_core_busy()?, busy, options.window());
        let charged = database.charges().await? - charges;
        ensure!(charged == theirs.done, "pgbench made {charged} of {} charges", theirs.done);

        let (value, yardstick) = (ours.per_second, theirs.per_second);
        let said = format!(
            "run {number} of {}: {value:.0} purchases/s (core of PostgreSQL {ours_busy:.2} busy), \
             pgbench {yardstick:.0}/s ({their_busy:.2} busy)",
            options.runs
        );
        progress(NAME, said);
        if ours.waited > 0 {
            progress(NAME, format!("{} purchases waited for a pass to end", ours.waited));
        }
        let details = json!({
            "callers": CALLERS,
            "postgres_core_busy": ours_busy,
            "yardstick_postgres_core_busy": their_busy,
            "waited_for_a_pass_to_end": ours.waited,
        });
        let details = details.as_object().cloned().unwrap_or_default();
        runs.push(Run { value, yardstick, details });
    }
    Ok(runs)
}

/// The part of a stretch of time for which a core was busy.
fn part(now: Duration, before: Duration, of: Duration) -> f64 {
    let part = now.saturating_sub(before).as_secs_f64() / of.as_secs_f64();
    ((part * 100.0).round() / 100.0).min(1.0)
}

/// The database that both share, asked through `psql`.
#[derive(Debug, Clone)]
struct Database {
    url: String,
    programs: Programs,
}

impl Database {
    async fn query(&self, sql: &str) -> Result<String> {
        let (database, sql) = (self.clone(), sql.to_owned());
        spawn_blocking(move || database.programs.query(&database.url, &sql)).await?
    }

    async fn number(&self, sql: &str) -> Result<i64> {
        let text = self.query(sql).await?;
        text.parse().with_context(|| format!("{sql}: {text} is no number"))
    }

    async fn charges(&self) -> Result<i64> {
        self.number("SELECT count(*) FROM charges").await
    }

    /// Fails where the ledger does not add up after all that was bought.
    async fn check_books(&self) -> Result<()> {
        let sum = self.number("SELECT COALESCE(sum(minor_units), 0) FROM ledger_postings").await?;
        ensure!(sum == 0, "the postings add up to {sum}");
        let sql = "SELECT count(*) FROM ledger_balances b WHERE posted <> (SELECT balance_after \
                   FROM ledger_postings p WHERE p.tenant_id = b.tenant_id \
                   AND p.account_id = b.account_id ORDER BY account_version DESC LIMIT 1)";
        let wrong = self.number(sql).await?;
        ensure!(wrong == 0, "{wrong} balances differ from their last posting");
        Ok(())
    }
}
