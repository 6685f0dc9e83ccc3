//! What a device signs to open a session: random bytes and an expiry, bound to the device by a
//! keyed hash, so that the service keeps nothing.

use std::time::Duration;

use plasma_identity::DeviceAddress;
use plasma_kit::Timestamp;
use plasma_kit::secrets::Secrets;
use subtle::ConstantTimeEq;

const LABEL: &str = "session-challenge";
const LIFETIME: Duration = Duration::from_mins(1);
const RANDOM_BYTES: usize = 16;
const BODY_BYTES: usize = RANDOM_BYTES + 8;

/// Makes a challenge of 56 bytes: random ‖ expiry in microseconds ‖ keyed hash.
pub(super) fn create(
    secrets: &Secrets,
    random: [u8; RANDOM_BYTES],
    now: Timestamp,
    device: DeviceAddress,
) -> Vec<u8> {
    let expires_at = now.plus(LIFETIME).0.to_be_bytes();
    let body = [&random[..], &expires_at].concat();
    let mac = mac(secrets, &body, device);
    [body, mac.to_vec()].concat()
}

/// Whether [`create`] made the challenge for this device at most 60 seconds ago.
pub(super) fn is_fresh(
    secrets: &Secrets,
    challenge: &[u8],
    now: Timestamp,
    device: DeviceAddress,
) -> bool {
    let Some((body, given)) = challenge.split_at_checked(BODY_BYTES) else { return false };
    if !bool::from(mac(secrets, body, device).ct_eq(given)) {
        return false;
    }
    let expiry = body[RANDOM_BYTES..].try_into().map(i64::from_be_bytes);
    expiry.is_ok_and(|expires_at| now < Timestamp(expires_at))
}

fn mac(secrets: &Secrets, body: &[u8], device: DeviceAddress) -> [u8; 32] {
    secrets.keyed_hash(LABEL, &[body, &device.to_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use plasma_identity::DeviceAddress;
    use plasma_kit::Timestamp;
    use plasma_kit::secrets::Secrets;
    use uuid::Uuid;

    use super::{create, is_fresh};

    #[test]
    fn a_challenge_is_good_for_its_device_and_a_minute() {
        let secrets = Secrets::new(vec![[1; 32]]).unwrap();
        let [tenant, user, device] = [1, 2, 3].map(Uuid::from_u128);
        let mine = DeviceAddress { tenant, user, device };
        let other = DeviceAddress { tenant, user, device: user };
        let challenge = create(&secrets, [9; 16], Timestamp(0), mine);
        assert!(challenge.len() <= 128);
        let fresh = |bytes: &[u8], now, device| is_fresh(&secrets, bytes, Timestamp(now), device);
        assert!(fresh(&challenge, 59_999_999, mine));
        assert!(!fresh(&challenge, 60_000_000, mine));
        assert!(!fresh(&challenge, 0, other));
        assert!(!fresh(&challenge[1..], 0, mine));
        assert!(!fresh(&[], 0, mine));
        for place in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[place] ^= 1;
            assert!(!fresh(&changed, 0, mine), "{place}");
        }
    }
}
