//! `DeviceLinkingService.StartLinking`: a new device waits for an approver of its user.

use plasma_kit::actor::EnrollmentActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{LinkingId, TenantId, UserId};
use plasma_kit::rate::RateLimit;
use plasma_kit::{Failure, convert};
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::domain::{LINKING_LIFETIME, Refusal};
use crate::store;

#[tracing::instrument(name = "messaging.start_linking", skip_all, fields(tenant = %user.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    limit: &RateLimit<(TenantId, UserId)>,
    user: EnrollmentActor,
) -> Result<pb::StartLinkingResponse, Failure> {
    limit.take_everywhere((user.tenant, user.user)).await?;
    let tx = messaging.db.tenant(TenantClaim::of_enrollment(&user)).begin().await?;
    store::accounts::lock(&tx, user.user).await?;
    if store::accounts::find(&tx, user.user).await?.is_none() {
        tx.rollback().await?;
        return Err(Refusal::UserNotFound.into());
    }
    let id = LinkingId(messaging.env.uuid());
    let expires_at = messaging.env.now().plus(LINKING_LIFETIME);
    store::linkings::replace(&tx, user.user, id, expires_at).await?;
    tx.commit().await?;
    Ok(pb::StartLinkingResponse {
        linking_id: id.to_string(),
        expire_time: Some(convert::timestamp(expires_at)),
    })
}
