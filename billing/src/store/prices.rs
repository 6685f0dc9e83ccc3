//! Price versions. Which one is in force follows from when each takes effect.

mod row;

use sea_orm::Value;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::{Timestamp, micros};
use plasma_kit::ids::{PriceId, UserId};
use plasma_kit::paging::Cursor;

use self::row::{
    COLUMNS, PAIR, PAYER_GROUP, RECIPIENT, TENANT_DEFAULT, listed, price, target_key, terms_row,
};
use super::{Write, all, below, limit, one, payers, placeholders, write};
use crate::domain::pass::Party;
use crate::domain::price::{Price, PriceTarget};

pub(super) use self::row::precedence;

const IS_WITHDRAWN: &str = "EXISTS (SELECT 1 FROM price_withdrawals w \
                            WHERE w.tenant_id = p.tenant_id AND w.price_id = p.id)";

/// When the next version of the same target takes effect, in the order in which they count.
const SUPERSEDED: &str = "(SELECT n.effective_at FROM price_versions n \
     WHERE n.tenant_id = p.tenant_id AND n.scope = p.scope \
     AND n.recipient_user_id = p.recipient_user_id AND n.payer_group_id = p.payer_group_id \
     AND n.payer_tenant_id = p.payer_tenant_id AND n.payer_user_id = p.payer_user_id \
     AND (n.effective_at, n.version) > (p.effective_at, p.version) \
     AND NOT EXISTS (SELECT 1 FROM price_withdrawals m \
     WHERE m.tenant_id = n.tenant_id AND m.price_id = n.id) \
     ORDER BY n.effective_at, n.version LIMIT 1) AS superseded_at, \
     (SELECT w.created_at FROM price_withdrawals w \
     WHERE w.tenant_id = p.tenant_id AND w.price_id = p.id) AS withdrawn_at";

/// Those of a target: its number and four ids from `$1` on, after the tenant.
const OF_TARGET: &str = "p.tenant_id = $1 AND p.scope = $2 AND p.recipient_user_id = $3 \
                         AND p.payer_group_id = $4 AND p.payer_tenant_id = $5 \
                         AND p.payer_user_id = $6";

/// A version with what others say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The version.
    pub(crate) price: Price,
    /// When the next version of its target takes effect.
    pub(crate) superseded_at: Option<Timestamp>,
    /// When it was withdrawn before it took effect.
    pub(crate) withdrawn_at: Option<Timestamp>,
}

/// Inserts a version. `false` where another publisher has taken its number; nothing is written then.
pub(crate) async fn insert(books: &impl Write, price: &Price) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO price_versions (tenant_id, scope, recipient_user_id, payer_group_id, \
         payer_tenant_id, payer_user_id, id, version, mode, currency, minor_units, \
         duration_micros, period_months, period_days, grace_micros, messages, trial_micros, \
         trial_converts, recipient_basis_points, consent_micros, effective_at, created_at) \
         VALUES {} ON CONFLICT DO NOTHING",
        placeholders(1, 22)
    );
    let definition = &price.definition;
    let mut values = vec![books.tenant().0.into()];
    values.extend(target_key(&definition.target));
    values.extend([price.id.0.into(), price.version.into()]);
    values.extend(terms_row(&definition.terms));
    let share = i32::try_from(definition.recipient_share.get()).unwrap_or_default();
    values.extend([
        share.into(),
        definition.consent.map(micros).into(),
        price.effective_at.0.into(),
        price.created_at.0.into(),
    ]);
    Ok(write(books, &sql, values).await? == 1)
}

/// Withdraws a version that takes effect after `now`. `false` where it has taken effect, or was
/// withdrawn.
pub(crate) async fn withdraw(
    books: &impl Write,
    id: PriceId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO price_withdrawals (tenant_id, price_id, created_at) \
               SELECT tenant_id, id, $3 FROM price_versions \
               WHERE tenant_id = $1 AND id = $2 AND effective_at > $3 ON CONFLICT DO NOTHING";
    let values = vec![books.tenant().0.into(), id.0.into(), now.0.into()];
    Ok(write(books, sql, values).await? == 1)
}

/// The number of a target's latest version, and from when on a version that is to be in force at
/// once is the one: when the one in force at `now` took effect, or one that a node whose clock is
/// ahead has published at once. Of no version, 0 and the beginning of time.
pub(crate) async fn latest(
    books: &impl Scope,
    target: &PriceTarget,
    now: Timestamp,
) -> Result<(i64, Timestamp), StoreError> {
    let sql = format!(
        "SELECT MAX(p.version) AS version, \
         MAX(CASE WHEN p.effective_at <= $7 OR p.effective_at = p.created_at \
         THEN p.effective_at END) AS effective_at \
         FROM price_versions p WHERE {OF_TARGET}"
    );
    let mut values = vec![books.tenant().0.into()];
    values.extend(target_key(target));
    values.push(now.0.into());
    let Some(row) = one(books, &sql, values).await? else { return Ok((0, Timestamp(i64::MIN))) };
    let version: Option<i64> = row.try_get("", "version")?;
    let effective_at: Option<i64> = row.try_get("", "effective_at")?;
    Ok((version.unwrap_or_default(), Timestamp(effective_at.unwrap_or(i64::MIN))))
}

/// The versions that are in force at `at` for a payer and a recipient, the one that wins first: at
/// most one of each rule.
pub(crate) async fn candidates(
    books: &impl Scope,
    payer: Option<Party>,
    recipient: Option<UserId>,
    at: Timestamp,
) -> Result<Vec<Listed>, StoreError> {
    let sql = fitting(&format!("{COLUMNS}, {SUPERSEDED}"));
    let rows = all(books, &sql, fitting_values(books, payer, recipient, at)).await?;
    rows.iter().map(listed).collect()
}

/// The version in force at `at` for a payer and a recipient.
pub(crate) async fn in_force(
    books: &impl Scope,
    payer: Option<Party>,
    recipient: Option<UserId>,
    at: Timestamp,
) -> Result<Option<Price>, StoreError> {
    let sql = format!("{} LIMIT 1", fitting(COLUMNS));
    let row = one(books, &sql, fitting_values(books, payer, recipient, at)).await?;
    row.map(|row| price(&row)).transpose()
}

/// The version in force of each rule that fits, by rule. Each is one look-up in the index of the
/// versions of a target, however many targets and versions there are.
fn fitting(columns: &str) -> String {
    let group = payers::GROUP;
    let rules = [
        (PAIR, "$3", "$6".to_owned(), "$4", "$5"),
        (RECIPIENT, "$3", "$6".to_owned(), "$6", "$6"),
        (PAYER_GROUP, "$6", format!("({group})"), "$6", "$6"),
        (TENANT_DEFAULT, "$6", "$6".to_owned(), "$6", "$6"),
    ];
    let versions = rules.map(|(scope, recipient, group, tenant, payer)| {
        format!(
            "SELECT * FROM (SELECT {columns} FROM price_versions p \
             WHERE p.tenant_id = $1 AND p.scope = {scope} AND p.recipient_user_id = {recipient} \
             AND p.payer_group_id = {group} AND p.payer_tenant_id = {tenant} \
             AND p.payer_user_id = {payer} AND p.effective_at <= $2 AND NOT {IS_WITHDRAWN} \
             ORDER BY p.effective_at DESC, p.version DESC LIMIT 1) AS rule_{scope}"
        )
    });
    format!(
        "SELECT * FROM ({}) AS fitting ORDER BY CASE scope WHEN {PAIR} THEN 0 \
         WHEN {RECIPIENT} THEN 1 WHEN {PAYER_GROUP} THEN 2 ELSE 3 END",
        versions.join(" UNION ALL ")
    )
}

fn fitting_values(
    books: &impl Scope,
    payer: Option<Party>,
    recipient: Option<UserId>,
    at: Timestamp,
) -> Vec<Value> {
    // `payers::GROUP` reads them in these places too.
    let nobody = Uuid::max();
    vec![
        books.tenant().0.into(),
        at.0.into(),
        recipient.map_or(nobody, |user| user.0).into(),
        payer.map_or(nobody, |payer| payer.tenant.0).into(),
        payer.map_or(nobody, |payer| payer.user.0).into(),
        Uuid::nil().into(),
    ]
}

/// One version.
pub(crate) async fn get(books: &impl Scope, id: PriceId) -> Result<Option<Listed>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, {SUPERSEDED} FROM price_versions p WHERE p.tenant_id = $1 AND p.id = $2"
    );
    let values = vec![books.tenant().0.into(), id.0.into()];
    one(books, &sql, values).await?.map(|row| listed(&row)).transpose()
}

/// One version, without what others say of it.
pub(crate) async fn version(books: &impl Scope, id: PriceId) -> Result<Option<Price>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM price_versions p WHERE p.tenant_id = $1 AND p.id = $2");
    let values = vec![books.tenant().0.into(), id.0.into()];
    one(books, &sql, values).await?.map(|row| price(&row)).transpose()
}

/// Lists the tenant's versions, newest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Listed>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, {SUPERSEDED} FROM price_versions p \
         WHERE p.tenant_id = $1 AND (p.created_at, p.id) < ($2, $3) \
         ORDER BY p.created_at DESC, p.id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, &sql, values).await?.iter().map(listed).collect()
}
