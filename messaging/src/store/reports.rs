//! Reports and what they disclose, in the tenant of the reported user. What is disclosed opens what
//! somebody wrote in secret: it is sealed under the service's key, and deleted after its time.

use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, ReportId, TenantId, UserId};
use plasma_kit::paging::Cursor;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Scope, StoreError, SystemDb, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::{moment, statement};
use crate::domain::Report;

const COLUMNS: &str = "tenant_id, report_id, chat_id, reported_user_id, reporter_tenant_id, \
                       reporter_user_id, reporter_device_id, category, comment, message_count, \
                       created_at";

const SEAL_LABEL: &str = "report-message";

fn read(row: &QueryResult) -> Result<Report, StoreError> {
    Ok(Report {
        id: ReportId(row.try_get("", "report_id")?),
        chat: ChatId(row.try_get("", "chat_id")?),
        reporter: DeviceActor {
            tenant: TenantId(row.try_get("", "reporter_tenant_id")?),
            user: UserId(row.try_get("", "reporter_user_id")?),
            device: DeviceId(row.try_get("", "reporter_device_id")?),
        },
        reported: (
            TenantId(row.try_get("", "tenant_id")?),
            UserId(row.try_get("", "reported_user_id")?),
        ),
        category: row.try_get("", "category")?,
        comment: row.try_get("", "comment")?,
        message_count: row.try_get("", "message_count")?,
        created_at: moment(row, "created_at")?,
    })
}

/// Stores a report with what it discloses, encoded. The transaction is the reporter's; the rows
/// belong to the reported user's tenant.
pub(crate) async fn insert(
    tx: &TenantTx,
    secrets: &Secrets,
    report: &Report,
    messages: &[Vec<u8>],
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO reports ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let values = [
        report.reported.0.0.into(),
        report.id.0.into(),
        report.chat.0.into(),
        report.reported.1.0.into(),
        report.reporter.tenant.0.into(),
        report.reporter.user.0.into(),
        report.reporter.device.0.into(),
        report.category.into(),
        report.comment.clone().into(),
        report.message_count.into(),
        report.created_at.0.into(),
    ];
    tx.conn().execute_raw(statement(tx, &sql, values)).await?;
    for (place, message) in (0_i32..).zip(messages) {
        let sql = "INSERT INTO report_messages \
                   (tenant_id, report_id, place, sealed_message, created_at) \
                   VALUES ($1, $2, $3, $4, $5)";
        let values = [
            report.reported.0.0.into(),
            report.id.0.into(),
            place.into(),
            secrets.seal(SEAL_LABEL, &context(report.id, place), message).into(),
            report.created_at.0.into(),
        ];
        tx.conn().execute_raw(statement(tx, sql, values)).await?;
    }
    Ok(())
}

/// What a sealed message is bound to, so that it opens nowhere else.
fn context(report: ReportId, place: i32) -> Vec<u8> {
    [report.0.as_bytes().as_slice(), &place.to_be_bytes()].concat()
}

/// Finds a report about a user of the tenant.
pub(crate) async fn find(
    scope: &impl Scope,
    report: ReportId,
) -> Result<Option<Report>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM reports WHERE tenant_id = $1 AND report_id = $2");
    let values = [scope.tenant().0.into(), report.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// What a report about a user of the tenant discloses, encoded, in the reporter's order.
pub(crate) async fn messages(
    scope: &impl Scope,
    secrets: &Secrets,
    report: ReportId,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT place, sealed_message FROM report_messages \
               WHERE tenant_id = $1 AND report_id = $2 ORDER BY place";
    let values = [scope.tenant().0.into(), report.0.into()];
    let rows = scope.conn().query_all_raw(statement(scope, sql, values)).await?;
    rows.iter()
        .map(|row| {
            let place: i32 = row.try_get("", "place")?;
            let sealed: Vec<u8> = row.try_get("", "sealed_message")?;
            secrets
                .open(SEAL_LABEL, &context(report, place), &sealed)
                .map_err(|_| StoreError::Inconsistent("a report does not open".to_owned()))
        })
        .collect()
}

/// Deletes what was disclosed before `before`; that it was reported stays.
pub(crate) async fn forget_messages(db: &SystemDb, before: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM report_messages WHERE created_at < $1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [before.0.into()]);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}

/// The reports about the tenant's users behind `after`, newest first.
pub(crate) async fn list(
    scope: &impl Scope,
    after: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Report>, StoreError> {
    let (key, id) = super::before(after);
    let sql = format!(
        "SELECT {COLUMNS} FROM reports WHERE tenant_id = $1 AND (created_at, report_id) < ($2, $3) \
         ORDER BY created_at DESC, report_id DESC LIMIT $4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [scope.tenant().0.into(), key.into(), id.into(), limit.into()];
    let rows = scope.conn().query_all_raw(statement(scope, &sql, values)).await?;
    rows.iter().map(read).collect()
}
