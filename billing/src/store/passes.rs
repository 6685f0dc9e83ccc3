//! Passes. They are kept by the payer's tenant and found by their chat, which may belong to two.

use sea_orm::QueryResult;

use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, ChatId, PassId, SubscriptionId, TenantId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, money, one, placeholders, write};
use crate::domain::pass::{Bundle, Obligation, Party, Pass, Source};

const FREE: i16 = 1;
const PAID: i16 = 2;
const TRIAL: i16 = 3;
const GRACE: i16 = 4;

const SELECT: &str = "SELECT tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, \
                      recipient_user_id, source, charge_id, currency, minor_units, \
                      subscription_id, messages, messages_spent, start_at, expire_at FROM passes";

/// Inserts a pass. `false` where the obligation is met by another; nothing is written then. Waits
/// for a parallel transaction that is about to meet it.
pub(crate) async fn insert(
    books: &impl Write,
    pass: &Pass,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO passes (tenant_id, id, chat_id, ordinal, payer_user_id, recipient_tenant_id, \
         recipient_user_id, source, charge_id, currency, minor_units, subscription_id, messages, \
         messages_spent, start_at, expire_at, created_at) VALUES {} ON CONFLICT DO NOTHING",
        placeholders(1, 17)
    );
    let (source, paid) = match pass.source {
        Source::Free => (FREE, None),
        Source::Paid(money, charge) => (PAID, Some((money, charge))),
        Source::Trial => (TRIAL, None),
        Source::Grace => (GRACE, None),
    };
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let values = vec![
        books.tenant().0.into(),
        pass.id.0.into(),
        pass.obligation.chat.0.into(),
        pass.obligation.ordinal.into(),
        pass.payer.user.0.into(),
        pass.recipient.tenant.0.into(),
        pass.recipient.user.0.into(),
        source.into(),
        paid.map(|(_, charge)| charge.0).into(),
        paid.map(|(money, _)| money.currency().code().to_owned()).into(),
        paid.map(|(money, _)| money.minor_units()).into(),
        pass.subscription.map(|subscription| subscription.0).into(),
        pass.bundle.map(|bundle| count(bundle.messages)).into(),
        pass.bundle.map(|bundle| count(bundle.spent)).into(),
        pass.start.0.into(),
        pass.expire.map(|expire| expire.0).into(),
        now.0.into(),
    ];
    Ok(write(books, &sql, values).await? == 1)
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

/// The chats with passes that the tenant sold and that end after a moment and until another.
pub(crate) async fn ending(
    books: &impl Scope,
    after: Timestamp,
    until: Timestamp,
) -> Result<Vec<ChatId>, StoreError> {
    let sql = "SELECT DISTINCT chat_id FROM passes \
               WHERE recipient_tenant_id = $1 AND expire_at > $2 AND expire_at <= $3";
    let values = vec![books.tenant().0.into(), after.0.into(), until.0.into()];
    let rows = all(books, sql, values).await?;
    rows.iter().map(|row| Ok(ChatId(row.try_get("", "chat_id")?))).collect()
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

/// Ends a pass at `now`, or where it begins if that is later: the one that it was added to goes on
/// until then. Has those that were added to it begin as much earlier.
pub(crate) async fn end(books: &impl Write, pass: &Pass, now: Timestamp) -> Result<(), StoreError> {
    let end = pass.start.0.max(now.0);
    let sql = "UPDATE passes SET expire_at = $3, messages = messages_spent \
               WHERE tenant_id = $1 AND id = $2";
    let values = vec![books.tenant().0.into(), pass.id.0.into(), end.into()];
    expect_rows("end a pass", 1, write(books, sql, values).await?)?;
    let Some(expire) = pass.expire else { return Ok(()) };
    let lost = expire.0 - end;
    if lost <= 0 {
        return Ok(());
    }
    let sql = "UPDATE passes SET start_at = start_at - $3, expire_at = expire_at - $3 \
               WHERE chat_id = $1 AND ordinal > $2 AND start_at >= $4";
    let obligation = pass.obligation;
    let values =
        vec![obligation.chat.0.into(), obligation.ordinal.into(), lost.into(), expire.0.into()];
    write(books, sql, values).await?;
    Ok(())
}

/// The pass that a charge paid for, whichever tenant keeps it.
pub(crate) async fn of_charge(
    scope: &impl Scope,
    chat: ChatId,
    charge: ChargeId,
) -> Result<Option<Pass>, StoreError> {
    let sql = format!("{SELECT} WHERE chat_id = $1 AND charge_id = $2");
    let row = one(scope, &sql, vec![chat.0.into(), charge.0.into()]).await?;
    row.map(|row| pass(&row)).transpose()
}

fn pass(row: &QueryResult) -> Result<Pass, StoreError> {
    let inconsistent = || StoreError::Inconsistent("a stored pass is not one".to_owned());
    let charge: Option<uuid::Uuid> = row.try_get("", "charge_id")?;
    let code: Option<String> = row.try_get("", "currency")?;
    let minor_units: Option<i64> = row.try_get("", "minor_units")?;
    let source = match (row.try_get::<i16>("", "source")?, charge, code, minor_units) {
        (PAID, Some(charge), Some(code), Some(minor_units)) => {
            Source::Paid(money(&code, minor_units)?, ChargeId(charge))
        }
        (FREE, None, None, None) => Source::Free,
        (TRIAL, None, None, None) => Source::Trial,
        (GRACE, None, None, None) => Source::Grace,
        _ => return Err(inconsistent()),
    };
    let count = |column| -> Result<Option<u32>, StoreError> {
        let count: Option<i32> = row.try_get("", column)?;
        count.map(|count| u32::try_from(count).map_err(|_| inconsistent())).transpose()
    };
    let bundle = match (count("messages")?, count("messages_spent")?) {
        (Some(messages), Some(spent)) => Some(Bundle { messages, spent }),
        (None, None) => None,
        _ => return Err(inconsistent()),
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
        recipient: Party {
            tenant: TenantId(row.try_get("", "recipient_tenant_id")?),
            user: UserId(row.try_get("", "recipient_user_id")?),
        },
        source,
        subscription: row.try_get::<Option<_>>("", "subscription_id")?.map(SubscriptionId),
        bundle,
        start: Timestamp(row.try_get("", "start_at")?),
        expire: row.try_get::<Option<i64>>("", "expire_at")?.map(Timestamp),
    })
}
