//! `PricingService.GetPriceDraft`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::PriceDraftId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::written;
use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::store::price_drafts;

/// Gets a draft.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetPriceDraftRequest>,
) -> Result<pb::GetPriceDraftResponse, Error> {
    let key = actor::key(request)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let id = PriceDraftId::checked(&request.get_ref().price_draft_id);
    let draft = price_drafts::get(&db, id).await?.ok_or(Refusal::NotFound(Object::PriceDraft))?;
    Ok(pb::GetPriceDraftResponse { draft: Some(written::draft(&draft)) })
}
