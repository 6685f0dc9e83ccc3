//! The end-to-end protocol, version 1: everything that holds a user's private key.
//!
//! This crate owns device and root keys, the private halves of prekeys, the handshake, the double
//! ratchet, the sessions of a pair of devices, the envelope format, the linking channel, recovery
//! keys, retry requests and disclosures. It does **not** own the public half of trust
//! (certificates, manifests, prekey signatures: `plasma-identity`), storage, networking, clocks or
//! randomness: it is sans-I/O, randomness is an argument ([`rand_core::CryptoRng`]) and so is time
//! (unix seconds). The bytes are specified in `docs/PROTOCOL.md`.
//!
//! The generator for all of it is the system's:
//! `rand_core::UnwrapErr(getrandom::SysRng)`, with [`rand_core`] as exported here.
//!
//! # How a client uses it
//!
//! **1. The first device of a user.** The tenant and user ids come from the service, the device id
//! is a fresh random UUID that is never used again.
//!
//! ```text
//! let root    = RootKey::generate(&mut rng);
//! let keys    = DeviceKeys::generate(DeviceAddress { tenant, user, device }, &mut rng);
//! let request = keys.certificate_request(root.fingerprint(user_address), Capabilities::V1);
//! let certificate = root.certify(&request, now)?;             // always an approver
//! let manifest    = root.start_generation(user_address, &[certificate.clone()], None, now)?;
//! let account = verify_chain(user_address, None, root.public(), &[manifest.clone()],
//!                            &[certificate.clone()], now)?;   // VerifiedAccount of oneself
//! ```
//!
//! Persist `keys.to_bytes()`, `root.to_bytes()` (sealed) and `account.to_bytes()` **before** the
//! upload of `root.public().to_bytes()`, `certificate.to_bytes()` and `manifest.to_bytes()`.
//!
//! **2. Prekeys.** One signed EC, one last-resort KEM, 100 one-time EC, 20 one-time KEM:
//!
//! ```text
//! let batch = PrekeyBatch::generate(&keys, PrekeyIds { .. first ids, never reused .. }, now, &mut rng);
//! for prekey in batch.iter() { store(prekey.role(), prekey.id(), prekey.to_bytes()); }   // first
//! upload(batch.iter().map(|prekey| prekey.public().to_bytes()));                         // then
//! ```
//!
//! Later top-ups call [`PrivatePrekey::generate`] for one role and id at a time.
//!
//! **3. Another user's account.** From the chain that the service hands out; the fingerprint comes
//! from the link's fragment (`Fingerprint::from_fragment`) and is `None` only for unverified links.
//!
//! ```text
//! let peer = verify_chain(peer_address, Some(fingerprint), root_key, &manifests, &certificates, now)?;
//! peer.advance(&next_manifests, &certificates, now)?;          // later, in place
//! ```
//!
//! **4. Sending** to each device of the peer and to every other device of one's own:
//!
//! ```text
//! let local  = LocalDevice::new(&keys, &own_account)?;
//! for certificate in peer.devices() {
//!     let remote = RemoteDevice::new(&peer, certificate.address().device)?;
//!     let mut record = load(..)?.unwrap_or_else(|| SessionRecord::new(local.address(), remote.address()));
//!     if record.needs_initiation(now) {
//!         let bundle = PrekeyBundle { certificate, signed, kem, one_time };  // SignedPrekey::from_bytes
//!         initiate(&mut record, &local, &remote, &bundle, &mut rng, now)?;
//!     }
//!     let envelope: Vec<u8> = encrypt(&mut record, &local, &remote, &content, &mut rng, now)?;
//!     // persist record.to_bytes() BEFORE the envelope leaves the process
//! }
//! ```
//!
//! The service compares `peer.manifest_hash()` and `own_account.manifest_hash()` with its own.
//!
//! **5. Receiving.** Serialise per sender device; write everything in one transaction, then
//! acknowledge to the service.
//!
//! ```text
//! let info = peek(&envelope)?;                                  // EnvelopeInfo: unauthenticated
//! let mut record = load(info.sender).unwrap_or_else(|| SessionRecord::new(own, info.sender));
//! let keys_for_it = match &info.initiation {
//!     None => HandshakeKeys::default(),
//!     Some(initiation) => HandshakeKeys {
//!         signed:   load_prekey(PrekeyRole::SignedEc, initiation.signed_prekey_id),
//!         kem:      load_prekey(initiation.kem_role, initiation.kem_prekey_id),
//!         one_time: initiation.one_time_prekey_id.and_then(|id| load_prekey(PrekeyRole::OneTimeEc, id)),
//!         initiation_seen: initiation.replay_marker.is_some_and(|marker| is_stored(marker.to_bytes())),
//!     },
//! };
//! let decrypted = decrypt(&mut record, &local, &keys_for_it, &sender_account, &envelope, now)?;
//! // one transaction: record.to_bytes(), decrypted.content, delete decrypted.consumed (role, id),
//! // insert decrypted.replay_marker; then acknowledge.
//! ```
//!
//! On an error the record is untouched; [`DecryptError::reason`] is the stable code to show or
//! report. `UnknownSenderManifest` and `UnknownOwnManifest` mean: advance that account (step 3) and
//! try once more. If the transaction fails, drop the record that is in memory.
//!
//! **6. More devices.** `keys.approve(&own_account, &request, may_approve, now)`,
//! `keys.revoke(&own_account, device, now)` and `keys.renew(&own_account, now)` return the next
//! manifest (and certificate), to be accepted by the service by compare-and-set on the previous
//! hash; after that, `own_account.advance(..)`. A manifest lasts 30 days: a device that may approve
//! renews it whenever it comes online with less than half of that left, because first-time viewers
//! refuse an expired one. Viewers who know the account already may go on with what they know:
//! [`initiate`] and [`encrypt`] do not look at a manifest's expiry.
//!
//! **7. Linking a device.** The new device shows a code; a device that may approve scans it. The
//! service relays three messages under the linking's id.
//!
//! ```text
//! let mut device = LinkingDevice::start(linking_id, user_address, &mut rng);      // new device
//! show(device.qr_text());
//! let (mut approver, hello) = LinkingApprover::scan(&text, user_address, fingerprint, &mut rng)?;
//! let mut channel = device.receive_hello(&hello)?;       // both show check_code()
//! let request = channel.seal_request(&certificate_request, &signed, &last_resort_kem, name)?;
//! let asked = approver.open_request(&request)?;          // show asked.name; the person decides
//! let grant = approver.seal_grant(&payload)?;            // after keys.approve(..) went through
//! match channel.open_grant(&grant)? { Grant::Approved(payload) => .., Grant::Declined => .. }
//! ```
//!
//! **8. Recovery.** `RecoveryKey::generate(&mut rng)`, shown as `words()` and `qr_text()`;
//! `key.seal(&root, user_address, &mut rng)` is the kit that the service keeps. Later, on a new
//! device: `RecoveryKey::from_words(..)?.open(&kit)?` is the root, and `root.recover(&account, &keep,
//! Some(&request), now)?` begins the next generation. The account comes from
//! `verify_chain_to_recover`, which takes an expired one too.
//!
//! **9. Repair.** Where [`DecryptError::is_repairable`], and for a [`DecryptError::Duplicate`] whose
//! [`envelope_hash`] is not among those that were opened, send once for the envelope
//! `RetryRequest::for_envelope(&keys, sender, &envelope, now)?.to_bytes()` in the place of an
//! envelope. Whoever gets one ([`is_retry_request`]): `request.verify(&account, own, now)?`, then
//! `record.archive_for(&request)`, and send again what the log has under `request.envelope_hash()`:
//! once for that hash, and at most three times for a message and a device.
//!
//! **10. Reports.** Keep [`Decrypted::disclosure`] with the envelope for as long as its message may
//! be reported; [`open_disclosed`] reads the one by the other.
//!
//! # Keys for other purposes
//!
//! [`DeviceKeys`] and [`RootKey`] implement [`plasma_identity::Signer`]. Whatever else they sign
//! (a challenge of the service) goes through [`plasma_identity::encoding::labelled`] with a label
//! of its own, so that it can stand for nothing else.

mod aead;
mod agreement;
mod approval;
mod bundle;
mod cipher;
mod code;
mod device_keys;
mod disclosure;
mod error;
mod exchange;
mod extension;
mod handshake;
mod header;
mod kdf;
mod kem;
mod linking;
mod padding;
mod participant;
mod prekey;
mod primitives;
mod ratchet;
mod recovery;
mod retry;
mod root_key;
#[cfg(test)]
#[cfg(not(plasma_toy_primitives))]
mod secrecy;
mod secret;
mod session;
mod state;
#[cfg(test)]
#[cfg(not(plasma_toy_primitives))]
mod wycheproof;

pub use bundle::PrekeyBundle;
pub use device_keys::DeviceKeys;
pub use disclosure::{Disclosure, open_disclosed};
pub use error::{
    ApproveError, DecryptError, EncryptError, InitiateError, ParticipantError, StateError,
};
pub use exchange::{
    Decrypted, EnvelopeInfo, HandshakeKeys, InitiationInfo, decrypt, encrypt, initiate, peek,
};
pub use handshake::ReplayMarker;
pub use header::{MAX_ENVELOPE_LENGTH, ManifestView, SessionId};
pub use linking::{
    DeviceChannel, Grant, LinkingApprover, LinkingDevice, LinkingError, LinkingRequest,
    MAX_GRANT_LENGTH,
};
pub use padding::{MAX_CONTENT_LENGTH, pad, padded_length, unpad};
pub use participant::{LocalDevice, RemoteDevice};
pub use prekey::{
    ONE_TIME_EC_PREKEYS, ONE_TIME_KEM_PREKEYS, PREKEY_LIFETIME_SECONDS, PREKEY_ROTATION_SECONDS,
    PrekeyBatch, PrekeyIds, PrivatePrekey,
};
pub use rand_core;
pub use ratchet::{PQ_STEP_MESSAGES, PQ_STEP_SECONDS};
pub use recovery::{RecoveryError, RecoveryKey};
pub use retry::{RetryError, RetryRequest, envelope_hash, is_retry_request};
pub use root_key::RootKey;
pub use session::{MAX_UNCONFIRMED_SECONDS, SessionRecord};
