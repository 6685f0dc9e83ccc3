//! A linking whose new device is made by hand, so that it can ask for anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_e2ee::{LinkingApprover, LinkingRequest};
use plasma_vectors::bare::{dh, hash, hkdf, input, pad, point, seal};
use plasma_vectors::random::Randomness;

use crate::seeds::User;

/// Whose account it is.
pub(crate) const USER: u8 = 4;

const LINKING_ID: [u8; 16] = [0x11; 16];
const SECRET: [u8; 32] = [0x22; 32];
const DEVICE: [u8; 32] = [0x33; 32];
const APPROVER: [u8; 32] = [0x44; 32];

/// The code that the device shows.
pub(crate) fn code() -> String {
    let bytes = [&LINKING_ID[..], &point(&DEVICE), &SECRET].concat();
    format!("plasma-link:1:{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// An approver that has scanned a code.
pub(crate) fn scan(text: &str) -> Option<LinkingApprover> {
    let account = User::shared().account.fingerprint();
    let user = User::shared().account.user_address();
    let mut randomness = Randomness::given(&[&APPROVER]);
    LinkingApprover::scan(text, user, account, &mut randomness).ok().map(|(approver, _)| approver)
}

/// What the approver reads of a request with this content.
pub(crate) fn ask(content: &[u8]) -> Option<LinkingRequest> {
    let user = User::shared().account.user_address();
    let address = [*user.tenant.as_bytes(), *user.user.as_bytes()].concat();
    let (device, approver) = (point(&DEVICE), point(&APPROVER));
    let transcript =
        hash("Plasma/v1/linking-transcript", &[&LINKING_ID, &address, &device, &approver]);
    let agreement = dh(&DEVICE, &approver);
    let keys = hkdf(&SECRET, &agreement, "Plasma/v1/linking-keys", &transcript, 72);
    let associated_data = input("Plasma/v1/linking-message", &[&LINKING_ID, &[2]]);
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    let sealed = seal(&keys[32..64], &nonce, &associated_data, &pad(content));
    scan(&code())?.open_request(&[&[0x20, 1, 2], &sealed[..]].concat()).ok()
}
