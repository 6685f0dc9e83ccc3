//! Batches of acknowledged envelopes on their way out of the store.

use plasma_kit::ids::EnvelopeId;
use plasma_kit::{StoreError, SystemDb};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::ROWS_MAX;
use crate::delivery::DeviceKey;

/// Deletes acknowledged envelopes; gives back those that were there.
pub(crate) async fn delete(
    db: &SystemDb,
    envelopes: &[(DeviceKey, EnvelopeId)],
) -> Result<Vec<EnvelopeId>, StoreError> {
    if db.backend() == DbBackend::Postgres {
        let rows = db.conn().query_all_raw(delete_arrays(envelopes)).await?;
        return rows.iter().map(id).collect();
    }
    let tx = db.begin().await?;
    let mut deleted = Vec::new();
    for some in envelopes.chunks(ROWS_MAX) {
        for row in tx.conn().query_all_raw(delete_values(db.backend(), some)).await? {
            deleted.push(id(&row)?);
        }
    }
    tx.commit().await?;
    Ok(deleted)
}

fn id(row: &QueryResult) -> Result<EnvelopeId, StoreError> {
    Ok(EnvelopeId(row.try_get("", "envelope_id")?))
}

/// Rows are found one by one, by the primary key: a join is planned by how full the table is at
/// that moment, and while it is empty that is to read all of it. That the order is asked for keeps
/// the planner from another index that begins with the device, which costs as little by then. A
/// `ctid` names a row of one table: not for a table in partitions.
fn delete_arrays(envelopes: &[(DeviceKey, EnvelopeId)]) -> Statement {
    let sql = "DELETE FROM envelopes WHERE ctid = ANY (ARRAY \
                 (SELECT (SELECT e.ctid FROM envelopes e \
                          WHERE e.tenant_id = a.tenant_id AND e.device_id = a.device_id \
                            AND e.envelope_id BETWEEN a.envelope_id AND a.envelope_id \
                          ORDER BY e.envelope_id LIMIT 1) \
                  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) \
                       AS a(tenant_id, device_id, envelope_id))) \
               RETURNING envelope_id";
    let tenants: Vec<Uuid> = envelopes.iter().map(|((tenant, _), _)| tenant.0).collect();
    let devices: Vec<Uuid> = envelopes.iter().map(|((_, device), _)| device.0).collect();
    let ids: Vec<Uuid> = envelopes.iter().map(|(_, envelope)| envelope.0).collect();
    let values: [Value; 3] = [tenants.into(), devices.into(), ids.into()];
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn delete_values(backend: DbBackend, envelopes: &[(DeviceKey, EnvelopeId)]) -> Statement {
    let rows = vec!["(?, ?, ?)"; envelopes.len()].join(", ");
    let sql = format!(
        "DELETE FROM envelopes WHERE (tenant_id, device_id, envelope_id) IN (VALUES {rows}) \
         RETURNING envelope_id"
    );
    let values = envelopes.iter().flat_map(|((tenant, device), envelope)| -> [Value; 3] {
        [tenant.0.into(), device.0.into(), envelope.0.into()]
    });
    Statement::from_sql_and_values(backend, sql, values)
}
