//! Passes. They are kept by the payer's tenant and found by their chat, which may belong to two.

use sea_orm::QueryResult;

use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, PassId, TenantId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, money, one, write};
use crate::domain::money::Money;
use crate::domain::pass::{Obligation, Party, Pass};

const SELECT: &str = "SELECT tenant_id, id, chat_id, ordinal, payer_user_id, charge_id, currency, \
                      minor_units, expire_at, created_at FROM passes";

/// Inserts a pass. `false` where the obligation is met by another; nothing is written then. Waits
/// for a parallel transaction that is about to meet it.
pub(crate) async fn insert(books: &impl Write, pass: &Pass) -> Result<bool, StoreError> {
    let sql = "INSERT INTO passes (tenant_id, id, chat_id, ordinal, payer_user_id, charge_id, \
               currency, minor_units, expire_at, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";
    let money = pass.paid.map(|(money, _)| money);
    let values = vec![
        books.tenant().0.into(),
        pass.id.0.into(),
        pass.obligation.chat.0.into(),
        pass.obligation.ordinal.into(),
        pass.payer.user.0.into(),
        pass.paid.map(|(_, charge)| charge.0).into(),
        money.map(|money| money.currency().code().to_owned()).into(),
        money.map(Money::minor_units).into(),
        pass.expire.map(|expire| expire.0).into(),
        pass.start.0.into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// Takes back a pass that the same transaction has inserted and whose payment was refused.
pub(crate) async fn withdraw(books: &impl Write, pass: PassId) -> Result<(), StoreError> {
    let sql = "DELETE FROM passes WHERE tenant_id = $1 AND id = $2";
    let values = vec![books.tenant().0.into(), pass.0.into()];
    expect_rows("take back a pass", 1, write(books, sql, values).await?)
}

/// The latest pass of a chat, whichever of its two tenants keeps it. One look-up in the unique
/// index. The caller has shown that the chat is its own to ask about.
pub(crate) async fn latest(scope: &impl Scope, chat: ChatId) -> Result<Option<Pass>, StoreError> {
    let sql = format!("{SELECT} WHERE chat_id = $1 ORDER BY ordinal DESC LIMIT 1");
    one(scope, &sql, vec![chat.0.into()]).await?.map(|row| pass(&row)).transpose()
}

/// Lists the passes that a user of the tenant opened or paid for, newest first, one more than
/// `size`.
pub(crate) async fn list(
    books: &impl Scope,
    payer: UserId,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Pass>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE tenant_id = $1 AND payer_user_id = $2 AND (created_at, id) < ($3, $4) \
         ORDER BY created_at DESC, id DESC LIMIT $5"
    );
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), payer.0.into(), key, id, limit(size)];
    all(books, &sql, values).await?.iter().map(pass).collect()
}

fn pass(row: &QueryResult) -> Result<Pass, StoreError> {
    let charge: Option<uuid::Uuid> = row.try_get("", "charge_id")?;
    let code: Option<String> = row.try_get("", "currency")?;
    let minor_units: Option<i64> = row.try_get("", "minor_units")?;
    let paid = match (charge, code, minor_units) {
        (Some(charge), Some(code), Some(minor_units)) => {
            Some((money(&code, minor_units)?, ChargeId(charge)))
        }
        (None, None, None) => None,
        _ => return Err(StoreError::Inconsistent("a stored pass is half paid".to_owned())),
    };
    Ok(Pass {
        id: PassId(row.try_get("", "id")?),
        obligation: Obligation {
            chat: ChatId(row.try_get("", "chat_id")?),
            ordinal: row.try_get("", "ordinal")?,
        },
        payer: Party {
            tenant: TenantId(row.try_get("", "tenant_id")?),
            user: UserId(row.try_get("", "payer_user_id")?),
        },
        paid,
        start: Timestamp(row.try_get("", "created_at")?),
        expire: row.try_get::<Option<i64>>("", "expire_at")?.map(Timestamp),
    })
}
