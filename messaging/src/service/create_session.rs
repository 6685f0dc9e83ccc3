//! `SessionService.CreateSession`: a device proves that it holds its signing key.

use plasma_identity::{DeviceAddress, DeviceCertificate, Signature, session_challenge};
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{DeviceId, TenantId, UserId};
use plasma_kit::{Failure, convert};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::sessions::check_standing;
use crate::store;

#[tracing::instrument(name = "messaging.create_session", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    request: pb::CreateSessionRequest,
) -> Result<pb::CreateSessionResponse, Failure> {
    let address = contract::device(request.device.as_ref());
    if !messaging.sessions.is_fresh(&request.challenge, address) {
        return Err(Failure::unauthenticated());
    }
    let actor = DeviceActor {
        tenant: TenantId(address.tenant),
        user: UserId(address.user),
        device: DeviceId(address.device),
    };
    let db = messaging.db.tenant(TenantClaim::authenticating(actor.tenant));
    let device = store::devices::find(&db, actor.device)
        .await?
        .filter(|device| device.user == actor.user)
        .ok_or_else(Failure::unauthenticated)?;
    let certificate = contract::stored(DeviceCertificate::from_bytes(&device.certificate))?;
    check_signature(&certificate, address, &request.challenge, &request.signature)?;
    check_standing(messaging.tenants.standing(actor.tenant, actor.user).await?)?;
    let issued = messaging.sessions.issue_access(&actor, device.tokens_valid_from);
    Ok(pb::CreateSessionResponse {
        access_token: issued.token,
        expire_time: Some(convert::timestamp(issued.expires_at)),
    })
}

fn check_signature(
    certificate: &DeviceCertificate,
    address: DeviceAddress,
    challenge: &[u8],
    signature: &[u8],
) -> Result<(), Failure> {
    let refused = Failure::unauthenticated;
    let raw: [u8; Signature::LENGTH] = signature.try_into().map_err(|_| refused())?;
    let signature = Signature::from_bytes(raw).map_err(|_| refused())?;
    certificate
        .signing_key()
        .verify(&session_challenge(&address, challenge), &signature)
        .map_err(|_| refused())
}
