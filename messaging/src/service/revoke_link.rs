//! `LinkService.RevokeLink`: a link resolves no more.

use plasma_kit::Failure;
use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::LinkId;
use plasma_kit::{StoreError, TenantTx, Timestamp};
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use super::link_target;
use crate::Messaging;
use crate::domain::Refusal;
use crate::store;
use crate::store::links::Link;

#[tracing::instrument(name = "messaging.revoke_link", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::RevokeLinkRequest,
) -> Result<pb::RevokeLinkResponse, Status> {
    let Messaging { env, secrets, .. } = messaging;
    let base = link_target::base_url(messaging, device.tenant).await?;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "RevokeLink", &request.request_id, &request);
    let claim = match idempotency::begin(&db, env, secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let link = LinkId::checked(&request.link_id);
    let revoked = revoke(claim.tx(), device, link, env.now()).await.map_err(Failure::from)?;
    let Some(link) = revoked else {
        let failure = Failure::from(Refusal::LinkNotFound);
        claim.decline(&failure).await.map_err(Failure::from)?;
        return Err(failure.into());
    };
    let written = link_target::write(messaging, &base, &link).map_err(Failure::from)?;
    let response = pb::RevokeLinkResponse { link: Some(written) };
    claim.commit(&response).await.map_err(Failure::from)?;
    Ok(response)
}

/// Revokes the caller's link; `None` where the caller has no such link.
async fn revoke(
    tx: &TenantTx,
    device: DeviceActor,
    link: LinkId,
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    if store::links::find(tx, device.user, link).await?.is_none() {
        return Ok(None);
    }
    store::links::revoke(tx, link, now).await?;
    store::links::find(tx, device.user, link).await
}
