//! `ChatService.OpenChat`: a chat comes into being, and access to it is bought.
//!
//! The chat is stored first and without access, in a transaction of its own. Charge and pass then
//! come into being together in billing. Each step may be repeated: a call that ended between two
//! of them leaves neither a charge without access nor access without a charge.

use plasma_kit::Failure;
use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Key, Outcome};
use plasma_kit::ids::ChatId;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Status};

use super::{contract, link_target};
use crate::Messaging;
use crate::domain::Member;
use crate::ports::Purchase;
use crate::store;

#[tracing::instrument(name = "messaging.open_chat", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::OpenChatRequest,
) -> Result<pb::OpenChatResponse, Status> {
    let Messaging { env, secrets, .. } = messaging;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "OpenChat", &request.request_id, &request);
    if let Some(replay) = idempotency::find(&db, secrets, &key).await? {
        return replay.answer();
    }
    let outcome = match open(messaging, device, request).await {
        Ok(response) => Outcome::answered(&response),
        Err(failure) if is_refusal(&failure) => Outcome::refused(&failure),
        Err(failure) => return Err(failure.into()),
    };
    idempotency::keep(&db, env, secrets, key, outcome).await?.answer()
}

/// Whether the same request would be refused again, rather than having met a passing fault.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.code(), Code::FailedPrecondition | Code::NotFound)
}

async fn open(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::OpenChatRequest,
) -> Result<pb::OpenChatResponse, Failure> {
    let now = messaging.env.now();
    let caller = (device.tenant, device.user);
    let accepted = request.accepted_price.unwrap_or_default();
    messaging.access.check_accepted(&accepted)?;
    let target = link_target::follow(messaging, device, &request.link_token).await?;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let id = ChatId(messaging.env.uuid());
    let new = Member::initiating(id, caller, target.owner(), now);
    let member = store::chats::find_or_insert(&db, &new).await?;
    member.state().check_writable()?;
    let purchase =
        Purchase { chat: member.chat, payer: caller, recipient: target.owner(), accepted };
    let pass = messaging.access.purchase(purchase).await?;
    let member = store::chats::open(&db, &member, now).await?;
    messaging.events.emit(Event::ChatChanged(member.chat)).await;
    Ok(pb::OpenChatResponse { chat: Some(contract::chat(&member)), pass: Some(pass) })
}
