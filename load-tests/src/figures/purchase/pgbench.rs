//! The yardstick: the statements of a purchase, run by `pgbench` for sellers of its own in the same
//! tables.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_testkit::process::{describe, find_program};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::database::Database;
use super::{PRICE, Scene, Work, progress};

const FILL: &str = include_str!("fill.sql");
const PURCHASE: &str = include_str!("purchase.sql");
/// Ids of one kind each, and the variable that numbers them.
const IDS: [(&str, &str, &str); 11] = [
    ("{payer}", "01", "account"),
    ("{recipient}", "02", "recipient"),
    ("{transaction}", "03", "n"),
    ("{price_id}", "04", "seller"),
    ("{charge}", "05", "n"),
    ("{pass}", "06", "n"),
    ("{chat}", "07", "chat"),
    ("{wallet}", "0a", "account"),
    ("{earnings}", "0b", "recipient"),
    ("{change}", "0d", "n"),
    ("{tenant}", "0e", "seller"),
];
/// How the ids of the yardstick's sellers begin.
const SELLERS: &str = "bec00e00-";
/// Purchases that have been made long ago: tables that begin empty have plans for empty tables.
const HISTORY: usize = 50_000;
/// Numbers of purchases that a run may use up.
const NUMBERS_PER_RUN: u64 = 10_000_000;

/// Sellers that exist in billing's tables alone.
#[derive(Debug)]
pub struct PgBench {
    program: PathBuf,
    database: Database,
    scene: Scene,
}

impl PgBench {
    /// Fills the tables.
    pub async fn prepare(database: &Database, scene: Scene) -> Result<Self> {
        progress(scene.name, format!("filling the tables with {HISTORY} older purchases"));
        let fill = FILL
            .replace("{sellers}", &scene.sellers.to_string())
            .replace("{accounts}", &scene.accounts().to_string())
            .replace("{recipients}", &scene.recipients.to_string())
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
            "pgbench, the yardstick of purchases, was not found in PATH; on Debian it is in the \
             package postgresql",
        )?;
        Ok(Self { program, database: database.clone(), scene })
    }

    /// Runs the statements for a while with so many clients. Every run has a number of its own.
    pub async fn run(&self, number: u32, callers: usize, duration: Duration) -> Result<Work> {
        let outcome_bytes = self.outcome_bytes().await?;
        let script = NamedTempFile::new()?;
        std::fs::write(script.path(), statements())?;
        let mut command = Command::new(&self.program);
        command
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=1"])
            .arg(format!("--client={callers}"))
            .arg(format!("--time={}", duration.as_secs()))
            .arg("--file")
            .arg(script.path());
        let first = u64::from(number) * NUMBERS_PER_RUN;
        let variables = [
            ("accounts", self.scene.accounts().to_string()),
            ("callers", callers.to_string()),
            ("first", first.to_string()),
            ("k", "0".to_owned()),
            ("outcome_bytes", outcome_bytes.to_string()),
            ("price", PRICE.to_string()),
            ("recipients", self.scene.recipients.to_string()),
            ("sellers", self.scene.sellers.to_string()),
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
             WHERE rpc = 'PurchaseAccess' AND tenant_id::text NOT LIKE '{SELLERS}%'"
        );
        let bytes = self.database.number(&sql).await?;
        ensure!(bytes > 0, "the service stored no outcome of a purchase");
        Ok(bytes)
    }
}

/// The script, with ids made of numbers.
pub fn statements() -> String {
    let script = PURCHASE.replace("{price_in_force}", &price_in_force());
    IDS.iter().fold(script, |script, (name, kind, variable)| {
        let id = format!(
            "('bec0{kind}00-0000-7000-8000-' || lpad(to_hex(:{variable}::bigint), 12, '0'))::uuid"
        );
        script.replace(name, &id)
    })
}

/// The look-up of a price, as `billing/src/store/prices.rs` writes it: one look-up for each rule that
/// may apply to the payer and the recipient.
fn price_in_force() -> String {
    const NIL: &str = "'00000000-0000-0000-0000-000000000000'";
    const COLUMNS: &str = "p.id, p.scope, p.recipient_user_id, p.payer_group_id, \
                           p.payer_tenant_id, p.payer_user_id, p.version, p.mode, p.currency, \
                           p.minor_units, p.duration_micros, p.period_months, p.period_days, \
                           p.grace_micros, p.messages, p.trial_micros, p.trial_converts, \
                           p.recipient_basis_points, p.consent_micros, p.effective_at, p.created_at";
    let group = format!(
        "(SELECT g.payer_group_id FROM payers g WHERE g.tenant_id = {{tenant}} \
         AND g.payer_tenant_id = {{tenant}} AND g.payer_user_id IN ({{payer}}, {NIL}) \
         ORDER BY CASE WHEN g.payer_user_id = {NIL} THEN 1 ELSE 0 END LIMIT 1)"
    );
    let rules = [
        (4, "{recipient}", NIL, "{tenant}", "{payer}"),
        (2, "{recipient}", NIL, NIL, NIL),
        (3, NIL, group.as_str(), NIL, NIL),
        (1, NIL, NIL, NIL, NIL),
    ];
    let rules = rules.map(|(scope, recipient, group, tenant, payer)| {
        format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM price_versions p \
             WHERE p.tenant_id = {{tenant}} AND p.scope = {scope} \
             AND p.recipient_user_id = {recipient} AND p.payer_group_id = {group} \
             AND p.payer_tenant_id = {tenant} AND p.payer_user_id = {payer} \
             AND p.effective_at <= :time::bigint AND NOT EXISTS (SELECT 1 \
             FROM price_withdrawals w WHERE w.tenant_id = p.tenant_id AND w.price_id = p.id) \
             ORDER BY p.effective_at DESC, p.version DESC LIMIT 1) AS rule_{scope}"
        )
    });
    format!(
        "SELECT * FROM ({}) AS fitting ORDER BY CASE scope WHEN 4 THEN 0 WHEN 2 THEN 1 \
         WHEN 3 THEN 2 ELSE 3 END LIMIT 1",
        rules.join(" UNION ALL ")
    )
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
