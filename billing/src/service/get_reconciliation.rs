//! `ExternalWalletService.GetReconciliation`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::ReconciliationId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::external::wire;
use crate::store::external::reconciliations;

/// Gets the reconciliation of a day with its findings.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetReconciliationRequest>,
) -> Result<pb::GetReconciliationResponse, Error> {
    let key = actor::key(request)?;
    let id = ReconciliationId::checked(&request.get_ref().reconciliation_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let found = reconciliations::load(&db, id).await?;
    let found = found.ok_or(Refusal::NotFound(Object::Reconciliation))?;
    let findings = reconciliations::findings(&db, id).await?;
    Ok(pb::GetReconciliationResponse {
        reconciliation: Some(wire::reconciliation(&found)),
        findings: findings.iter().map(wire::finding).collect(),
    })
}
