//! `PricingService.ExplainPrice`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::UserId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::domain::price::{PriceScope, Quote};
use crate::error::Error;
use crate::{Billing, access, wire};

/// Tells what opening a chat with a recipient costs, and which rule says so.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ExplainPriceRequest>,
) -> Result<pb::ExplainPriceResponse, Error> {
    let key = actor::key(request)?;
    let recipient = UserId::checked_optional(&request.get_ref().recipient_user_id);
    let terms = billing.tenants.terms(key.tenant).await?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let quote = access::quote(&db, terms, recipient).await?;
    let rule = match &quote {
        Quote::TenantIsFree => pb::PriceRule::TenantIsFree,
        Quote::Priced(price) => match price.scope {
            PriceScope::TenantDefault => pb::PriceRule::TenantDefault,
            PriceScope::Recipient(_) => pb::PriceRule::Recipient,
        },
    };
    Ok(pb::ExplainPriceResponse { quote: Some(wire::quote(&quote)), rule: rule.into() })
}
