//! `MessageService.Send`: one message to every device that must have it.

use std::collections::BTreeSet;
use std::sync::Arc;

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::send_response::Outcome;

use crate::Messaging;
use crate::delivery::Parcel;
use crate::directory::{DeviceSet, Membership};
use crate::domain::recipients::{self, Expected, Mismatch, Sealed};

type Party = (TenantId, UserId);

#[tracing::instrument(name = "messaging.send", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::SendRequest,
) -> Result<pb::SendResponse, Failure> {
    let chat = ChatId::checked(&request.chat_id);
    let message = MessageId::checked(&request.message_id);
    let peer_devices = addressed("peer_envelopes", &request.peer_envelopes)?;
    let own_devices = addressed("own_envelopes", &request.own_envelopes)?;

    let membership = messaging.directory.membership(&device, chat).await?;
    membership.may_send(messaging.env.now())?;
    let mismatch = mismatch(messaging, device, &membership, &request, &peer_devices, &own_devices);
    if let Some(mismatch) = mismatch.await? {
        let answer = describe(messaging, &membership, mismatch).await?;
        return Ok(pb::SendResponse { outcome: Some(Outcome::Mismatch(answer)) });
    }

    let accepted_at = messaging.env.now();
    let to_peer = request.peer_envelopes.into_iter().zip(peer_devices);
    let to_own = request.own_envelopes.into_iter().zip(own_devices);
    let parcels: Vec<Parcel> = to_peer
        .map(|(envelope, to)| (membership.peer.0, to, envelope))
        .chain(to_own.map(|(envelope, to)| (membership.own.0, to, envelope)))
        .map(|(tenant, to, envelope)| Parcel {
            envelope: EnvelopeId(messaging.env.uuid()),
            to: (tenant, to),
            chat,
            message,
            sender: device,
            ciphertext: envelope.ciphertext,
            accepted_at,
        })
        .collect();
    let addressed: Vec<DeviceId> = parcels.iter().map(|parcel| parcel.to.1).collect();
    let states = messaging.delivery.send(parcels, request.ephemeral).await?;

    let deliveries = addressed
        .into_iter()
        .zip(states)
        .map(|(to, state)| pb::DeviceDelivery { device_id: to.to_string(), state: state.into() })
        .collect();
    Ok(pb::SendResponse { outcome: Some(Outcome::Accepted(pb::SendAccepted { deliveries })) })
}

fn addressed(field: &str, envelopes: &[pb::DeviceEnvelope]) -> Result<Vec<DeviceId>, Failure> {
    let devices: Vec<DeviceId> =
        envelopes.iter().map(|envelope| DeviceId::checked(&envelope.device_id)).collect();
    match recipients::repeated(&devices) {
        None => Ok(devices),
        Some(place) => Err(Failure::invalid(
            &format!("{field}[{place}].device_id"),
            "must not name a device twice",
        )),
    }
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
        let of_peer = one_side(peer, None, &request.peer_manifest_hash, peer_devices);
        let of_own = one_side(own, Some(device.device), &request.own_manifest_hash, own_devices);
        join(of_peer, of_own)
    };
    if compare(&peer, &own).is_none() {
        return Ok(None);
    }
    let (peer, own) = futures::future::try_join(
        messaging.directory.fresh_device_set(membership.peer.0, membership.peer.1),
        messaging.directory.fresh_device_set(membership.own.0, membership.own.1),
    )
    .await?;
    Ok(compare(&peer, &own))
}

async fn device_set(messaging: &Messaging, party: Party) -> Result<Arc<DeviceSet>, Failure> {
    messaging.directory.device_set(party.0, party.1).await
}

fn one_side(
    set: &DeviceSet,
    sender: Option<DeviceId>,
    manifest_hash: &[u8],
    devices: &[DeviceId],
) -> Option<Mismatch> {
    let expected: BTreeSet<DeviceId> =
        set.devices.iter().copied().filter(|device| Some(*device) != sender).collect();
    recipients::compare(
        Expected { manifest_hash: &set.manifest_hash, devices: &expected },
        Sealed { manifest_hash, devices },
    )
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
    let names = |devices: Vec<DeviceId>| devices.iter().map(ToString::to_string).collect();
    Ok(pb::DeviceMismatch {
        missing_device_ids: names(mismatch.missing),
        extra_device_ids: names(mismatch.extra),
        own_account: Some(own),
        peer_account: Some(peer),
    })
}
