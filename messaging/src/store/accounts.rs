//! Accounts and the chain of their manifests.

use plasma_identity::Manifest;
use plasma_kit::db::expect_rows;
use plasma_kit::ids::{DeviceId, UserId};
use plasma_kit::{Scope, StoreError, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use super::devices::ACTIVE;
use super::{hash, statement};
use crate::domain::{DeviceSet, Founding, Succession};

/// A user with devices.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The root public key.
    pub root_public_key: Vec<u8>,
    /// The generation of the manifest in force.
    pub generation: u32,
    /// Its epoch.
    pub epoch: u64,
}

/// Finds a user's account.
pub(crate) async fn find(scope: &impl Scope, user: UserId) -> Result<Option<Account>, StoreError> {
    let sql = "SELECT root_public_key, generation, epoch FROM accounts \
               WHERE tenant_id = $1 AND user_id = $2";
    let values = [scope.tenant().0.into(), user.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    row.map(|row| {
        let generation: i64 = row.try_get("", "generation")?;
        Ok(Account {
            root_public_key: row.try_get("", "root_public_key")?,
            generation: u32::try_from(generation).map_err(|_| wrong("a generation"))?,
            epoch: epoch(&row)?,
        })
    })
    .transpose()
}

/// Stores a new account with its first manifest; `false` where the user has one.
pub(crate) async fn insert(
    tx: &TenantTx,
    user: UserId,
    founding: &Founding,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let manifest = founding.manifest();
    let said = manifest.statement();
    let sql = "INSERT INTO accounts (tenant_id, user_id, root_public_key, generation, epoch, \
               manifest_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
               ON CONFLICT DO NOTHING";
    let values = [
        tx.tenant().0.into(),
        user.0.into(),
        founding.root().to_bytes().to_vec().into(),
        i64::from(said.generation).into(),
        number(said.epoch)?.into(),
        manifest.hash().0.to_vec().into(),
        now.0.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    if result.rows_affected() == 0 {
        return Ok(false);
    }
    insert_manifest(tx, user, manifest).await?;
    Ok(true)
}

/// Puts a manifest in force in place of the one that it names; `false` where another is in force
/// by now.
pub(crate) async fn replace_manifest(
    tx: &TenantTx,
    user: UserId,
    succession: &Succession,
) -> Result<bool, StoreError> {
    let manifest = succession.manifest();
    let said = manifest.statement();
    let sql = "UPDATE accounts SET generation = $1, epoch = $2, manifest_hash = $3 \
               WHERE tenant_id = $4 AND user_id = $5 AND manifest_hash = $6";
    let values = [
        i64::from(said.generation).into(),
        number(said.epoch)?.into(),
        manifest.hash().0.to_vec().into(),
        tx.tenant().0.into(),
        user.0.into(),
        succession.previous().to_vec().into(),
    ];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    if result.rows_affected() == 0 {
        return Ok(false);
    }
    insert_manifest(tx, user, manifest).await?;
    Ok(true)
}

/// Begins an account anew in place of the one before, whose manifests go. The account is locked.
pub(crate) async fn begin_anew(
    tx: &TenantTx,
    user: UserId,
    founding: &Founding,
) -> Result<(), StoreError> {
    let of_user = || [tx.tenant().0.into(), user.0.into()];
    let sql = "DELETE FROM manifests WHERE tenant_id = $1 AND user_id = $2";
    tx.conn().execute_raw(statement(tx, sql, of_user())).await?;
    let manifest = founding.manifest();
    let said = manifest.statement();
    let sql = "UPDATE accounts SET root_public_key = $1, generation = $2, epoch = $3, \
               manifest_hash = $4 WHERE tenant_id = $5 AND user_id = $6";
    let values = [
        founding.root().to_bytes().to_vec().into(),
        i64::from(said.generation).into(),
        number(said.epoch)?.into(),
        manifest.hash().0.to_vec().into(),
        tx.tenant().0.into(),
        user.0.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    expect_rows("begin an account anew", 1, result.rows_affected())?;
    insert_manifest(tx, user, manifest).await
}

async fn insert_manifest(
    tx: &TenantTx,
    user: UserId,
    manifest: &Manifest,
) -> Result<(), StoreError> {
    let said = manifest.statement();
    let sql = "INSERT INTO manifests (tenant_id, user_id, generation, epoch, manifest) \
               VALUES ($1, $2, $3, $4, $5)";
    let values = [
        tx.tenant().0.into(),
        user.0.into(),
        i64::from(said.generation).into(),
        number(said.epoch)?.into(),
        manifest.to_bytes().into(),
    ];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// The manifests from an epoch on, in order.
pub(crate) async fn manifests_from(
    scope: &impl Scope,
    user: UserId,
    epoch: u64,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT manifest FROM manifests WHERE tenant_id = $1 AND user_id = $2 \
               AND epoch >= $3 ORDER BY generation, epoch";
    let values = [scope.tenant().0.into(), user.0.into(), number(epoch)?.into()];
    let rows = scope.conn().query_all_raw(statement(scope, sql, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "manifest")?)).collect()
}

/// The manifest of a generation and epoch; `None` where the account never had it, or has begun
/// anew.
pub(crate) async fn manifest(
    scope: &impl Scope,
    user: UserId,
    generation: u32,
    epoch: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT manifest FROM manifests WHERE tenant_id = $1 AND user_id = $2 \
               AND generation = $3 AND epoch = $4";
    let values = [
        scope.tenant().0.into(),
        user.0.into(),
        i64::from(generation).into(),
        number(epoch)?.into(),
    ];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "manifest")).transpose()?)
}

/// The devices of the manifest in force, read in one statement.
pub(crate) async fn device_set(
    scope: &impl Scope,
    user: UserId,
) -> Result<Option<DeviceSet>, StoreError> {
    let sql = "SELECT a.manifest_hash, a.epoch, d.device_id FROM accounts a \
               JOIN devices d ON d.tenant_id = a.tenant_id AND d.user_id = a.user_id \
               WHERE a.tenant_id = $1 AND a.user_id = $2 AND d.state = $3";
    let values = [scope.tenant().0.into(), user.0.into(), ACTIVE.into()];
    let rows = scope.conn().query_all_raw(statement(scope, sql, values)).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let devices: Result<Vec<DeviceId>, StoreError> =
        rows.iter().map(|row| Ok(DeviceId(row.try_get("", "device_id")?))).collect();
    Ok(Some(DeviceSet::new(hash(first, "manifest_hash")?, epoch(first)?, devices?)))
}

/// Makes parallel changes of one account wait for each other until the transaction ends.
pub(crate) async fn lock(tx: &TenantTx, user: UserId) -> Result<(), StoreError> {
    // SQLite has one writer at a time anyway.
    if tx.backend() == DbBackend::Postgres {
        let sql = "SELECT user_id FROM accounts WHERE tenant_id = $1 AND user_id = $2 \
                   FOR NO KEY UPDATE";
        let values = [tx.tenant().0.into(), user.0.into()];
        tx.conn().query_one_raw(statement(tx, sql, values)).await?;
    }
    Ok(())
}

fn epoch(row: &QueryResult) -> Result<u64, StoreError> {
    let epoch: i64 = row.try_get("", "epoch")?;
    u64::try_from(epoch).map_err(|_| wrong("an epoch"))
}

/// Epochs count up from 1 by 1; one that a viewer names may be anything.
fn number(epoch: u64) -> Result<i64, StoreError> {
    i64::try_from(epoch).map_err(|_| wrong("an epoch"))
}

fn wrong(what: &str) -> StoreError {
    StoreError::Inconsistent(format!("unexpected: {what}"))
}
