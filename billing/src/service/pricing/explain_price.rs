//! `PricingService.ExplainPrice`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::domain::pass::Party;
use crate::domain::price::PriceTarget;
use crate::domain::quote::Quote;
use crate::error::Error;
use crate::publication::require_payer;
use crate::service::require_user;
use crate::store::{payers, prices};
use crate::{Billing, access, wire};

/// Tells what opening a chat costs a payer, and which rules there are.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ExplainPriceRequest>,
) -> Result<pb::ExplainPriceResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let recipient = UserId::checked_optional(&request.recipient_user_id);
    let payer_tenant = TenantId::checked_optional(&request.payer_tenant_id).unwrap_or(key.tenant);
    let payer = UserId::checked_optional(&request.payer_user_id);
    let payer = payer.map(|user| Party { tenant: payer_tenant, user });
    if let Some(user) = recipient {
        require_user(billing, key.tenant, user).await?;
    }
    if let Some(payer) = payer {
        require_payer(billing, key.tenant, payer).await?;
    }
    let at = match &request.time {
        Some(time) => convert::moment(time),
        None => billing.now(key.tenant).await?,
    };
    let terms = billing.tenants.terms(key.tenant).await?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let group = match payer {
        Some(payer) => payers::group_of(&db, payer).await?,
        None => None,
    };
    let payer_group_id = group.map(|group| group.to_string()).unwrap_or_default();
    let quote = access::quote(&db, terms.as_ref(), (payer, recipient), at).await?;
    let Quote::Priced(price) = &quote else {
        return Ok(pb::ExplainPriceResponse {
            quote: Some(wire::quote(&quote)),
            rule: pb::PriceRule::TenantIsFree.into(),
            payer_group_id,
            ..Default::default()
        });
    };
    let rule = match price.definition.target {
        PriceTarget::TenantDefault => pb::PriceRule::TenantDefault,
        PriceTarget::Recipient(_) => pb::PriceRule::Recipient,
        PriceTarget::PayerGroup(_) => pb::PriceRule::PayerGroup,
        PriceTarget::Pair { .. } => pb::PriceRule::Pair,
    };
    let candidates = prices::candidates(&db, payer, recipient, at).await?;
    Ok(pb::ExplainPriceResponse {
        quote: Some(wire::quote(&quote)),
        rule: rule.into(),
        candidates: candidates.iter().map(wire::price).collect(),
        payer_group_id,
        trial_available: price.trial().is_some(),
    })
}
