//! What a device signs to open a session with the service.

use crate::address::DeviceAddress;
use crate::encoding::labelled;

const LABEL: &str = "Plasma/v1/session-challenge";

/// Builds the bytes that the device's signing key signs: the label, then the device's address and
/// the service's challenge, each behind its length.
///
/// The service checks the signature with [`crate::SigningPublicKey::verify`] of the device's
/// certificate over the same bytes.
pub fn session_challenge(device: &DeviceAddress, challenge: &[u8]) -> Vec<u8> {
    labelled(LABEL, &[&device.to_bytes(), challenge])
}
