//! The service's mark on an envelope, with which a report shows what was delivered to whom.
//!
//! The mark is made when an envelope is handed to its device and stored nowhere: any node makes it
//! again from the envelope and the service's key. It covers what the service vouches for, which is
//! everything but the envelope's own id, for a retry carries the same message under another one, and
//! its class, which is what the sender says of it.

use std::sync::Arc;

use plasma_kit::secrets::{KeyedHasher, Secrets};
use sha2::{Digest, Sha256};

use super::parcel::Parcel;

const LABEL: &str = "franking-tag";
const DOMAIN: &[u8] = b"plasma/franking/v1";

/// Bytes of a mark.
pub(crate) const TAG_BYTES: usize = 32;

/// The key of the mark. A clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct Franking(Arc<KeyedHasher>);

impl Franking {
    /// Derives the key, the same on every node and after a rotation of the master keys.
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self(Arc::new(secrets.keyed_hasher(LABEL)))
    }

    /// The mark of an envelope.
    pub(crate) fn tag(&self, parcel: &Parcel) -> [u8; TAG_BYTES] {
        with_parts(parcel, |parts| self.0.hash(parts))
    }

    /// Whether the service delivered exactly this.
    pub(crate) fn verifies(&self, parcel: &Parcel, tag: &[u8]) -> bool {
        with_parts(parcel, |parts| self.0.verifies(parts, tag))
    }
}

/// Lists what the mark covers, without touching the heap.
fn with_parts<R>(parcel: &Parcel, use_them: impl FnOnce(&[&[u8]]) -> R) -> R {
    let Parcel { envelope: _, to, chat, message, sender, ciphertext, accepted_at, class: _ } =
        parcel;
    let digest = Sha256::digest(ciphertext);
    use_them(&[
        DOMAIN,
        to.0.0.as_bytes(),
        to.1.0.as_bytes(),
        sender.tenant.0.as_bytes(),
        sender.user.0.as_bytes(),
        sender.device.0.as_bytes(),
        chat.as_ref().map_or(&[][..], |chat| chat.0.as_bytes()),
        message.0.as_bytes(),
        &accepted_at.0.to_be_bytes(),
        &digest,
    ])
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use plasma_kit::Timestamp;
    use plasma_kit::actor::DeviceActor;
    use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
    use plasma_proto::messaging::v1::EnvelopeClass;
    use uuid::Uuid;

    use super::super::parcel::tests::parcel;
    use super::*;

    pub(crate) fn franking() -> Franking {
        Franking::new(&Secrets::new(vec![[7; 32]]).unwrap())
    }

    #[test]
    fn a_tag_covers_everything_that_the_service_vouches_for() {
        let franking = franking();
        let there = parcel(1, 100);
        let tag = franking.tag(&there);
        assert!(franking.verifies(&there, &tag));
        let other = Uuid::from_u128(99);
        let (to, sender) = (there.to, there.sender);
        let changed = [
            Parcel { to: (TenantId(other), to.1), ..there.clone() },
            Parcel { to: (to.0, DeviceId(other)), ..there.clone() },
            Parcel { chat: Some(ChatId(other)), ..there.clone() },
            Parcel { chat: None, ..there.clone() },
            Parcel { message: MessageId(other), ..there.clone() },
            Parcel { sender: DeviceActor { tenant: TenantId(other), ..sender }, ..there.clone() },
            Parcel { sender: DeviceActor { user: UserId(other), ..sender }, ..there.clone() },
            Parcel { sender: DeviceActor { device: DeviceId(other), ..sender }, ..there.clone() },
            Parcel { accepted_at: Timestamp(there.accepted_at.0 + 1), ..there.clone() },
            Parcel { ciphertext: Bytes::from(vec![8; 100]), ..there.clone() },
            Parcel { ciphertext: there.ciphertext.slice(1..), ..there.clone() },
        ];
        for (place, changed) in changed.iter().enumerate() {
            assert!(!franking.verifies(changed, &tag), "change {place}");
        }
        assert!(!franking.verifies(&there, &tag[..31]));
        // Another delivery of the same message is the same message, whatever it was called.
        let class = EnvelopeClass::Message;
        let again = Parcel { envelope: EnvelopeId(other), class, ..there };
        assert!(franking.verifies(&again, &tag));
    }

    #[test]
    fn every_node_makes_the_same_tag_before_and_after_a_rotation() {
        let rotated = Franking::new(&Secrets::new(vec![[9; 32], [7; 32]]).unwrap());
        assert_eq!(franking().tag(&parcel(1, 10)), rotated.tag(&parcel(1, 10)));
    }

    #[test]
    fn the_cost_of_a_tag() {
        for size in [256, 1_024, 16 * 1_024] {
            let (franking, parcel) = (franking(), parcel(1, size));
            let (start, rounds) = (Instant::now(), 1_000);
            for _ in 0..rounds {
                std::hint::black_box(franking.tag(std::hint::black_box(&parcel)));
            }
            println!("{size} bytes: {:?} each", start.elapsed() / rounds);
        }
    }
}
