//! `SessionService.ExchangeToken`: a platform vouches for a user.

use plasma_kit::db::TenantClaim;
use plasma_kit::ids::TenantId;
use plasma_kit::{Failure, convert};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::store;

#[tracing::instrument(name = "messaging.exchange_token", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    request: pb::ExchangeTokenRequest,
) -> Result<pb::ExchangeTokenResponse, Failure> {
    let tenant = TenantId::checked(&request.tenant_id);
    let user = messaging.tenants.accept_platform_token(tenant, &request.platform_token).await?;
    let db = messaging.db.tenant(TenantClaim::authenticating(tenant));
    let has_devices = store::accounts::find(&db, user).await?.is_some();
    let issued = messaging.sessions.issue_enrollment(tenant, user);
    Ok(pb::ExchangeTokenResponse {
        user: Some(contract::user_address((tenant, user))),
        enrollment_token: issued.token,
        expire_time: Some(convert::timestamp(issued.expires_at)),
        has_devices,
    })
}
