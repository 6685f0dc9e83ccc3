//! `LinkService.CreateLink`: a new contact link of the calling user.

use plasma_kit::Failure;
use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::LinkId;
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use super::link_target;
use crate::Messaging;
use crate::domain::{LinkToken, Refusal};
use crate::store;

/// Most active links of a user.
const ACTIVE_LINKS_MAX: i64 = 100;

#[tracing::instrument(name = "messaging.create_link", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::CreateLinkRequest,
) -> Result<pb::CreateLinkResponse, Status> {
    let Messaging { env, secrets, .. } = messaging;
    let base = link_target::base_url(messaging, device.tenant).await?;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "CreateLink", &request.request_id, &request);
    let claim = match idempotency::begin(&db, env, secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    store::accounts::lock(claim.tx(), device.user).await.map_err(Failure::from)?;
    let active = store::links::count_active(claim.tx(), device.user).await;
    if active.map_err(Failure::from)? >= ACTIVE_LINKS_MAX {
        let failure = Failure::from(Refusal::LinkLimit);
        claim.decline(&failure).await.map_err(Failure::from)?;
        return Err(failure.into());
    }
    let (id, token) = (LinkId(env.uuid()), LinkToken::new(env.random()));
    let link = store::links::insert(claim.tx(), secrets, device.user, id, &token, env.now())
        .await
        .map_err(Failure::from)?;
    let written = link_target::write(messaging, &base, &link).map_err(Failure::from)?;
    let response = pb::CreateLinkResponse { link: Some(written) };
    claim.commit(&response).await.map_err(Failure::from)?;
    Ok(response)
}
