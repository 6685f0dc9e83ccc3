//! The database that a service and its yardstick share, asked through `psql`.

use anyhow::{Context, Result, ensure};
use plasma_testkit::PrivatePostgres;
use plasma_testkit::postgres::Programs;
use tokio::task::spawn_blocking;

use crate::machine::Cores;

/// A larger server than that of tests: the tables of a bench grow.
const SETTINGS: [(&str, &str); 3] =
    [("autovacuum", "on"), ("shared_buffers", "512MB"), ("max_wal_size", "4GB")];

/// Starts a server of its own on the server's core, with one empty database.
pub async fn start(cores: &Cores) -> Result<(PrivatePostgres, Database)> {
    let postgres = spawn_blocking(|| PrivatePostgres::start_with(&SETTINGS)).await??;
    cores.pin_server_tree(postgres.pid())?;
    let database = Database { url: postgres.create_database()?, programs: Programs::find()? };
    Ok((postgres, database))
}

/// One database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its address.
    pub url: String,
    programs: Programs,
}

impl Database {
    /// Runs commands, several of them in one transaction.
    pub async fn query(&self, sql: &str) -> Result<String> {
        let (database, sql) = (self.clone(), sql.to_owned());
        spawn_blocking(move || database.programs.query(&database.url, &sql)).await?
    }

    /// Asks for a number.
    pub async fn number(&self, sql: &str) -> Result<i64> {
        let text = self.query(sql).await?;
        text.parse().with_context(|| format!("{sql}: {text} is no number"))
    }

    /// How many charges there are.
    pub async fn charges(&self) -> Result<i64> {
        self.number("SELECT count(*) FROM charges").await
    }

    /// Fails where the ledger does not add up after all that was bought.
    pub async fn check_books(&self) -> Result<()> {
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
