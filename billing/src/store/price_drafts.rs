//! Drafts of prices. What one says is kept as the contract's message.

use prost::Message;
use sea_orm::QueryResult;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::PriceDraftId;
use plasma_kit::paging::Cursor;
use plasma_proto::billing::v1 as pb;

use super::{Write, all, below, in_turn, limit, one, write};
use crate::domain::price::PriceDefinition;
use crate::wire;

/// A price that is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceDraft {
    /// Its id.
    pub(crate) id: PriceDraftId,
    /// All that it says.
    pub(crate) definition: PriceDefinition,
    /// The admin's own note.
    pub(crate) note: String,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// When it was last replaced.
    pub(crate) updated_at: Timestamp,
}

const COLUMNS: &str = "id, definition, note, created_at, updated_at";

/// Inserts a draft. `false` where the tenant has `most` of them.
pub(crate) async fn insert(
    books: &impl Write,
    draft: &PriceDraft,
    most: u64,
) -> Result<bool, StoreError> {
    in_turn(books).await?;
    let sql = "INSERT INTO price_drafts (tenant_id, id, definition, note, created_at, updated_at) \
               SELECT $1, $2, $3, $4, $5, $6 \
               WHERE (SELECT COUNT(*) FROM price_drafts WHERE tenant_id = $1) < $7";
    let values = vec![
        books.tenant().0.into(),
        draft.id.0.into(),
        wire::definition(&draft.definition).encode_to_vec().into(),
        draft.note.clone().into(),
        draft.created_at.0.into(),
        draft.updated_at.0.into(),
        i64::try_from(most).unwrap_or(i64::MAX).into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// Replaces what a draft says. `None` where there is no such draft.
pub(crate) async fn replace(
    books: &impl Write,
    id: PriceDraftId,
    definition: &PriceDefinition,
    note: &str,
    now: Timestamp,
) -> Result<Option<PriceDraft>, StoreError> {
    let sql = "UPDATE price_drafts SET definition = $3, note = $4, updated_at = $5 \
               WHERE tenant_id = $1 AND id = $2";
    let values = vec![
        books.tenant().0.into(),
        id.0.into(),
        wire::definition(definition).encode_to_vec().into(),
        note.to_owned().into(),
        now.0.into(),
    ];
    write(books, sql, values).await?;
    get(books, id).await
}

/// One draft.
pub(crate) async fn get(
    books: &impl Scope,
    id: PriceDraftId,
) -> Result<Option<PriceDraft>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM price_drafts WHERE tenant_id = $1 AND id = $2");
    let row = one(books, &sql, vec![books.tenant().0.into(), id.0.into()]).await?;
    row.map(|row| read(books, &row)).transpose()
}

/// Deletes a draft. `false` where there is no such draft.
pub(crate) async fn delete(books: &impl Write, id: PriceDraftId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM price_drafts WHERE tenant_id = $1 AND id = $2";
    Ok(write(books, sql, vec![books.tenant().0.into(), id.0.into()]).await? == 1)
}

/// Deletes a draft that still says this. `false` where another call replaced or deleted it.
pub(crate) async fn take(books: &impl Write, draft: &PriceDraft) -> Result<bool, StoreError> {
    let sql = "DELETE FROM price_drafts WHERE tenant_id = $1 AND id = $2 AND definition = $3";
    let values = vec![
        books.tenant().0.into(),
        draft.id.0.into(),
        wire::definition(&draft.definition).encode_to_vec().into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// Lists the tenant's drafts, newest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<PriceDraft>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM price_drafts WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) \
         ORDER BY created_at DESC, id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, &sql, values).await?.iter().map(|row| read(books, row)).collect()
}

fn read(books: &impl Scope, row: &QueryResult) -> Result<PriceDraft, StoreError> {
    let inconsistent =
        || StoreError::Inconsistent("a stored draft of a price is not one".to_owned());
    let bytes: Vec<u8> = row.try_get("", "definition")?;
    let definition = pb::PriceDefinition::decode(&*bytes).map_err(|_| inconsistent())?;
    let definition = wire::read_definition(Some(&definition), books.tenant());
    Ok(PriceDraft {
        id: PriceDraftId(row.try_get("", "id")?),
        definition: definition.map_err(|_| inconsistent())?,
        note: row.try_get("", "note")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
        updated_at: Timestamp(row.try_get("", "updated_at")?),
    })
}
