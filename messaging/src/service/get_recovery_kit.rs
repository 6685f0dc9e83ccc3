//! `DeviceService.GetRecoveryKit`: the root key, sealed.

use plasma_kit::Failure;
use plasma_kit::actor::Actor;
use plasma_proto::messaging::v1 as pb;

use super::own_user;
use crate::Messaging;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(name = "messaging.get_recovery_kit", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: Actor,
) -> Result<pb::GetRecoveryKitResponse, Failure> {
    let own = own_user::of(&caller)?;
    let db = messaging.db.tenant(own.claim);
    let kit = store::recovery_kits::find(&db, own.user).await?;
    let kit = kit.ok_or(Refusal::RecoveryKitNotFound)?;
    Ok(pb::GetRecoveryKitResponse { recovery_kit: kit.into() })
}
