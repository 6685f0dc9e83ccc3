//! The table `users`. The platform's own id of a user is kept twice: as a keyed hash to find the
//! user by, and sealed, because webhooks and wallet calls must name it to the platform again.

use plasma_kit::db::{Scope, StoreError, TenantTx};
use plasma_kit::env::{Env, Timestamp};
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::secrets::Secrets;
use sea_orm::{ConnectionTrait, QueryResult};

use super::{statement, unknown};
use crate::domain::examination::Voucher;
use crate::domain::tenant::TenantState;
use crate::domain::user::{User, UserState};

/// The label of both the keyed hash and the seal.
const LABEL: &str = "partner-user-id";
const COLUMNS: &str = "id, state, created_at";

/// Finds the user that the voucher is for, and creates it at its first. Parallel first vouchers
/// make one user.
pub async fn admit(
    tx: &TenantTx,
    env: &Env,
    secrets: &Secrets,
    voucher: &Voucher,
) -> Result<User, StoreError> {
    let subject = &voucher.presented().subject;
    // Nothing is sealed and written for a user who is known already.
    if let Some(user) = find(tx, secrets, subject).await? {
        return Ok(user);
    }
    let id = UserId(env.uuid());
    let sql = "INSERT INTO users (tenant_id, id, partner_hash, partner_sealed, state, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let values = [
        tx.tenant().0.into(),
        id.0.into(),
        hash(secrets, tx.tenant(), subject).into(),
        secrets.seal(LABEL, &context(tx.tenant(), id), subject.as_bytes()).into(),
        UserState::Active.to_row().into(),
        env.now().0.into(),
    ];
    tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    find(tx, secrets, subject)
        .await?
        .ok_or_else(|| StoreError::Inconsistent("an admitted user is absent".to_owned()))
}

/// Finds the user whom the platform knows as `subject`.
pub async fn find<S: Scope>(
    scope: &S,
    secrets: &Secrets,
    subject: &str,
) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND partner_hash = $2");
    let values = [scope.tenant().0.into(), hash(secrets, scope.tenant(), subject).into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// Loads a user.
pub async fn load<S: Scope>(scope: &S, id: UserId) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND id = $2");
    let values = [scope.tenant().0.into(), id.0.into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// Moves a user from the state that it was loaded in; `false` where it is no longer in it.
pub async fn save_state(tx: &TenantTx, from: UserState, user: User) -> Result<bool, StoreError> {
    let sql = "UPDATE users SET state = $3 WHERE tenant_id = $1 AND id = $2 AND state = $4";
    let values =
        [tx.tenant().0.into(), user.id.0.into(), user.state.to_row().into(), from.to_row().into()];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    Ok(result.rows_affected() == 1)
}

/// The states of the scope's tenant and of one of its users, in one look; `None` where absent.
pub async fn standing<S: Scope>(
    scope: &S,
    id: UserId,
) -> Result<Option<(TenantState, Option<UserState>)>, StoreError> {
    let sql = "SELECT t.state AS tenant_state, u.state AS user_state FROM tenants t \
               LEFT JOIN users u ON u.tenant_id = t.tenant_id AND u.id = $2 \
               WHERE t.tenant_id = $1";
    let values = [scope.tenant().0.into(), id.0.into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), sql, values)).await?;
    let Some(row) = row else { return Ok(None) };
    let tenant = row.try_get("", "tenant_state")?;
    let tenant = TenantState::from_row(tenant).ok_or_else(|| unknown("tenants.state", tenant))?;
    let user: Option<i16> = row.try_get("", "user_state")?;
    let user = user.map(state).transpose()?;
    Ok(Some((tenant, user)))
}

/// Opens the platform's own id of a user; `None` where there is no such user.
pub async fn partner_user_id<S: Scope>(
    scope: &S,
    secrets: &Secrets,
    id: UserId,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT partner_sealed FROM users WHERE tenant_id = $1 AND id = $2";
    let values = [scope.tenant().0.into(), id.0.into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), sql, values)).await?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Vec<u8> = row.try_get("", "partner_sealed")?;
    let opened = secrets
        .open(LABEL, &context(scope.tenant(), id), &sealed)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    let subject = String::from_utf8(opened)
        .map_err(|_| StoreError::Inconsistent("a sealed id is no text".to_owned()))?;
    Ok(Some(subject))
}

fn read(row: &QueryResult) -> Result<User, StoreError> {
    Ok(User {
        id: UserId(row.try_get("", "id")?),
        state: state(row.try_get("", "state")?)?,
        create_time: Timestamp(row.try_get("", "created_at")?),
    })
}

fn state(number: i16) -> Result<UserState, StoreError> {
    UserState::from_row(number).ok_or_else(|| unknown("users.state", number))
}

fn hash(secrets: &Secrets, tenant: TenantId, subject: &str) -> Vec<u8> {
    secrets.keyed_hash(LABEL, &[&tenant.0.as_bytes()[..], subject.as_bytes()].concat()).to_vec()
}

/// What a sealed id is bound to: it opens for its own user only.
fn context(tenant: TenantId, user: UserId) -> Vec<u8> {
    [&tenant.0.as_bytes()[..], user.0.as_bytes()].concat()
}
