//! What makes a message the same one: all that its sender has sealed under one id.

use plasma_kit::actor::DeviceActor;
use plasma_proto::messaging::v1::DeviceEnvelope;
use sha2::{Digest, Sha256};

const DOMAIN: &[u8] = b"plasma/sealed-message/v1";

/// SHA-256 over the sending device and the envelopes, the peer's and then the sender's own, each
/// list by device id: a retry may name the devices in another order and is the same message.
pub(super) fn of(
    sender: DeviceActor,
    to_peer: &[DeviceEnvelope],
    to_own: &[DeviceEnvelope],
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    for id in [sender.tenant.0, sender.user.0, sender.device.0] {
        hasher.update(id.as_bytes());
    }
    for envelopes in [to_peer, to_own] {
        let mut sorted: Vec<&DeviceEnvelope> = envelopes.iter().collect();
        sorted.sort_unstable_by(|one, other| one.device_id.cmp(&other.device_id));
        hasher.update((sorted.len() as u64).to_be_bytes());
        for envelope in sorted {
            for part in [envelope.device_id.as_bytes(), &envelope.ciphertext] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plasma_kit::ids::{DeviceId, TenantId, UserId};
    use uuid::Uuid;

    use super::*;

    fn sealed(device: &str, ciphertext: &'static str) -> DeviceEnvelope {
        DeviceEnvelope { device_id: device.to_owned(), ciphertext: Bytes::from(ciphertext) }
    }

    #[test]
    fn a_message_is_the_same_in_any_order_and_another_with_any_other_part() {
        let sender = DeviceActor {
            tenant: TenantId(Uuid::from_u128(1)),
            user: UserId(Uuid::from_u128(2)),
            device: DeviceId(Uuid::from_u128(3)),
        };
        let (one, two, three) = (sealed("a", "xy"), sealed("b", "z"), sealed("c", "w"));
        let of_both = of(sender, &[one.clone(), two.clone()], std::slice::from_ref(&three));
        let reordered = of(sender, &[two.clone(), one.clone()], std::slice::from_ref(&three));
        assert_eq!(of_both, reordered);
        let elsewhere = DeviceActor { device: DeviceId(Uuid::from_u128(4)), ..sender };
        let others = [
            of(elsewhere, &[one.clone(), two.clone()], std::slice::from_ref(&three)),
            of(sender, &[sealed("a", "x"), sealed("b", "yz")], std::slice::from_ref(&three)),
            of(sender, &[sealed("a", "z"), sealed("b", "xy")], std::slice::from_ref(&three)),
            of(sender, std::slice::from_ref(&one), &[two.clone(), three.clone()]),
            of(sender, &[one.clone(), two.clone(), three], &[]),
            of(sender, &[one, two], &[]),
        ];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(of_both, *other, "{place}");
        }
    }
}
