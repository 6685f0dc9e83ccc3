//! Encrypting on the active session.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::cipher;
use crate::error::EncryptError;
use crate::header::{Header, ManifestView, associated_data};
use crate::padding;
use crate::participant::{LocalDevice, RemoteDevice};
use crate::session::SessionRecord;

/// Encrypts `content` for one device and returns the envelope.
///
/// The envelope names the current manifests of both accounts. The changed record must be stored
/// before the envelope leaves the process. On an error the record is unchanged.
pub fn encrypt<R: CryptoRng + ?Sized>(
    record: &mut SessionRecord,
    local: &LocalDevice<'_>,
    remote: &RemoteDevice<'_>,
    content: &[u8],
    rng: &mut R,
    now: u64,
) -> Result<Vec<u8>, EncryptError> {
    if record.local() != local.address() || record.remote() != remote.address() {
        return Err(EncryptError::WrongAddress);
    }
    let session = record.active().filter(|session| !session.is_stale(now));
    let session = session.ok_or(EncryptError::NoSession)?;
    let signature = session.pending.as_ref().map(|pending| pending.signature);
    let signature = signature.as_ref().map_or(&[][..], <[u8; 64]>::as_slice);
    let length = signature.len() + padding::padded_length(content.len());
    let mut body = Zeroizing::new(Vec::with_capacity(length));
    body.extend_from_slice(signature);
    padding::pad(content, &mut body)?;

    let step = session.ratchet.next(rng, now)?;
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    let header = Header {
        sender: local.address(),
        recipient_device: remote.address().device,
        session_id: session.id,
        sender_view: ManifestView {
            epoch: local.account.epoch(),
            hash: local.account.manifest_hash(),
        },
        recipient_view: ManifestView {
            epoch: remote.account.epoch(),
            hash: remote.account.manifest_hash(),
        },
        ratchet_key: step.ratchet_key,
        previous: step.previous,
        number: step.number,
        salt,
        extension: step.extension.clone(),
    };
    let initiation = session.pending.as_ref().map(|pending| pending.bytes.as_slice());
    let mut envelope = header.to_bytes(initiation);
    let aad = associated_data(
        &envelope,
        (local.address(), local.certificate.hash()),
        (remote.address(), remote.certificate.hash()),
    );
    let (commitment, ciphertext) = cipher::seal(&step.message_key, &salt, session.id, &aad, &body);
    envelope.reserve_exact(commitment.len() + ciphertext.len());
    envelope.extend_from_slice(&commitment);
    envelope.extend_from_slice(&ciphertext);
    if let Some(session) = record.active_mut() {
        session.ratchet.commit(step);
    }
    Ok(envelope)
}
