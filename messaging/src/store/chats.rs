//! Chats. What concerns both users stands in both member rows, which change in one transaction.

use plasma_kit::db::expect_rows;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::paging::Cursor;
use plasma_kit::{Scope, StoreError, TenantDb, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{moment, optional_moment, statement};
use crate::domain::{Member, UserKey, ordered};

const COLUMNS: &str = "tenant_id, user_id, chat_id, host_tenant_id, peer_tenant_id, \
                       peer_user_id, is_initiator, created_at, opened_at, blocked_at, \
                       peer_blocked_at, closed_at";

fn read(row: &QueryResult) -> Result<Member, StoreError> {
    let user = |tenant: &str, user: &str| -> Result<UserKey, StoreError> {
        Ok((TenantId(row.try_get("", tenant)?), UserId(row.try_get("", user)?)))
    };
    Ok(Member {
        chat: ChatId(row.try_get("", "chat_id")?),
        host: TenantId(row.try_get("", "host_tenant_id")?),
        own: user("tenant_id", "user_id")?,
        peer: user("peer_tenant_id", "peer_user_id")?,
        is_initiator: row.try_get("", "is_initiator")?,
        created_at: moment(row, "created_at")?,
        opened_at: optional_moment(row, "opened_at")?,
        blocked_at: optional_moment(row, "blocked_at")?,
        peer_blocked_at: optional_moment(row, "peer_blocked_at")?,
        closed_at: optional_moment(row, "closed_at")?,
    })
}

/// Finds a chat of a user.
pub(crate) async fn find(
    scope: &impl Scope,
    user: UserId,
    chat: ChatId,
) -> Result<Option<Member>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM chat_members \
         WHERE tenant_id = $1 AND user_id = $2 AND chat_id = $3"
    );
    let values = [scope.tenant().0.into(), user.0.into(), chat.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// Finds the one chat of a user with another.
pub(crate) async fn between(
    scope: &impl Scope,
    user: UserId,
    peer: UserKey,
) -> Result<Option<Member>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM chat_members WHERE tenant_id = $1 AND user_id = $2 \
         AND peer_tenant_id = $3 AND peer_user_id = $4"
    );
    let values = [scope.tenant().0.into(), user.0.into(), peer.0.0.into(), peer.1.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// Stores a new chat with both its members, or finds the one that the two have already.
pub(crate) async fn find_or_insert(db: &TenantDb, new: &Member) -> Result<Member, StoreError> {
    if let Some(member) = between(db, new.own.1, new.peer).await? {
        return Ok(member);
    }
    let tx = db.begin().await?;
    if insert_pair(&tx, new).await? {
        insert_member(&tx, new).await?;
        insert_member(&tx, &new.seen_by_peer()).await?;
        tx.commit().await?;
        return Ok(*new);
    }
    tx.rollback().await?;
    let member = between(db, new.own.1, new.peer).await?;
    member.ok_or_else(|| StoreError::Inconsistent("a chat without its member".to_owned()))
}

/// Stores the pair; waits for a parallel call that stores it, and is `false` where one did.
async fn insert_pair(tx: &TenantTx, new: &Member) -> Result<bool, StoreError> {
    let (low, high) = ordered(new.own, new.peer);
    let sql = "INSERT INTO chats (host_tenant_id, chat_id, low_tenant_id, low_user_id, \
               high_tenant_id, high_user_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
               ON CONFLICT DO NOTHING";
    let values = [
        new.host.0.into(),
        new.chat.0.into(),
        low.0.0.into(),
        low.1.0.into(),
        high.0.0.into(),
        high.1.0.into(),
        new.created_at.0.into(),
    ];
    Ok(tx.conn().execute_raw(statement(tx, sql, values)).await?.rows_affected() == 1)
}

async fn insert_member(tx: &TenantTx, member: &Member) -> Result<(), StoreError> {
    let sql = "INSERT INTO chat_members (tenant_id, user_id, chat_id, host_tenant_id, \
               peer_tenant_id, peer_user_id, is_initiator, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        member.own.0.0.into(),
        member.own.1.0.into(),
        member.chat.0.into(),
        member.host.0.into(),
        member.peer.0.0.into(),
        member.peer.1.0.into(),
        member.is_initiator.into(),
        member.created_at.0.into(),
    ];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// What changes for both members at once. A moment that is set already stays.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    /// Access was granted for the first time.
    Opened(Timestamp),
    /// The member blocks.
    Blocked(Timestamp),
    /// The member ends its own block.
    Unblocked,
    /// The chat is closed for good.
    Closed(Timestamp),
}

/// Marks a chat as opened to both; the first time stays.
pub(crate) async fn open(
    db: &TenantDb,
    member: &Member,
    now: Timestamp,
) -> Result<Member, StoreError> {
    if member.opened_at.is_some() {
        return Ok(*member);
    }
    let tx = db.begin().await?;
    let changed = apply(&tx, member, Change::Opened(now)).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Changes both rows, in the pair's order, so that two members' changes do not wait for each
/// other's for ever. Gives the member's row as it is then.
pub(crate) async fn apply(
    tx: &TenantTx,
    member: &Member,
    change: Change,
) -> Result<Member, StoreError> {
    let (low, high) = ordered(member.own, member.peer);
    for user in [low, high] {
        let is_own = user == member.own;
        let assignment = match change {
            Change::Opened(_) => "opened_at = COALESCE(opened_at, $1)",
            Change::Closed(_) => "closed_at = COALESCE(closed_at, $1)",
            Change::Blocked(_) if is_own => "blocked_at = COALESCE(blocked_at, $1)",
            Change::Blocked(_) => "peer_blocked_at = COALESCE(peer_blocked_at, $1)",
            Change::Unblocked if is_own => "blocked_at = $1",
            Change::Unblocked => "peer_blocked_at = $1",
        };
        let value: Option<i64> = match change {
            Change::Opened(at) | Change::Blocked(at) | Change::Closed(at) => Some(at.0),
            Change::Unblocked => None,
        };
        let sql = format!(
            "UPDATE chat_members SET {assignment} \
             WHERE tenant_id = $2 AND user_id = $3 AND chat_id = $4"
        );
        let values = [value.into(), user.0.0.into(), user.1.0.into(), member.chat.0.into()];
        let result = tx.conn().execute_raw(statement(tx, &sql, values)).await?;
        expect_rows("change a chat's member", 1, result.rows_affected())?;
    }
    let changed = find(tx, member.own.1, member.chat).await?;
    changed.ok_or_else(|| StoreError::Inconsistent("a chat's member is gone".to_owned()))
}

/// The user's chats behind `after`, newest first: those that it opened, and those of others that
/// were granted access.
pub(crate) async fn list(
    scope: &impl Scope,
    user: UserId,
    after: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Member>, StoreError> {
    let (key, id) = super::before(after);
    let sql = format!(
        "SELECT {COLUMNS} FROM chat_members WHERE tenant_id = $1 AND user_id = $2 \
         AND (created_at, chat_id) < ($3, $4) AND (is_initiator OR opened_at IS NOT NULL) \
         ORDER BY created_at DESC, chat_id DESC LIMIT $5"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [scope.tenant().0.into(), user.0.into(), key.into(), id.into(), limit.into()];
    let rows = scope.conn().query_all_raw(statement(scope, &sql, values)).await?;
    rows.iter().map(read).collect()
}
