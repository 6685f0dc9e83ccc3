//! Groups of payers.

use sea_orm::{DbBackend, QueryResult};

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::PayerGroupId;
use plasma_kit::paging::Cursor;

use super::{Write, above, all, in_turn, limit, one, write};

/// A group of payers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PayerGroup {
    /// Its id.
    pub(crate) id: PayerGroupId,
    /// Its name, for admins.
    pub(crate) display_name: String,
    /// When it was created.
    pub(crate) created_at: Timestamp,
}

/// Inserts a group. `false` where the tenant has `most` of them.
pub(crate) async fn insert(
    books: &impl Write,
    group: &PayerGroup,
    most: u64,
) -> Result<bool, StoreError> {
    in_turn(books).await?;
    let sql = "INSERT INTO payer_groups (tenant_id, id, display_name, created_at) \
               SELECT $1, $2, $3, $4 \
               WHERE (SELECT COUNT(*) FROM payer_groups WHERE tenant_id = $1) < $5";
    let values = vec![
        books.tenant().0.into(),
        group.id.0.into(),
        group.display_name.clone().into(),
        group.created_at.0.into(),
        i64::try_from(most).unwrap_or(i64::MAX).into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// One group.
pub(crate) async fn get(
    books: &impl Scope,
    id: PayerGroupId,
) -> Result<Option<PayerGroup>, StoreError> {
    let sql = "SELECT id, display_name, created_at FROM payer_groups \
               WHERE tenant_id = $1 AND id = $2";
    let row = one(books, sql, vec![books.tenant().0.into(), id.0.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// Keeps a group from being deleted, or from getting payers, until the transaction ends. `false`
/// where there is no such group.
pub(crate) async fn hold(books: &impl Write, id: PayerGroupId) -> Result<bool, StoreError> {
    let lock = match books.backend() {
        DbBackend::Postgres => " FOR UPDATE",
        // The embedded database has one writer at a time.
        _ => "",
    };
    let sql = format!("SELECT id FROM payer_groups WHERE tenant_id = $1 AND id = $2{lock}");
    Ok(one(books, &sql, vec![books.tenant().0.into(), id.0.into()]).await?.is_some())
}

/// Deletes a group that is held. `false` where it has payers.
pub(crate) async fn delete(books: &impl Write, id: PayerGroupId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM payer_groups WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS \
               (SELECT 1 FROM payers p WHERE p.tenant_id = $1 AND p.payer_group_id = $2)";
    Ok(write(books, sql, vec![books.tenant().0.into(), id.0.into()]).await? == 1)
}

/// Lists the tenant's groups, oldest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<PayerGroup>, StoreError> {
    let sql = "SELECT id, display_name, created_at FROM payer_groups \
               WHERE tenant_id = $1 AND (created_at, id) > ($2, $3) \
               ORDER BY created_at, id LIMIT $4";
    let [key, id] = above(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, sql, values).await?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<PayerGroup, StoreError> {
    Ok(PayerGroup {
        id: PayerGroupId(row.try_get("", "id")?),
        display_name: row.try_get("", "display_name")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
    })
}
