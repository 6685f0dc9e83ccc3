//! Who is in which group of payers. A payer is in one group of a tenant at most.

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{PayerGroupId, TenantId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, above, all, limit, one, write};
use crate::domain::pass::Party;

/// The group of a payer: `$4` and `$5` are its tenant and user, `$6` is nil. Being named goes before
/// one's platform being named.
pub(super) const GROUP: &str = "SELECT g.payer_group_id FROM payers g WHERE g.tenant_id = $1 \
     AND g.payer_tenant_id = $4 AND g.payer_user_id IN ($5, $6) \
     ORDER BY CASE WHEN g.payer_user_id = $6 THEN 1 ELSE 0 END LIMIT 1";

/// One who is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payer {
    /// Of this stay in the group.
    pub(crate) id: Uuid,
    /// The platform.
    pub(crate) tenant: TenantId,
    /// The user; everybody of the platform where `None`.
    pub(crate) user: Option<UserId>,
    /// When it came into the group.
    pub(crate) created_at: Timestamp,
}

fn user_id(user: Option<UserId>) -> Uuid {
    user.map_or(Uuid::nil(), |user| user.0)
}

/// The group that a payer is in.
pub(crate) async fn group_of(
    books: &impl Scope,
    payer: Party,
) -> Result<Option<PayerGroupId>, StoreError> {
    let sql = GROUP.replace("$4", "$2").replace("$5", "$3").replace("$6", "$4");
    let values = vec![
        books.tenant().0.into(),
        payer.tenant.0.into(),
        payer.user.0.into(),
        Uuid::nil().into(),
    ];
    let row = one(books, &sql, values).await?;
    row.map(|row| Ok(PayerGroupId(row.try_get("", "payer_group_id")?))).transpose()
}

/// Puts a payer into a group that exists, out of the one before. One who is in it stays as it was.
/// Gives the payer as it is then.
pub(crate) async fn put(
    books: &impl Write,
    group: PayerGroupId,
    payer: Payer,
) -> Result<Payer, StoreError> {
    let sql = "INSERT INTO payers (tenant_id, payer_tenant_id, payer_user_id, payer_group_id, \
               id, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (tenant_id, payer_tenant_id, payer_user_id) DO UPDATE \
               SET payer_group_id = excluded.payer_group_id, id = excluded.id, \
               created_at = excluded.created_at \
               WHERE payers.payer_group_id <> excluded.payer_group_id";
    let key = vec![
        books.tenant().0.into(),
        payer.tenant.0.into(),
        user_id(payer.user).into(),
        group.0.into(),
    ];
    let mut values = key.clone();
    values.extend([payer.id.into(), payer.created_at.0.into()]);
    if write(books, sql, values).await? == 1 {
        return Ok(payer);
    }
    let sql = "SELECT id, created_at FROM payers WHERE tenant_id = $1 AND payer_tenant_id = $2 \
               AND payer_user_id = $3 AND payer_group_id = $4";
    let row = one(books, sql, key).await?;
    let row = row.ok_or_else(|| {
        StoreError::Conflict("the payer was taken out of the group meanwhile".to_owned())
    })?;
    let created_at = Timestamp(row.try_get("", "created_at")?);
    Ok(Payer { id: row.try_get("", "id")?, created_at, ..payer })
}

/// Takes a payer out of a group, if it is in it.
pub(crate) async fn remove(
    books: &impl Write,
    group: PayerGroupId,
    tenant: TenantId,
    user: Option<UserId>,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM payers WHERE tenant_id = $1 AND payer_tenant_id = $2 \
               AND payer_user_id = $3 AND payer_group_id = $4";
    let values =
        vec![books.tenant().0.into(), tenant.0.into(), user_id(user).into(), group.0.into()];
    write(books, sql, values).await?;
    Ok(())
}

/// Lists the payers of a group in the order in which they came, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    group: PayerGroupId,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Payer>, StoreError> {
    let sql = "SELECT id, payer_tenant_id, payer_user_id, created_at FROM payers \
               WHERE tenant_id = $1 AND payer_group_id = $2 AND (created_at, id) > ($3, $4) \
               ORDER BY created_at, id LIMIT $5";
    let [key, id] = above(cursor);
    let values = vec![books.tenant().0.into(), group.0.into(), key, id, limit(size)];
    let payer = |row: &QueryResult| {
        let user: Uuid = row.try_get("", "payer_user_id")?;
        Ok(Payer {
            id: row.try_get("", "id")?,
            tenant: TenantId(row.try_get("", "payer_tenant_id")?),
            user: (!user.is_nil()).then_some(UserId(user)),
            created_at: Timestamp(row.try_get("", "created_at")?),
        })
    };
    all(books, sql, values).await?.iter().map(payer).collect()
}
