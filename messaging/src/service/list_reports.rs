//! `ReportService.ListReports`: the reports about users of the calling tenant, newest first.

use plasma_kit::Failure;
use plasma_kit::actor::KeyActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::Report;
use crate::store;

#[tracing::instrument(name = "messaging.list_reports", skip_all, fields(tenant = %key.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    key: KeyActor,
    request: pb::ListReportsRequest,
) -> Result<pb::ListReportsResponse, Failure> {
    let secrets = &messaging.secrets;
    let list = format!("reports {}", key.tenant);
    let after = paging::cursor(secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = messaging.db.tenant(TenantClaim::of_key(&key));
    let rows = store::reports::list(&db, after, size + 1).await?;
    let (rows, next_page_token) = paging::page(secrets, &list, rows, size, cursor);
    let reports = rows.into_iter().map(contract::report).collect();
    Ok(pb::ListReportsResponse { reports, next_page_token })
}

fn cursor(report: &Report) -> Cursor {
    Cursor { key: report.created_at.0, id: report.id.0 }
}
