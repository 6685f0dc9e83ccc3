//! `MessageService.Send`: one message to every device that must have it.

use std::sync::Arc;

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, MessageId, TenantId, UserId};
use plasma_kit::status::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::EnvelopeClass;
use plasma_proto::messaging::v1::send_response::Outcome;

use super::dispatch::{self, Dispatch, addressed, names};
use super::sealed_digest;
use crate::Messaging;
use crate::directory::{DeviceSet, Membership};
use crate::domain::recipients::Mismatch;
use crate::ports::Counted;

type Party = (TenantId, UserId);

#[tracing::instrument(level = "debug", name = "messaging.send", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::SendRequest,
) -> Result<pb::SendResponse, Failure> {
    messaging.message_limits.admit(device)?;
    let chat = ChatId::checked(&request.chat_id);
    let message = MessageId::checked(&request.message_id);
    let class = class(&request)?;
    let peer_devices = addressed("peer_envelopes", &request.peer_envelopes)?;
    let own_devices = addressed("own_envelopes", &request.own_envelopes)?;

    let mut membership = messaging.directory.membership(&device, chat).await?;
    if membership.may_send(messaging.env.now()).is_err() {
        membership = messaging.directory.membership_for_refusal(&device, chat).await?;
        membership.may_send(messaging.env.now())?;
    }
    let mismatch = mismatch(messaging, device, &membership, &request, &peer_devices, &own_devices);
    if let Some(mismatch) = mismatch.await? {
        let answer = Box::pin(describe(messaging, &membership, mismatch)).await?;
        return Ok(pb::SendResponse { outcome: Some(Outcome::Mismatch(answer)) });
    }

    // Before anything is relayed, and after all that may still refuse it for free.
    if membership.is_counted() && class == EnvelopeClass::Message {
        Box::pin(pay(messaging, device, &membership, message, &request)).await?;
    }
    let mut dispatch = Dispatch::accept(messaging, device, Some(chat), message, class);
    dispatch.add(membership.peer.0, request.peer_envelopes, &peer_devices);
    dispatch.add(membership.own.0, request.own_envelopes, &own_devices);
    let deliveries = dispatch.deliver(request.ephemeral).await?;
    Ok(pb::SendResponse { outcome: Some(Outcome::Accepted(pb::SendAccepted { deliveries })) })
}

/// What the sender says that it is.
fn class(request: &pb::SendRequest) -> Result<EnvelopeClass, Failure> {
    match request.envelope_class() {
        EnvelopeClass::Unspecified | EnvelopeClass::Message => Ok(EnvelopeClass::Message),
        EnvelopeClass::Notice => Ok(EnvelopeClass::Notice),
        EnvelopeClass::Control => {
            Err(Failure::invalid("envelope_class", "must be a message or a notice"))
        }
    }
}

/// Spends a unit for a message, unless it is paid for. A refusal is the chat's word as of now: units
/// that were bought a moment ago count, and so does a pass that counts nothing.
async fn pay(
    messaging: &Messaging,
    device: DeviceActor,
    membership: &Membership,
    message: MessageId,
    request: &pb::SendRequest,
) -> Result<(), Failure> {
    let sender = membership.own;
    let digest = sealed_digest::of(device, &request.peer_envelopes, &request.own_envelopes);
    let counted = Counted { chat: membership.chat, sender, message, digest };
    let Err(refused) = messaging.access.spend(counted).await else { return Ok(()) };
    if refused.reason() != ErrorReason::AccessRequired {
        return Err(refused);
    }
    let fresh = messaging.directory.membership_for_refusal(&device, membership.chat).await?;
    fresh.may_send(messaging.env.now())?;
    if fresh.is_counted() { Err(refused) } else { Ok(()) }
}

/// Compares the sender's view with what is cached and, where they differ, with the store: the
/// sender may know more than this node's cache of a second.
async fn mismatch(
    messaging: &Messaging,
    device: DeviceActor,
    membership: &Membership,
    request: &pb::SendRequest,
    peer_devices: &[DeviceId],
    own_devices: &[DeviceId],
) -> Result<Option<Mismatch>, Failure> {
    let (peer, own) = futures::future::try_join(
        device_set(messaging, membership.peer),
        device_set(messaging, membership.own),
    )
    .await?;
    let compare = |peer: &DeviceSet, own: &DeviceSet| {
        let of_peer = dispatch::compare(peer, None, &request.peer_manifest_hash, peer_devices);
        let sender = Some(device.device);
        let of_own = dispatch::compare(own, sender, &request.own_manifest_hash, own_devices);
        join(of_peer, of_own)
    };
    if compare(&peer, &own).is_none() {
        return Ok(None);
    }
    let (peer, own) = Box::pin(futures::future::try_join(
        messaging.directory.fresh_device_set(membership.peer.0, membership.peer.1),
        messaging.directory.fresh_device_set(membership.own.0, membership.own.1),
    ))
    .await?;
    Ok(compare(&peer, &own))
}

async fn device_set(messaging: &Messaging, party: Party) -> Result<Arc<DeviceSet>, Failure> {
    messaging.directory.device_set(party.0, party.1).await
}

fn join(one: Option<Mismatch>, other: Option<Mismatch>) -> Option<Mismatch> {
    match (one, other) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(one),
        (Some(mut one), Some(other)) => {
            one.missing.extend(other.missing);
            one.extra.extend(other.extra);
            Some(one)
        }
    }
}

async fn describe(
    messaging: &Messaging,
    membership: &Membership,
    mismatch: Mismatch,
) -> Result<pb::DeviceMismatch, Failure> {
    let (own, peer) = futures::future::try_join(
        messaging.directory.account_state(membership.own.0, membership.own.1, 0),
        messaging.directory.account_state(membership.peer.0, membership.peer.1, 0),
    )
    .await?;
    Ok(pb::DeviceMismatch {
        missing_device_ids: names(&mismatch.missing),
        extra_device_ids: names(&mismatch.extra),
        own_account: Some(own),
        peer_account: Some(peer),
    })
}
