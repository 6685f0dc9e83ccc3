//! Messages that bundles paid for.

use plasma_kit::db::{Scope, StoreError, SystemDb};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChatId, MessageId, PassId, UserId};
use sea_orm::{ConnectionTrait, Statement, Value};

use super::{Write, one, write};

/// A message of a chat, as far as it is paid for: another digest is another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) chat: ChatId,
    pub(crate) message: MessageId,
    /// SHA-256 over all that is sent under the id.
    pub(crate) digest: [u8; 32],
}

/// Takes a unit of the payer's oldest bundle in a chat that has one left, in the one statement that
/// keeps it from being spent twice. `None` where there is none, or where a parallel message took
/// the last one of that bundle; nothing has changed then.
pub(crate) async fn take(
    books: &impl Write,
    payer: UserId,
    chat: ChatId,
) -> Result<Option<PassId>, StoreError> {
    let sql = "UPDATE passes SET messages_spent = messages_spent + 1 \
               WHERE tenant_id = $1 AND id = (SELECT id FROM passes WHERE chat_id = $2 \
               AND tenant_id = $1 AND payer_user_id = $3 AND messages_spent < messages \
               ORDER BY ordinal LIMIT 1) AND messages_spent < messages RETURNING id";
    let values = vec![books.tenant().0.into(), chat.0.into(), payer.0.into()];
    let row = one(books, sql, values).await?;
    Ok(row.map(|row| row.try_get("", "id")).transpose()?.map(PassId))
}

/// Records that a message is paid for by a pass; `false` where it was before.
pub(crate) async fn insert(
    books: &impl Write,
    sent: &Sent,
    pass: PassId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO spent_messages (chat_id, message_id, digest, tenant_id, pass_id, \
               created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let values = vec![
        sent.chat.0.into(),
        sent.message.0.into(),
        sent.digest.to_vec().into(),
        books.tenant().0.into(),
        pass.0.into(),
        now.0.into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// Whether a message is paid for.
pub(crate) async fn is_paid(scope: &impl Scope, sent: &Sent) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM spent_messages \
               WHERE chat_id = $1 AND message_id = $2 AND digest = $3";
    let values = vec![sent.chat.0.into(), sent.message.0.into(), sent.digest.to_vec().into()];
    Ok(one(scope, sql, values).await?.is_some())
}

/// Whether the payer has a unit left in a chat.
pub(crate) async fn has_any(
    books: &impl Scope,
    payer: UserId,
    chat: ChatId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM passes WHERE chat_id = $1 AND tenant_id = $2 \
               AND payer_user_id = $3 AND messages_spent < messages LIMIT 1";
    let values = vec![chat.0.into(), books.tenant().0.into(), payer.0.into()];
    Ok(one(books, sql, values).await?.is_some())
}

/// Forgets messages that were paid for before a moment, `size` at most; says how many.
pub(crate) async fn forget(db: &SystemDb, before: Timestamp, size: u64) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM spent_messages WHERE (chat_id, message_id, digest) IN \
               (SELECT chat_id, message_id, digest FROM spent_messages WHERE created_at < $1 \
               ORDER BY created_at LIMIT $2)";
    let values: [Value; 2] = [before.0.into(), i64::try_from(size).unwrap_or(i64::MAX).into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plasma_kit::Db;
    use plasma_kit::db::{DbConfig, TenantClaim};
    use plasma_kit::ids::TenantId;
    use sea_orm_migration::{MigrationTrait, MigratorTrait};
    use uuid::Uuid;

    use super::*;

    struct Migrator;

    impl MigratorTrait for Migrator {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            let mut all = plasma_kit::migration::migrations();
            all.extend(crate::migration::migrations());
            all
        }
    }

    #[tokio::test]
    async fn what_is_too_old_is_forgotten_a_part_at_a_time_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("spent.db").display());
        let acquire_timeout = Duration::from_secs(10);
        let db = Db::connect(&DbConfig { url, connections_max: 2, acquire_timeout }).await.unwrap();
        Migrator::up(db.for_migrations(), None).await.unwrap();
        let tenant = TenantId(Uuid::from_u128(1));
        let sent = |number: u8| Sent {
            chat: ChatId(Uuid::from_u128(2)),
            message: MessageId(Uuid::from_u128(u128::from(number))),
            digest: [number; 32],
        };
        let pass = PassId(Uuid::from_u128(3));
        let tx = db.tenant(TenantClaim::of_peer(tenant)).begin().await.unwrap();
        for number in 1..=9 {
            let when = Timestamp(i64::from(number));
            assert!(insert(&tx, &sent(number), pass, when).await.unwrap());
            assert!(!insert(&tx, &sent(number), pass, when).await.unwrap(), "paid for before");
        }
        tx.commit().await.unwrap();

        let system = db.system();
        let before = Timestamp(6);
        assert_eq!(forget(&system, before, 3).await.unwrap(), 3);
        assert_eq!(forget(&system, before, 3).await.unwrap(), 2);
        assert_eq!(forget(&system, before, 3).await.unwrap(), 0);
        let scope = db.tenant(TenantClaim::of_peer(tenant));
        for number in 1..=9 {
            let kept = is_paid(&scope, &sent(number)).await.unwrap();
            assert_eq!(kept, number >= 6, "{number}");
        }
    }
}
