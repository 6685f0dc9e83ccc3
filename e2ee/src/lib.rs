//! The end-to-end protocol, version 1: everything that holds a user's private key.
//!
//! This crate owns device and root keys, the private halves of prekeys, the handshake, the double
//! ratchet, the sessions of a pair of devices and the envelope format. It does **not** own the
//! public half of trust (certificates, manifests, prekey signatures: `plasma-identity`), storage,
//! networking, clocks or randomness: it is sans-I/O, randomness is an argument
//! ([`rand_core::CryptoRng`]) and so is time (unix seconds). The bytes are specified in
//! `docs/PROTOCOL.md`.
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
//! # Keys for other purposes
//!
//! [`DeviceKeys`] and [`RootKey`] implement [`plasma_identity::Signer`]. Whatever else they sign
//! (a challenge of the service) goes through [`plasma_identity::encoding::labelled`] with a label
//! of its own, so that it can stand for nothing else.

mod agreement;
mod approval;
mod bundle;
mod cipher;
mod device_keys;
mod error;
mod exchange;
mod handshake;
mod header;
mod kdf;
mod padding;
mod participant;
mod prekey;
mod ratchet;
mod root_key;
#[cfg(test)]
mod secrecy;
mod secret;
mod session;
mod state;
#[cfg(test)]
mod wycheproof;

pub use bundle::PrekeyBundle;
pub use device_keys::DeviceKeys;
pub use error::{
    ApproveError, DecryptError, EncryptError, InitiateError, ParticipantError, StateError,
};
pub use exchange::{
    Decrypted, EnvelopeInfo, HandshakeKeys, InitiationInfo, decrypt, encrypt, initiate, peek,
};
pub use handshake::ReplayMarker;
pub use header::{MAX_ENVELOPE_LENGTH, ManifestView, SessionId};
pub use padding::{MAX_CONTENT_LENGTH, pad, padded_length, unpad};
pub use participant::{LocalDevice, RemoteDevice};
pub use prekey::{
    ONE_TIME_EC_PREKEYS, ONE_TIME_KEM_PREKEYS, PREKEY_LIFETIME_SECONDS, PREKEY_ROTATION_SECONDS,
    PrekeyBatch, PrekeyIds, PrivatePrekey,
};
pub use rand_core;
pub use root_key::RootKey;
pub use session::{MAX_UNCONFIRMED_SECONDS, SessionRecord};
