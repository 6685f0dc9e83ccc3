//! Decrypting an envelope, on a known session or by accepting a new one.

use core::fmt;

use plasma_identity::{
    DeviceAddress, DeviceCertificate, ManifestHash, PrekeyRole, Signature, VerifiedAccount,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{Opened, Sealed};
use crate::disclosure::Disclosure;
use crate::error::DecryptError;
use crate::handshake::{self, Party, ReplayMarker, ResponderKeys};
use crate::header::{Envelope, Header, Initiation, ManifestView, SessionId, associated_data};
use crate::padding;
use crate::participant::LocalDevice;
use crate::prekey::{PREKEY_LIFETIME_SECONDS, PrivatePrekey};
use crate::ratchet::Ratchet;
use crate::secret::Secret;
use crate::session::{Session, SessionRecord};

/// The private prekeys that [`crate::peek`] named, as far as the store still has them.
#[derive(Clone, Debug, Default)]
pub struct HandshakeKeys {
    /// The signed EC prekey.
    pub signed: Option<PrivatePrekey>,
    /// The one-time or last-resort KEM prekey.
    pub kem: Option<PrivatePrekey>,
    /// The one-time EC prekey.
    pub one_time: Option<PrivatePrekey>,
    /// Whether the initiation's replay marker is stored already.
    pub initiation_seen: bool,
}

/// A decrypted envelope, and what belongs into one transaction with the changed record.
#[derive(Clone)]
pub struct Decrypted {
    /// The content without padding.
    pub content: Zeroizing<Vec<u8>>,
    /// The device that sent it.
    pub sender: DeviceAddress,
    /// The session that it came on.
    pub session_id: SessionId,
    /// Whether the sender's account no longer lists the device.
    pub sender_removed: bool,
    /// Whether the sender has seen an older manifest of this user than the current one.
    pub recipient_view_stale: bool,
    /// One-time prekeys to delete.
    pub consumed: Vec<(PrekeyRole, u32)>,
    /// What to remember until the prekeys that it names are deleted.
    pub replay_marker: Option<ReplayMarker>,
    /// What proves the content to others, to be stored beside the envelope's hash for as long as
    /// the message can be reported.
    pub disclosure: Disclosure,
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decrypted")
            .field("sender", &self.sender)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// An envelope whose addresses and manifests have been checked.
struct Incoming<'a> {
    envelope: &'a Envelope<'a>,
    associated_data: Vec<u8>,
}

impl Incoming<'_> {
    fn header(&self) -> &Header {
        &self.envelope.header
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            salt: &self.envelope.header.salt,
            session_id: self.envelope.header.session_id,
            associated_data: &self.associated_data,
            commitment: &self.envelope.commitment,
            ciphertext: self.envelope.ciphertext,
        }
    }
}

/// Decrypts an envelope from the device and account that the record is about.
///
/// `remote` is the sender's account (one's own for envelopes from one's other devices). The record
/// changes only on success; it, the content, the deletion of `consumed` and the `replay_marker`
/// are stored in one transaction before the envelope is acknowledged. If that transaction fails,
/// the record in memory is dropped.
pub fn decrypt(
    record: &mut SessionRecord,
    local: &LocalDevice<'_>,
    keys: &HandshakeKeys,
    remote: &VerifiedAccount,
    envelope: &[u8],
    now: u64,
) -> Result<Decrypted, DecryptError> {
    let envelope = Envelope::parse(envelope)?;
    check_addresses(record, local, remote, &envelope.header)?;
    let header = &envelope.header;
    let sender_certificate = sender_at(remote, header.sender.device, header.sender_view)?;
    let own_certificate = recipient_at(local, header.recipient_view)?;
    let associated_data = associated_data(
        envelope.header_bytes,
        (header.sender, sender_certificate.hash()),
        (local.address(), own_certificate.hash()),
    );
    let incoming = Incoming { envelope: &envelope, associated_data };
    let known = record.session(header.session_id).map(|session| session.id);
    let mut consumed = Vec::new();
    let mut replay_marker = None;
    let (content, message_key) = if let Some(id) = known {
        continue_session(id, record, &incoming, now)?
    } else {
        let initiation = envelope.initiation.as_ref().ok_or(DecryptError::UnknownSession)?;
        let prekeys = handshake::prekeys_of(initiation);
        consumed.extend(prekeys.into_iter().filter(|(role, _)| role.is_one_time()));
        replay_marker = ReplayMarker::of(initiation);
        accept(record, local, keys, remote, &incoming, initiation, now)?
    };
    Ok(Decrypted {
        content,
        sender: header.sender,
        session_id: header.session_id,
        sender_removed: remote.device(header.sender.device).is_none(),
        recipient_view_stale: header.recipient_view.hash != local.account.manifest_hash(),
        consumed,
        replay_marker,
        disclosure: Disclosure {
            message_key,
            sender_certificate: sender_certificate.hash(),
            recipient_certificate: own_certificate.hash(),
        },
    })
}

fn check_addresses(
    record: &SessionRecord,
    local: &LocalDevice<'_>,
    remote: &VerifiedAccount,
    header: &Header,
) -> Result<(), DecryptError> {
    let matches = header.recipient_device == local.address().device
        && record.local() == local.address()
        && record.remote() == header.sender
        && remote.user_address() == header.sender.user_address()
        && header.sender != local.address();
    if matches { Ok(()) } else { Err(DecryptError::WrongAddress) }
}

fn sender_at(
    account: &VerifiedAccount,
    device: Uuid,
    view: ManifestView,
) -> Result<&DeviceCertificate, DecryptError> {
    match account.known_manifest(view.hash) {
        Some(known) if known.epoch == view.epoch => {}
        _ => return Err(DecryptError::UnknownSenderManifest),
    }
    account.certificate_at(view.hash, device).ok_or(DecryptError::UncertifiedSender)
}

fn recipient_at<'a>(
    local: &LocalDevice<'a>,
    view: ManifestView,
) -> Result<&'a DeviceCertificate, DecryptError> {
    match local.account.known_manifest(view.hash) {
        Some(known) if known.epoch == view.epoch => {}
        _ => return Err(DecryptError::UnknownOwnManifest),
    }
    local
        .account
        .certificate_at(view.hash, local.address().device)
        .ok_or(DecryptError::UncertifiedRecipient)
}

/// Decrypts on a session of the record. A message that the peer sent after it saw a reply makes an
/// archived session the active one; a late initiation does so only by the rule for crossing ones.
fn continue_session(
    id: SessionId,
    record: &mut SessionRecord,
    incoming: &Incoming<'_>,
    now: u64,
) -> Result<(Zeroizing<Vec<u8>>, Secret), DecryptError> {
    let session = record.session(id).ok_or(DecryptError::UnknownSession)?;
    let (opened, change) = session.ratchet.open(incoming.header(), incoming.sealed())?;
    let Opened { body, message_key } = opened;
    let initiation = incoming.envelope.initiation.is_some();
    let padded = if initiation { split_signature(&body)?.1 } else { &body[..] };
    let content = Zeroizing::new(padding::unpad(padded)?.to_vec());
    let promote = !initiation || record.yields_to(id);
    record.update(id, promote, |session| {
        session.ratchet.apply(change, now);
        session.pending = None;
    });
    Ok((content, message_key))
}

/// Accepts an initiation and decrypts its first message to arrive.
fn accept(
    record: &mut SessionRecord,
    local: &LocalDevice<'_>,
    keys: &HandshakeKeys,
    remote: &VerifiedAccount,
    incoming: &Incoming<'_>,
    initiation: &Initiation,
    now: u64,
) -> Result<(Zeroizing<Vec<u8>>, Secret), DecryptError> {
    if keys.initiation_seen {
        return Err(DecryptError::ReplayedInitiation);
    }
    let header = incoming.header();
    let initiator = initiator(remote, header.sender.device, initiation.initiator_manifest)?;
    let responder = responder(local, initiation.responder_manifest)?;
    let prekeys = responder_keys(keys, initiation, now)?;
    let agreed = handshake::respond(local.keys, initiator, responder, &prekeys, initiation)?;
    if agreed.session_id != header.session_id {
        return Err(DecryptError::BadCommitment);
    }
    let signed = prekeys.signed.agreement_key().ok_or(DecryptError::ExpiredKeys)?;
    let mut ratchet = Ratchet::responder(agreed.session_id, agreed.root, signed.clone(), now);
    let (Opened { body, message_key }, change) = ratchet.open(header, incoming.sealed())?;
    let (signature, padded) = split_signature(&body)?;
    handshake::verify(initiator.certificate, &agreed.transcript, signature)?;
    let content = Zeroizing::new(padding::unpad(padded)?.to_vec());
    ratchet.apply(change, now);
    record.insert_accepted(Session {
        id: agreed.session_id,
        created: now,
        ephemeral_hash: handshake::ephemeral_hash(&initiation.ephemeral),
        pending: None,
        ratchet,
    });
    Ok((content, message_key))
}

fn initiator(
    account: &VerifiedAccount,
    device: Uuid,
    manifest: ManifestHash,
) -> Result<Party<'_>, DecryptError> {
    let known = account.known_manifest(manifest).ok_or(DecryptError::UnknownSenderManifest)?;
    let view = ManifestView { epoch: known.epoch, hash: manifest };
    Ok(Party { certificate: sender_at(account, device, view)?, manifest })
}

fn responder<'a>(
    local: &LocalDevice<'a>,
    manifest: ManifestHash,
) -> Result<Party<'a>, DecryptError> {
    let known = local.account.known_manifest(manifest).ok_or(DecryptError::UnknownOwnManifest)?;
    let view = ManifestView { epoch: known.epoch, hash: manifest };
    Ok(Party { certificate: recipient_at(local, view)?, manifest })
}

fn responder_keys<'a>(
    keys: &'a HandshakeKeys,
    initiation: &Initiation,
    now: u64,
) -> Result<ResponderKeys<'a>, DecryptError> {
    let signed = find(keys.signed.as_ref(), PrekeyRole::SignedEc, initiation.signed_id, now)?;
    let kem = find(keys.kem.as_ref(), initiation.kem_role, initiation.kem_id, now)?;
    let one_time = match initiation.one_time_id {
        Some(id) => Some(find(keys.one_time.as_ref(), PrekeyRole::OneTimeEc, id, now)?),
        None => None,
    };
    Ok(ResponderKeys { signed, kem, one_time })
}

fn find(
    key: Option<&PrivatePrekey>,
    role: PrekeyRole,
    id: u32,
    now: u64,
) -> Result<&PrivatePrekey, DecryptError> {
    let gone =
        if role.is_one_time() { DecryptError::MissingPrekey } else { DecryptError::ExpiredKeys };
    let key = key.filter(|key| key.role() == role && key.id() == id).ok_or(gone)?;
    // The last moment at which a message started with the key can still be under way.
    let over = key.public().expires().saturating_add(PREKEY_LIFETIME_SECONDS);
    if !role.is_one_time() && over <= now {
        return Err(gone);
    }
    Ok(key)
}

/// Takes the initiator's signature off the body of an initiation.
pub(crate) fn split_signature(
    body: &[u8],
) -> Result<(&[u8; Signature::LENGTH], &[u8]), DecryptError> {
    body.split_first_chunk().ok_or(DecryptError::BadPadding)
}
