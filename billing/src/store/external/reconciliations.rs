//! Reconciliations of days, and what they found.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use plasma_kit::SystemDb;
use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ReconciliationId, TenantId};
use plasma_kit::paging::Cursor;

use super::super::{Write, all, below, limit, one, write};

const COLUMNS: &str = "id, day, state, matched, findings, compared_at";
/// How soon a comparison that failed is tried again, in microseconds.
const RETRY_MICROS: i64 = 5 * 60 * 1_000_000;

/// How far a reconciliation is. The numbers are those of the contract's `ReconciliationState`.
const PENDING: i16 = 1;
const MATCHED: i16 = 2;
const DIFFERENT: i16 = 3;

/// In what two books differ. The numbers are those of the contract's `ReconciliationFindingKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingKind {
    MissingHere = 1,
    MissingThere = 2,
    AmountDiffers = 3,
    StateDiffers = 4,
    Late = 5,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: FindingKind,
    pub(crate) operation_id: String,
    pub(crate) currency: String,
    pub(crate) own: i64,
    pub(crate) provider: i64,
}

/// The comparison of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    pub(crate) id: ReconciliationId,
    pub(crate) day: Timestamp,
    pub(crate) state: i16,
    pub(crate) matched: i64,
    pub(crate) findings: i64,
    pub(crate) compared_at: Option<Timestamp>,
}

impl Reconciliation {
    /// Where a page that ends with this day ends.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { key: self.day.0, id: self.id.0 }
    }
}

/// Asks for a day. Where it was asked for before, asks `again` or leaves it as it is.
pub(crate) async fn ask(
    scope: &impl Write,
    id: Uuid,
    day: Timestamp,
    now: Timestamp,
    again: bool,
) -> Result<(), StoreError> {
    let change = if again { "UPDATE SET state = 1, next_attempt_at = $4" } else { "NOTHING" };
    let sql = format!(
        "INSERT INTO external_reconciliations (tenant_id, id, day, state, matched, findings, \
         lease_until, next_attempt_at) VALUES ($1, $2, $3, {PENDING}, 0, 0, 0, $4) \
         ON CONFLICT (tenant_id, day) DO {change}"
    );
    let values = vec![scope.tenant().0.into(), id.into(), day.0.into(), now.0.into()];
    write(scope, &sql, values).await?;
    Ok(())
}

/// The reconciliation of a day.
pub(crate) async fn of_day(
    scope: &impl Scope,
    day: Timestamp,
) -> Result<Option<Reconciliation>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM external_reconciliations WHERE tenant_id = $1 AND day = $2");
    let values = vec![scope.tenant().0.into(), day.0.into()];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

/// A day that is to be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) tenant: TenantId,
    pub(crate) id: ReconciliationId,
    pub(crate) day: Timestamp,
}

/// Takes one day of any tenant that was asked for, to compare it until `lease_until`. A comparison
/// that fails comes again later.
pub(crate) async fn take_due(
    db: &SystemDb,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Due>, StoreError> {
    let skip = match db.backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "UPDATE external_reconciliations SET lease_until = $2, next_attempt_at = $3 \
         WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM external_reconciliations \
         WHERE state = {PENDING} AND next_attempt_at <= $1 ORDER BY next_attempt_at \
         LIMIT 1 {skip}) RETURNING tenant_id, id, day"
    );
    let values: Vec<Value> =
        vec![now.0.into(), lease_until.0.into(), now.0.saturating_add(RETRY_MICROS).into()];
    let tx = db.begin().await?;
    let statement = Statement::from_sql_and_values(db.backend(), &sql, values);
    let row = tx.conn().query_one_raw(statement).await?;
    let due = row
        .map(|row| {
            Ok::<_, StoreError>(Due {
                tenant: TenantId(row.try_get("", "tenant_id")?),
                id: ReconciliationId(row.try_get("", "id")?),
                day: Timestamp(row.try_get("", "day")?),
            })
        })
        .transpose()?;
    tx.commit().await?;
    Ok(due)
}

/// Keeps what a comparison found, in the place of what one before it found.
pub(crate) async fn save(
    scope: &impl Write,
    id: ReconciliationId,
    matched: i64,
    findings: &[Finding],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE external_reconciliations SET state = $3, matched = $4, findings = $5, \
               compared_at = $6, lease_until = 0 WHERE tenant_id = $1 AND id = $2";
    let state = if findings.is_empty() { MATCHED } else { DIFFERENT };
    let values = vec![
        scope.tenant().0.into(),
        id.0.into(),
        state.into(),
        matched.into(),
        i64::try_from(findings.len()).unwrap_or(i64::MAX).into(),
        now.0.into(),
    ];
    expect_rows("keep a reconciliation", 1, write(scope, sql, values).await?)?;
    let sql = "DELETE FROM external_findings WHERE tenant_id = $1 AND reconciliation_id = $2";
    write(scope, sql, vec![scope.tenant().0.into(), id.0.into()]).await?;
    for (line, finding) in (1_i64..).zip(findings) {
        let sql = "INSERT INTO external_findings (tenant_id, reconciliation_id, line, kind, \
                   operation_id, currency, own_minor_units, provider_minor_units) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = vec![
            scope.tenant().0.into(),
            id.0.into(),
            line.into(),
            (finding.kind as i16).into(),
            finding.operation_id.clone().into(),
            finding.currency.clone().into(),
            finding.own.into(),
            finding.provider.into(),
        ];
        expect_rows("keep a finding", 1, write(scope, sql, values).await?)?;
    }
    Ok(())
}

/// Lists the tenant's reconciliations, the latest day first, one more than `size`.
pub(crate) async fn list(
    scope: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Reconciliation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM external_reconciliations WHERE tenant_id = $1 \
         AND (day, id) < ($2, $3) ORDER BY day DESC, id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![scope.tenant().0.into(), key, id, limit(size)];
    all(scope, &sql, values).await?.iter().map(read).collect()
}

/// Loads a reconciliation.
pub(crate) async fn load(
    scope: &impl Scope,
    id: ReconciliationId,
) -> Result<Option<Reconciliation>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM external_reconciliations WHERE tenant_id = $1 AND id = $2");
    let values = vec![scope.tenant().0.into(), id.0.into()];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

/// What a reconciliation found.
pub(crate) async fn findings(
    scope: &impl Scope,
    id: ReconciliationId,
) -> Result<Vec<Finding>, StoreError> {
    let sql = "SELECT kind, operation_id, currency, own_minor_units, provider_minor_units \
               FROM external_findings WHERE tenant_id = $1 AND reconciliation_id = $2 \
               ORDER BY line";
    let finding = |row: &QueryResult| {
        let number: i16 = row.try_get("", "kind")?;
        let kinds = [
            FindingKind::MissingHere,
            FindingKind::MissingThere,
            FindingKind::AmountDiffers,
            FindingKind::StateDiffers,
            FindingKind::Late,
        ];
        let kind = kinds.into_iter().find(|kind| *kind as i16 == number);
        let kind = kind.ok_or_else(|| {
            StoreError::Inconsistent(format!("an unknown finding {number} is stored"))
        })?;
        Ok(Finding {
            kind,
            operation_id: row.try_get("", "operation_id")?,
            currency: row.try_get("", "currency")?,
            own: row.try_get("", "own_minor_units")?,
            provider: row.try_get("", "provider_minor_units")?,
        })
    };
    let values = vec![scope.tenant().0.into(), id.0.into()];
    all(scope, sql, values).await?.iter().map(finding).collect()
}

fn read(row: &QueryResult) -> Result<Reconciliation, StoreError> {
    Ok(Reconciliation {
        id: ReconciliationId(row.try_get("", "id")?),
        day: Timestamp(row.try_get("", "day")?),
        state: row.try_get("", "state")?,
        matched: row.try_get("", "matched")?,
        findings: row.try_get("", "findings")?,
        compared_at: row.try_get::<Option<i64>>("", "compared_at")?.map(Timestamp),
    })
}
