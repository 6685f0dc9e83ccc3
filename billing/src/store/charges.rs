//! Charges, in the books of the recipient's tenant.

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, PriceId, TenantId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, money, one, write};
use crate::domain::charge::Charge;
use crate::domain::money::Currency;
use crate::domain::pass::{Obligation, Party};
use crate::domain::split::Split;
use crate::time::Span;

/// Inserts a charge. A second one for the same obligation is a [`StoreError::Conflict`].
pub(crate) async fn insert(books: &impl Write, charge: &Charge) -> Result<(), StoreError> {
    let sql = "INSERT INTO charges (tenant_id, id, chat_id, ordinal, price_id, payer_tenant_id, \
               payer_user_id, recipient_user_id, currency, minor_units, operator_minor_units, \
               recipient_minor_units, platform_minor_units, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = vec![
        books.tenant().0.into(),
        charge.id.0.into(),
        charge.obligation.chat.0.into(),
        charge.obligation.ordinal.into(),
        charge.price.0.into(),
        charge.payer.tenant.0.into(),
        charge.payer.user.0.into(),
        charge.recipient.user.0.into(),
        charge.money.currency().code().into(),
        charge.money.minor_units().into(),
        charge.split.operator().into(),
        charge.split.recipient().into(),
        charge.split.platform().into(),
        charge.created_at.0.into(),
    ];
    expect_rows("write a charge", 1, write(books, sql, values).await?)
}

/// A charge as it was stored.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: ChargeId,
    pub(crate) chat: ChatId,
    pub(crate) price: PriceId,
    pub(crate) payer_tenant: TenantId,
    pub(crate) payer_user: UserId,
    pub(crate) recipient_user: UserId,
    pub(crate) currency: String,
    pub(crate) minor_units: i64,
    pub(crate) operator: i64,
    pub(crate) recipient: i64,
    pub(crate) platform: i64,
    pub(crate) created_at: Timestamp,
}

impl Row {
    /// Where a page that ends with this charge ends.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { key: self.created_at.0, id: self.id.0 }
    }
}

/// One charge for access to a user of the tenant.
pub(crate) async fn get(books: &impl Scope, id: ChargeId) -> Result<Option<Charge>, StoreError> {
    let sql = "SELECT ordinal, id, chat_id, price_id, payer_tenant_id, payer_user_id, \
               recipient_user_id, currency, minor_units, operator_minor_units, \
               recipient_minor_units, platform_minor_units, created_at FROM charges \
               WHERE tenant_id = $1 AND id = $2";
    let Some(row) = one(books, sql, vec![books.tenant().0.into(), id.0.into()]).await? else {
        return Ok(None);
    };
    let number = |column| row.try_get::<i64>("", column);
    let code: String = row.try_get("", "currency")?;
    Ok(Some(Charge {
        id,
        obligation: Obligation {
            chat: ChatId(row.try_get("", "chat_id")?),
            ordinal: number("ordinal")?,
        },
        price: PriceId(row.try_get("", "price_id")?),
        payer: Party {
            tenant: TenantId(row.try_get("", "payer_tenant_id")?),
            user: UserId(row.try_get("", "payer_user_id")?),
        },
        recipient: Party {
            tenant: books.tenant(),
            user: UserId(row.try_get("", "recipient_user_id")?),
        },
        money: money(&code, number("minor_units")?)?,
        split: Split::from_parts(
            number("operator_minor_units")?,
            number("recipient_minor_units")?,
            number("platform_minor_units")?,
        ),
        created_at: Timestamp(number("created_at")?),
    }))
}

/// Lists the charges for access to the tenant's users, newest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT id, chat_id, price_id, payer_tenant_id, payer_user_id, recipient_user_id, \
               currency, minor_units, operator_minor_units, recipient_minor_units, \
               platform_minor_units, created_at FROM charges \
               WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) \
               ORDER BY created_at DESC, id DESC LIMIT $4";
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, sql, values).await?.iter().map(read).collect()
}

/// The charges of a time in a currency, oldest first, after a moment and an id.
pub(crate) async fn of_time(
    books: &impl Scope,
    currency: Currency,
    span: Span,
    after: (i64, Uuid),
    size: u64,
) -> Result<Vec<Row>, StoreError> {
    let sql = "SELECT id, chat_id, price_id, payer_tenant_id, payer_user_id, recipient_user_id, \
               currency, minor_units, operator_minor_units, recipient_minor_units, \
               platform_minor_units, created_at FROM charges \
               WHERE tenant_id = $1 AND currency = $2 AND created_at >= $3 AND created_at < $4 \
               AND (created_at, id) > ($5, $6) ORDER BY created_at, id LIMIT $7";
    let values = vec![
        books.tenant().0.into(),
        currency.code().into(),
        span.start.0.max(after.0).into(),
        span.end.0.into(),
        after.0.into(),
        after.1.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    all(books, sql, values).await?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Row, StoreError> {
    Ok(Row {
        id: ChargeId(row.try_get("", "id")?),
        chat: ChatId(row.try_get("", "chat_id")?),
        price: PriceId(row.try_get("", "price_id")?),
        payer_tenant: TenantId(row.try_get("", "payer_tenant_id")?),
        payer_user: UserId(row.try_get("", "payer_user_id")?),
        recipient_user: UserId(row.try_get("", "recipient_user_id")?),
        currency: row.try_get("", "currency")?,
        minor_units: row.try_get("", "minor_units")?,
        operator: row.try_get("", "operator_minor_units")?,
        recipient: row.try_get("", "recipient_minor_units")?,
        platform: row.try_get("", "platform_minor_units")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
    })
}
