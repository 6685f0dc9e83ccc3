//! The yardstick: the statements of a purchase, run by `pgbench` for a tenant of its own in the
//! same tables.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_testkit::process::{describe, find_program};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{CALLERS, Database, NAME, PRICE, RECIPIENTS, Work, progress};

const FILL: &str = include_str!("fill.sql");
const PURCHASE: &str = include_str!("purchase.sql");
/// Purchases that have been made long ago: tables that begin empty have plans for empty tables.
const HISTORY: usize = 50_000;
/// Numbers of purchases that a run may use up.
const NUMBERS_PER_RUN: u64 = 10_000_000;

/// A tenant that exists in billing's tables alone.
#[derive(Debug)]
pub struct PgBench {
    program: PathBuf,
    database: Database,
    tenant: Uuid,
    payers: usize,
}

impl PgBench {
    /// Fills the tables.
    pub async fn prepare(database: &Database, payers: usize) -> Result<Self> {
        progress(NAME, format!("filling the tables with {HISTORY} older purchases"));
        let tenant = Uuid::from_bytes(plasma_testkit::secret::bytes());
        let fill = FILL
            .replace("{tenant}", &tenant.to_string())
            .replace("{payers}", &payers.to_string())
            .replace("{recipients}", &RECIPIENTS.to_string())
            .replace("{history}", &HISTORY.to_string())
            .replace("{price}", &PRICE.to_string());
        database.query(&fill).await.context("fill the tables")?;
        database.query("VACUUM ANALYZE").await?;
        let more: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|version| version.path().join("bin"))
            .collect();
        let program = find_program("pgbench", &more).context(
            "pgbench, the yardstick of purchase.hot, was not found in PATH; on Debian it is in the \
             package postgresql",
        )?;
        Ok(Self { program, database: database.clone(), tenant, payers })
    }

    /// Runs the statements for a while with as many clients as there are callers.
    pub async fn run(&self, number: u32, duration: Duration) -> Result<Work> {
        let outcome_bytes = self.outcome_bytes().await?;
        let script = NamedTempFile::new()?;
        std::fs::write(script.path(), PURCHASE)?;
        let mut command = Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1"])
            .arg(format!("--client={CALLERS}"))
            .arg(format!("--time={}", duration.as_secs()))
            .arg("--file")
            .arg(script.path());
        let first = u64::from(number) * NUMBERS_PER_RUN;
        let variables = [
            ("callers", CALLERS.to_string()),
            ("first", first.to_string()),
            ("k", "0".to_owned()),
            ("outcome_bytes", outcome_bytes.to_string()),
            ("payers", self.payers.to_string()),
            ("price", PRICE.to_string()),
            ("recipients", RECIPIENTS.to_string()),
            ("tenant", self.tenant.to_string()),
        ];
        for (name, value) in variables {
            command.arg(format!("--define={name}={value}"));
        }
        command.arg(&self.database.url).stdin(Stdio::null());
        let output = spawn_blocking(move || command.output()).await?.context("run pgbench")?;
        let (said, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let status = describe(output.status);
        ensure!(output.status.success(), "pgbench: {status}: {}", error.trim());
        read(&said).with_context(|| format!("read what pgbench says:\n{said}{error}"))
    }

    /// How long the outcome is that the service stored with each of its own purchases.
    async fn outcome_bytes(&self) -> Result<i64> {
        let sql = format!(
            "SELECT COALESCE(max(length(outcome)), 0) FROM idempotency_keys \
             WHERE rpc = 'PurchaseAccess' AND tenant_id <> '{}'",
            self.tenant
        );
        let bytes = self.database.number(&sql).await?;
        ensure!(bytes > 0, "the service stored no outcome of a purchase");
        Ok(bytes)
    }
}

fn read(said: &str) -> Result<Work> {
    let after = |label: &str| {
        let rest = said.lines().find_map(|line| line.trim().strip_prefix(label));
        rest.and_then(|rest| rest.split_whitespace().next()).with_context(|| label.to_owned())
    };
    let failed = after("number of failed transactions:")?;
    ensure!(failed == "0", "{failed} transactions failed");
    Ok(Work {
        per_second: after("tps =")?.parse()?,
        done: after("number of transactions actually processed:")?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Work, read};

    const SAID: &str = "transaction type: purchase.sql\n\
                        number of transactions actually processed: 4321\n\
                        number of failed transactions: 0 (0.000%)\n\
                        latency average = 7.4 ms\n\
                        initial connection time = 12.1 ms\n\
                        tps = 1080.250000 (without initial connection time)\n";

    #[test]
    fn what_pgbench_says_is_read_and_a_failure_is_none() {
        assert_eq!(read(SAID).unwrap(), Work { per_second: 1080.25, done: 4321 });
        assert!(read(&SAID.replace("transactions: 0", "transactions: 3")).is_err());
        assert!(read("").is_err());
    }
}
