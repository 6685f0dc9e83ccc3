//! Contact links.

use plasma_kit::ids::{LinkId, TenantId, UserId};
use plasma_kit::paging::Cursor;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Scope, StoreError, TenantDb, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{moment, optional_moment, statement};
use crate::domain::LinkToken;

const SEAL_LABEL: &str = "link-token";

const COLUMNS: &str = "tenant_id, link_id, user_id, sealed_token, created_at, revoked_at";

/// A contact link, its token sealed.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// The owner's tenant.
    pub tenant: TenantId,
    /// The link.
    pub id: LinkId,
    /// The owner.
    pub user: UserId,
    sealed_token: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Link {
    fn read(row: &QueryResult) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: TenantId(row.try_get("", "tenant_id")?),
            id: LinkId(row.try_get("", "link_id")?),
            user: UserId(row.try_get("", "user_id")?),
            sealed_token: row.try_get("", "sealed_token")?,
            created_at: moment(row, "created_at")?,
            revoked_at: optional_moment(row, "revoked_at")?,
        })
    }

    /// Opens the sealed token.
    pub(crate) fn token(&self, secrets: &Secrets) -> Result<LinkToken, StoreError> {
        secrets
            .open(SEAL_LABEL, self.id.0.as_bytes(), &self.sealed_token)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(LinkToken::new)
            .ok_or_else(|| StoreError::Inconsistent("a link's token does not open".to_owned()))
    }
}

/// Stores a new link.
pub(crate) async fn insert(
    tx: &TenantTx,
    secrets: &Secrets,
    user: UserId,
    link: LinkId,
    token: &LinkToken,
    created_at: Timestamp,
) -> Result<Link, StoreError> {
    let sealed_token = secrets.seal(SEAL_LABEL, link.0.as_bytes(), token.as_bytes());
    let sql = "INSERT INTO links \
               (tenant_id, link_id, user_id, token_hash, sealed_token, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = [
        tx.tenant().0.into(),
        link.0.into(),
        user.0.into(),
        token.hash().to_vec().into(),
        sealed_token.clone().into(),
        created_at.0.into(),
    ];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    let tenant = tx.tenant();
    Ok(Link { tenant, id: link, user, sealed_token, created_at, revoked_at: None })
}

/// Counts the user's active links.
pub(crate) async fn count_active(scope: &impl Scope, user: UserId) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) AS active FROM links \
               WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL";
    let values = [scope.tenant().0.into(), user.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get("", "active"))?)
}

/// Finds a user's own link.
pub(crate) async fn find(
    scope: &impl Scope,
    user: UserId,
    link: LinkId,
) -> Result<Option<Link>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM links WHERE tenant_id = $1 AND user_id = $2 AND link_id = $3"
    );
    let values = [scope.tenant().0.into(), user.0.into(), link.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, &sql, values)).await?;
    row.as_ref().map(Link::read).transpose()
}

/// Finds whoever's link a token belongs to. The one query that names no tenant: who holds the
/// token's 128 random bits may learn where they lead.
pub(crate) async fn resolve(db: &TenantDb, token: &LinkToken) -> Result<Option<Link>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM links WHERE token_hash = $1");
    let values = [token.hash().to_vec().into()];
    let row = db.conn().query_one_raw(statement(db, &sql, values)).await?;
    row.as_ref().map(Link::read).transpose()
}

/// Marks a link as revoked; one that is revoked already stays as it is.
pub(crate) async fn revoke(tx: &TenantTx, link: LinkId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE links SET revoked_at = $1 \
               WHERE tenant_id = $2 AND link_id = $3 AND revoked_at IS NULL";
    let values = [now.0.into(), tx.tenant().0.into(), link.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// The user's links behind `after`, newest first.
pub(crate) async fn list(
    scope: &impl Scope,
    user: UserId,
    after: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Link>, StoreError> {
    let (key, id) = super::before(after);
    let sql = format!(
        "SELECT {COLUMNS} FROM links WHERE tenant_id = $1 AND user_id = $2 \
         AND (created_at, link_id) < ($3, $4) ORDER BY created_at DESC, link_id DESC LIMIT $5"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [scope.tenant().0.into(), user.0.into(), key.into(), id.into(), limit.into()];
    let rows = scope.conn().query_all_raw(statement(scope, &sql, values)).await?;
    rows.iter().map(Link::read).collect()
}
