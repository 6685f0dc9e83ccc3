//! What `Send`, `SendOwn` and `SendControl` have in common: what a request addresses, whether that is
//! whom the manifests name, and the way to delivery.

use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId};
use plasma_kit::{Failure, Timestamp};
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::delivery::Parcel;
use crate::directory::DeviceSet;
use crate::domain::recipients::{self, Expected, Mismatch, Sealed};

/// The devices that a list of envelopes addresses; refuses one that is named twice.
pub(super) fn addressed(
    field: &str,
    envelopes: &[pb::DeviceEnvelope],
) -> Result<Vec<DeviceId>, Failure> {
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

/// Compares the devices of one user with those that a message is sealed for; the sender's own
/// device needs no envelope.
pub(super) fn compare(
    set: &DeviceSet,
    sender: Option<DeviceId>,
    manifest_hash: &[u8],
    devices: &[DeviceId],
) -> Option<Mismatch> {
    recipients::compare(
        Expected { manifest_hash: &set.manifest_hash, devices: &set.devices, sender },
        Sealed { manifest_hash, devices },
    )
}

/// Devices as the contract names them.
pub(super) fn names(devices: &[DeviceId]) -> Vec<String> {
    devices.iter().map(ToString::to_string).collect()
}

/// One message on its way.
pub(super) struct Dispatch<'a> {
    messaging: &'a Messaging,
    sender: DeviceActor,
    chat: Option<ChatId>,
    message: MessageId,
    accepted_at: Timestamp,
    class: pb::EnvelopeClass,
    parcels: Vec<Parcel>,
}

impl<'a> Dispatch<'a> {
    /// Accepts a message, still without envelopes; one without a chat is for the sender's user.
    pub(super) fn accept(
        messaging: &'a Messaging,
        sender: DeviceActor,
        chat: Option<ChatId>,
        message: MessageId,
        class: pb::EnvelopeClass,
    ) -> Self {
        let accepted_at = messaging.env.now();
        Self { messaging, sender, chat, message, accepted_at, class, parcels: Vec::new() }
    }

    /// Adds envelopes for devices of one tenant.
    pub(super) fn add(
        &mut self,
        tenant: TenantId,
        envelopes: Vec<pb::DeviceEnvelope>,
        devices: &[DeviceId],
    ) {
        let Self { messaging, sender, chat, message, accepted_at, class, .. } = *self;
        self.parcels.extend(envelopes.into_iter().zip(devices).map(|(envelope, to)| Parcel {
            envelope: EnvelopeId(messaging.env.uuid_of(accepted_at)),
            to: (tenant, *to),
            chat,
            message,
            sender,
            ciphertext: envelope.ciphertext,
            accepted_at,
            class,
        }));
    }

    /// Delivers the envelopes; what became of each, in their order.
    pub(super) async fn deliver(self, ephemeral: bool) -> Result<Vec<pb::DeviceDelivery>, Failure> {
        let addressed: Vec<DeviceId> = self.parcels.iter().map(|parcel| parcel.to.1).collect();
        let states = self.messaging.delivery.send(self.parcels, ephemeral).await?;
        let written = addressed.into_iter().zip(states).map(|(to, state)| pb::DeviceDelivery {
            device_id: to.to_string(),
            state: state.into(),
        });
        Ok(written.collect())
    }
}
