//! `purchase.hot`: purchases against the revenue of one tenant on PostgreSQL, compared with the
//! same statements run by `pgbench` on the same server and the same tables.
//!
//! PostgreSQL has the server's core to itself; what talks to it — the node with its callers, or
//! `pgbench` — has the other one.

mod callers;
mod pgbench;
mod shop;

use std::process;
use std::time::Instant;

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
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::PurchaseHot.name();
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
        let buying = callers.run(options.warm_up(), options.window());
        let (ours, ours_busy) = account(database, cores, buying).await?;
        let waited = callers.take_waited();
        let running = pgbench.run(number, options.window());
        let (theirs, theirs_busy) = account(database, cores, running).await?;
        let said = format!(
            "run {number} of {}: {ours:.0} purchases/s (core of PostgreSQL {ours_busy:.2} busy), \
             pgbench {theirs:.0}/s ({theirs_busy:.2} busy)",
            options.runs
        );
        progress(NAME, said);
        if waited > 0 {
            progress(NAME, format!("{waited} purchases waited for a pass to end"));
        }
        let details = json!({
            "callers": CALLERS,
            "postgres_core_busy": ours_busy,
            "yardstick_postgres_core_busy": theirs_busy,
            "waited_for_a_pass_to_end": waited,
        });
        let details = details.as_object().cloned().unwrap_or_default();
        runs.push(Run { value: ours, yardstick: theirs, details });
    }
    Ok(runs)
}

/// What one run did.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Work {
    /// Purchases per second of the window.
    per_second: f64,
    /// Purchases in all.
    done: i64,
}

/// Holds a run to the charges that it made. Returns purchases per second, and the part of the run
/// for which the core of PostgreSQL was busy.
async fn account(
    database: &Database,
    cores: &Cores,
    run: impl Future<Output = Result<Work>>,
) -> Result<(f64, f64)> {
    database.query("CHECKPOINT").await?;
    let charges_before = database.charges().await?;
    let (busy_before, began) = (cores.server_core_busy()?, Instant::now());
    let work = run.await?;
    let busy = cores.server_core_busy()?.saturating_sub(busy_before).as_secs_f64();
    let busy = busy / began.elapsed().as_secs_f64();
    let charged = database.charges().await? - charges_before;
    ensure!(charged == work.done, "{} purchases made {charged} charges", work.done);
    Ok((work.per_second, ((busy * 100.0).round() / 100.0).min(1.0)))
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
