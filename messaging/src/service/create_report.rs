//! `ReportService.CreateReport`: a user tells the other user's platform what that user did.

use plasma_kit::Failure;
use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ChatId, ReportId};
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;
use prost::Message;
use tonic::Status;

use super::contract::off_thread;
use super::disclosed;
use crate::Messaging;
use crate::domain::{Member, Refusal, Report, UserKey};
use crate::store;

#[tracing::instrument(name = "messaging.create_report", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    limit: &RateLimit<UserKey>,
    device: DeviceActor,
    request: pb::CreateReportRequest,
) -> Result<pb::CreateReportResponse, Status> {
    let Messaging { env, secrets, .. } = messaging;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let member = member(messaging, device, ChatId::checked(&request.chat_id)).await?;
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "CreateReport", &request.request_id, &request);

    let (franking, messages) = (messaging.delivery.franking().clone(), request.messages);
    // Hashes up to 2 MiB.
    let messages = off_thread(move || {
        disclosed::check(&franking, device, &member, &messages)?;
        Ok(messages)
    })
    .await?;
    let report = Report {
        id: ReportId(env.uuid()),
        chat: member.chat,
        reporter: device,
        reported: member.peer,
        category: i16::try_from(request.category).unwrap_or_default(),
        comment: request.comment,
        message_count: i32::try_from(messages.len()).unwrap_or(i32::MAX),
        created_at: env.now(),
    };

    let claim = match idempotency::begin(&db, env, secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    limit.take_everywhere((device.tenant, device.user)).await?;
    let encoded: Vec<Vec<u8>> = messages.iter().map(Message::encode_to_vec).collect();
    store::reports::insert(claim.tx(), secrets, &report, &encoded).await.map_err(Failure::from)?;
    let response = pb::CreateReportResponse { report_id: report.id.to_string() };
    claim.commit(&response).await.map_err(Failure::from)?;
    Ok(response)
}

/// The chat as the caller sees it, blocked, closed or unpaid as it may be.
async fn member(
    messaging: &Messaging,
    device: DeviceActor,
    chat: ChatId,
) -> Result<Member, Failure> {
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let member = store::chats::find(&db, device.user, chat).await?;
    Ok(member.ok_or(Refusal::ChatNotFound)?)
}
