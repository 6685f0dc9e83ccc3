//! Operations at tenants' own wallets. Who drives one holds its lease; every change is conditional
//! on the lease and on the state that was read, so that of two who drive it one wins.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use plasma_kit::SystemDb;
use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, ExternalOperationId, TenantId, UserId};
use plasma_kit::paging::Cursor;

use super::super::{Write, all, below, limit, money, one, write};
use crate::domain::external::{Bought, Kind, Operation, State};

const COLUMNS: &str = "tenant_id, id, kind, user_id, currency, minor_units, obligation, attempt, \
                       state, captured_minor_units, decline_reason, available_minor_units, \
                       reserve_id, charge_tenant_id, charge_id, failed_attempts, hold_until, \
                       created_at, updated_at, closed_at";

/// The right to drive an operation for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) holder: Uuid,
    pub(crate) until: Timestamp,
}

impl Lease {
    /// Nobody's.
    pub(crate) const NONE: Self = Self { holder: Uuid::nil(), until: Timestamp(0) };
}

/// Inserts an operation under a lease. `false` where the attempt was begun by another.
pub(crate) async fn insert(
    scope: &impl Write,
    operation: &Operation,
    lease: Lease,
    next_attempt_at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO external_operations (tenant_id, id, kind, user_id, currency, \
               minor_units, obligation, attempt, state, captured_minor_units, decline_reason, \
               available_minor_units, reserve_id, charge_tenant_id, charge_id, failed_attempts, \
               hold_until, created_at, updated_at, closed_at, lease, lease_until, \
               next_attempt_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, $10, $11, \
               $12, 0, $13, $14, $14, NULL, $15, $16, $17) ON CONFLICT DO NOTHING";
    let values = vec![
        scope.tenant().0.into(),
        operation.id.0.into(),
        operation.kind.number().into(),
        operation.user.0.into(),
        operation.money.currency().code().into(),
        operation.money.minor_units().into(),
        operation.obligation.clone().into(),
        operation.attempt.into(),
        operation.state.number().into(),
        operation.reserve.map(|reserve| reserve.0).into(),
        operation.bought.map(|bought| bought.tenant.0).into(),
        operation.bought.map(|bought| bought.charge.0).into(),
        operation.hold_until.0.into(),
        operation.created_at.0.into(),
        lease.holder.into(),
        lease.until.0.into(),
        next_attempt_at.0.into(),
    ];
    Ok(write(scope, sql, values).await? == 1)
}

/// The latest operation of a kind for a user's debt.
pub(crate) async fn latest(
    scope: &impl Scope,
    user: UserId,
    obligation: &str,
    kind: Kind,
) -> Result<Option<Operation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM external_operations WHERE tenant_id = $1 AND obligation = $2 \
         AND user_id = $3 AND kind = $4 ORDER BY attempt DESC LIMIT 1"
    );
    let values =
        vec![scope.tenant().0.into(), obligation.into(), user.0.into(), kind.number().into()];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

/// The captured reserve that paid a charge.
pub(crate) async fn of_charge(
    scope: &impl Scope,
    charge: ChargeId,
) -> Result<Option<Operation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM external_operations \
         WHERE tenant_id = $1 AND charge_id = $2 AND kind = 1"
    );
    let values = vec![scope.tenant().0.into(), charge.0.into()];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

/// Takes the lease of an open operation that nobody drives. `None` where another does, or it ended.
pub(crate) async fn lease(
    scope: &impl Write,
    id: ExternalOperationId,
    lease: Lease,
    now: Timestamp,
) -> Result<Option<Operation>, StoreError> {
    let sql = format!(
        "UPDATE external_operations SET lease = $3, lease_until = $4 WHERE tenant_id = $1 \
         AND id = $2 AND lease_until < $5 AND closed_at IS NULL RETURNING {COLUMNS}"
    );
    let values = vec![
        scope.tenant().0.into(),
        id.0.into(),
        lease.holder.into(),
        lease.until.0.into(),
        now.0.into(),
    ];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

/// What changes with a state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) to: State,
    pub(crate) captured: i64,
    pub(crate) decline_reason: i32,
    pub(crate) available: i64,
    pub(crate) failed_attempts: i64,
    pub(crate) bought: Option<Bought>,
    /// Who drives it on.
    pub(crate) lease: Lease,
    /// When the worker looks at it if nobody drives it.
    pub(crate) next_attempt_at: Timestamp,
}

impl Change {
    /// A change of the state alone, which leaves the operation to whoever comes.
    pub(crate) fn of(operation: &Operation, to: State, next_attempt_at: Timestamp) -> Self {
        Self {
            to,
            captured: operation.captured,
            decline_reason: operation.decline_reason,
            available: operation.available,
            failed_attempts: operation.failed_attempts,
            bought: operation.bought,
            lease: Lease::NONE,
            next_attempt_at,
        }
    }
}

/// Changes an operation that `holder` drives and that is as it was read. Another who took the lease
/// meanwhile is a [`StoreError::Conflict`].
pub(crate) async fn save(
    scope: &impl Write,
    operation: &Operation,
    holder: Uuid,
    change: Change,
    now: Timestamp,
) -> Result<Operation, StoreError> {
    let (from, to) = (operation.state, change.to);
    if !from.may_become(to) && from != to {
        let text = format!("{} cannot become {to:?} from {from:?}", operation.id);
        return Err(StoreError::Inconsistent(text));
    }
    let sql = format!(
        "UPDATE external_operations SET state = $5, captured_minor_units = $6, \
         decline_reason = $7, available_minor_units = $8, failed_attempts = $9, \
         charge_tenant_id = $10, charge_id = $11, lease = $12, lease_until = $13, \
         next_attempt_at = $14, updated_at = $15, closed_at = $16 WHERE tenant_id = $1 \
         AND id = $2 AND lease = $3 AND state = $4 RETURNING {COLUMNS}"
    );
    let closed_at = to.is_final().then_some(now.0);
    let values = vec![
        scope.tenant().0.into(),
        operation.id.0.into(),
        holder.into(),
        from.number().into(),
        to.number().into(),
        change.captured.into(),
        change.decline_reason.into(),
        change.available.into(),
        change.failed_attempts.into(),
        change.bought.map(|bought| bought.tenant.0).into(),
        change.bought.map(|bought| bought.charge.0).into(),
        change.lease.holder.into(),
        change.lease.until.0.into(),
        change.next_attempt_at.0.into(),
        now.0.into(),
        closed_at.into(),
    ];
    match one(scope, &sql, values).await? {
        Some(row) => read(&row),
        None => Err(StoreError::Conflict(format!("{} is driven by another", operation.id))),
    }
}

/// Takes the leases of operations of any tenant that are due and that nobody drives, the longest due
/// first. On `PostgreSQL` those that another node is taking are skipped.
pub(crate) async fn take_due(
    db: &SystemDb,
    lease: Lease,
    now: Timestamp,
    most: u32,
) -> Result<Vec<(TenantId, Operation)>, StoreError> {
    let skip = match db.backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "UPDATE external_operations SET lease = $1, lease_until = $2 WHERE (tenant_id, id) IN \
         (SELECT tenant_id, id FROM external_operations WHERE closed_at IS NULL \
         AND next_attempt_at <= $3 AND lease_until < $3 ORDER BY next_attempt_at LIMIT {most} \
         {skip}) RETURNING {COLUMNS}"
    );
    let values: Vec<Value> = vec![lease.holder.into(), lease.until.0.into(), now.0.into()];
    let tx = db.begin().await?;
    let statement = Statement::from_sql_and_values(db.backend(), &sql, values);
    let rows = tx.conn().query_all_raw(statement).await?;
    let taken = rows
        .iter()
        .map(|row| Ok((TenantId(row.try_get("", "tenant_id")?), read(row)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    tx.commit().await?;
    Ok(taken)
}

/// Gives a lease back without a change, to be looked at again later.
pub(crate) async fn give_back(
    scope: &impl Write,
    id: ExternalOperationId,
    holder: Uuid,
    next_attempt_at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE external_operations SET lease = $4, lease_until = 0, next_attempt_at = $5 \
               WHERE tenant_id = $1 AND id = $2 AND lease = $3";
    let values = vec![
        scope.tenant().0.into(),
        id.0.into(),
        holder.into(),
        Uuid::nil().into(),
        next_attempt_at.0.into(),
    ];
    let touched = write(scope, sql, values).await?;
    expect_rows("give a lease back", touched.min(1), touched)
}

/// Whether the tenant has an open operation.
pub(crate) async fn any_open(scope: &impl Scope) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS one FROM external_operations \
               WHERE tenant_id = $1 AND closed_at IS NULL LIMIT 1";
    Ok(one(scope, sql, vec![scope.tenant().0.into()]).await?.is_some())
}

/// Lists the tenant's operations, newest first, one more than `size`.
pub(crate) async fn list(
    scope: &impl Scope,
    open_only: bool,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Operation>, StoreError> {
    let open = if open_only { "AND closed_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM external_operations WHERE tenant_id = $1 {open} \
         AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![scope.tenant().0.into(), key, id, limit(size)];
    all(scope, &sql, values).await?.iter().map(read).collect()
}

/// The tenant's operations of a time, without those that never reached the provider's books.
pub(crate) async fn of_time(
    scope: &impl Scope,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Operation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM external_operations \
         WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 ORDER BY created_at, id"
    );
    let values = vec![scope.tenant().0.into(), start.0.into(), end.0.into()];
    all(scope, &sql, values).await?.iter().map(read).collect()
}

/// Loads an operation.
pub(crate) async fn load(
    scope: &impl Scope,
    id: ExternalOperationId,
) -> Result<Option<Operation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM external_operations WHERE tenant_id = $1 AND id = $2");
    let values = vec![scope.tenant().0.into(), id.0.into()];
    one(scope, &sql, values).await?.map(|row| read(&row)).transpose()
}

fn read(row: &QueryResult) -> Result<Operation, StoreError> {
    let unknown = |what: &str| StoreError::Inconsistent(format!("an unknown {what} is stored"));
    let code: String = row.try_get("", "currency")?;
    let charge: Option<Uuid> = row.try_get("", "charge_id")?;
    let charge_tenant: Option<Uuid> = row.try_get("", "charge_tenant_id")?;
    Ok(Operation {
        id: ExternalOperationId(row.try_get("", "id")?),
        kind: Kind::from_number(row.try_get("", "kind")?).ok_or_else(|| unknown("kind"))?,
        user: UserId(row.try_get("", "user_id")?),
        money: money(&code, row.try_get("", "minor_units")?)?,
        obligation: row.try_get("", "obligation")?,
        attempt: row.try_get("", "attempt")?,
        state: State::from_number(row.try_get("", "state")?).ok_or_else(|| unknown("state"))?,
        captured: row.try_get("", "captured_minor_units")?,
        decline_reason: row.try_get("", "decline_reason")?,
        available: row.try_get("", "available_minor_units")?,
        reserve: row.try_get::<Option<Uuid>>("", "reserve_id")?.map(ExternalOperationId),
        bought: charge_tenant
            .zip(charge)
            .map(|(tenant, charge)| Bought { tenant: TenantId(tenant), charge: ChargeId(charge) }),
        failed_attempts: row.try_get("", "failed_attempts")?,
        hold_until: Timestamp(row.try_get("", "hold_until")?),
        created_at: Timestamp(row.try_get("", "created_at")?),
        updated_at: Timestamp(row.try_get("", "updated_at")?),
        closed_at: row.try_get::<Option<i64>>("", "closed_at")?.map(Timestamp),
    })
}
