//! `ReportService.GetReport`: a report about a user of the calling tenant, with what it discloses.

use plasma_kit::actor::KeyActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::ReportId;
use plasma_kit::{Failure, StoreError};
use plasma_proto::messaging::v1 as pb;
use prost::Message;

use super::contract;
use crate::Messaging;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(name = "messaging.get_report", skip_all, fields(tenant = %key.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    key: KeyActor,
    request: pb::GetReportRequest,
) -> Result<pb::GetReportResponse, Failure> {
    let id = ReportId::checked(&request.report_id);
    let db = messaging.db.tenant(TenantClaim::of_key(&key));
    let report = store::reports::find(&db, id).await?.ok_or(Refusal::ReportNotFound)?;
    let messages = store::reports::messages(&db, &messaging.secrets, id)
        .await?
        .iter()
        .map(|message| contract::stored(pb::DisclosedMessage::decode(&message[..])))
        .collect::<Result<_, StoreError>>()?;
    Ok(pb::GetReportResponse { report: Some(contract::report(report)), messages })
}
