//! The database that both share, asked through `psql`: how many statements of the service there
//! were, and how many rows each of them had.

use anyhow::{Context, Result, ensure};
use plasma_testkit::postgres::Programs;
use tokio::task::spawn_blocking;

/// Statements of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batches {
    /// How many.
    statements: u64,
    /// Rows of all of them.
    pub(super) rows: u64,
}

impl Batches {
    /// Rows of a statement.
    pub(super) fn exact_mean(self) -> f64 {
        let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        number(self.rows) / number(self.statements.max(1))
    }

    /// Rows of a statement, whole.
    pub(super) fn mean(self) -> usize {
        let mean = (self.rows + self.statements / 2) / self.statements.max(1);
        usize::try_from(mean).unwrap_or(usize::MAX).max(1)
    }
}

/// The database.
#[derive(Debug, Clone)]
pub(super) struct Database {
    url: String,
    programs: Programs,
}

impl Database {
    /// Begins to count statements.
    pub(super) async fn open(url: String) -> Result<Self> {
        let database = Self { url, programs: Programs::find()? };
        let counting = database.query("CREATE EXTENSION pg_stat_statements").await;
        counting.context(
            "the figures of offline messages count statements with pg_stat_statements, which comes \
             with PostgreSQL; on Debian it is in the package postgresql",
        )?;
        Ok(database)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Makes every window begin alike: no dead rows, nothing to write back, nothing counted.
    pub(super) async fn prepare(&self) -> Result<()> {
        for sql in ["VACUUM ANALYZE", "CHECKPOINT", "SELECT pg_stat_statements_reset()"] {
            self.query(sql).await?;
        }
        Ok(())
    }

    /// The statements since then that begin with some words.
    pub(super) async fn batches(&self, words: &str) -> Result<Batches> {
        let of = |what| {
            format!(
                "SELECT COALESCE(sum({what}), 0) FROM pg_stat_statements WHERE query LIKE '{words} %'"
            )
        };
        let statements = self.number(&of("calls")).await?;
        ensure!(statements > 0, "PostgreSQL has seen no `{words}`");
        Ok(Batches { statements, rows: self.number(&of("rows")).await? })
    }

    /// Where PostgreSQL's time went since then: the most expensive statements with their calls, and
    /// the µs that each took for every one of some messages, waiting included.
    pub(super) async fn most_expensive(&self, messages: u64) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT round((total_exec_time * 1000 / {messages})::numeric, 2), calls, \
             regexp_replace(left(query, 90), '[[:space:]]+', ' ', 'g') FROM pg_stat_statements \
             ORDER BY total_exec_time DESC LIMIT 6"
        );
        Ok(self.query(&sql).await?.lines().map(str::to_owned).collect())
    }

    pub(super) async fn number(&self, sql: &str) -> Result<u64> {
        let text = self.query(sql).await?;
        text.parse().with_context(|| format!("{sql}: {text} is no number"))
    }

    async fn query(&self, sql: &str) -> Result<String> {
        let (database, sql) = (self.clone(), sql.to_owned());
        spawn_blocking(move || database.programs.query(&database.url, &sql)).await?
    }
}
