//! The charges of a time, gathered for a replay under other prices.

use futures::{Stream, StreamExt};
use sea_orm::{QueryResult, Statement, StreamTrait, Value};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{PayerGroupId, TenantId, UserId};

use super::money;
use crate::domain::pass::Party;
use crate::domain::simulation::Charged;
use crate::domain::split::Split;
use crate::store::prices;

/// Each payer and recipient with what they paid at each price, and the group that the payer is in
/// now. The charges are gathered before the prices are looked up, which are few.
const CHARGED: &str = "SELECT c.payer_tenant_id, c.payer_user_id, c.recipient_user_id, \
     COALESCE(named.payer_group_id, everybody.payer_group_id) AS payer_group_id, v.scope, \
     c.currency, c.minor_units, c.charges, c.operator, c.recipient, c.platform \
     FROM (SELECT payer_tenant_id, payer_user_id, recipient_user_id, price_id, currency, \
     minor_units, COUNT(*) AS charges, CAST(SUM(operator_minor_units) AS BIGINT) AS operator, \
     CAST(SUM(recipient_minor_units) AS BIGINT) AS recipient, \
     CAST(SUM(platform_minor_units) AS BIGINT) AS platform FROM charges \
     WHERE tenant_id = $1 AND created_at >= $2 AND created_at < $3 \
     GROUP BY payer_tenant_id, payer_user_id, recipient_user_id, price_id, currency, minor_units) \
     AS c JOIN price_versions v ON v.tenant_id = $1 AND v.id = c.price_id \
     LEFT JOIN payers named ON named.tenant_id = $1 AND named.payer_tenant_id = c.payer_tenant_id \
     AND named.payer_user_id = c.payer_user_id \
     LEFT JOIN payers everybody ON everybody.tenant_id = $1 \
     AND everybody.payer_tenant_id = c.payer_tenant_id AND everybody.payer_user_id = $4 \
     LIMIT $5";

/// The charges for access to the tenant's users from `start` on and before `end`, `most` rows at
/// most, one after the other as the database gives them.
pub(crate) async fn charged<B>(
    books: &B,
    (start, end): (Timestamp, Timestamp),
    most: u64,
) -> Result<impl Stream<Item = Result<Charged, StoreError>>, StoreError>
where
    B: Scope<Connection: StreamTrait>,
{
    let values: Vec<Value> = vec![
        books.tenant().0.into(),
        start.0.into(),
        end.0.into(),
        Uuid::nil().into(),
        i64::try_from(most).unwrap_or(i64::MAX).into(),
    ];
    let statement = Statement::from_sql_and_values(books.backend(), CHARGED, values);
    let rows = books.conn().stream_raw(statement).await?;
    Ok(rows.map(|row| read(&row?)))
}

fn read(row: &QueryResult) -> Result<Charged, StoreError> {
    let number = |column| row.try_get::<i64>("", column);
    let group: Option<Uuid> = row.try_get("", "payer_group_id")?;
    let code: String = row.try_get("", "currency")?;
    Ok(Charged {
        payer: Party {
            tenant: TenantId(row.try_get("", "payer_tenant_id")?),
            user: UserId(row.try_get("", "payer_user_id")?),
        },
        group: group.map(PayerGroupId),
        recipient: UserId(row.try_get("", "recipient_user_id")?),
        precedence: prices::precedence(row)?,
        money: money(&code, number("minor_units")?)?,
        charges: number("charges")?,
        split: Split::from_parts(number("operator")?, number("recipient")?, number("platform")?),
    })
}
