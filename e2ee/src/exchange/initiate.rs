//! Starting a session from a prekey bundle.

use rand_core::CryptoRng;

use crate::bundle::PrekeyBundle;
use crate::error::InitiateError;
use crate::handshake::{self, Party};
use crate::header::SessionId;
use crate::participant::{LocalDevice, RemoteDevice};
use crate::ratchet::Ratchet;
use crate::session::{PendingInitiation, Session, SessionRecord};

/// Starts a session with a device and makes it the record's active one; the one that was active
/// is archived. Nothing is sent yet: [`crate::encrypt`] carries the initiation.
///
/// Verifies the bundle's certificate against the remote account and every prekey's signature and
/// expiry against `now` (unix seconds). On an error the record is unchanged.
pub fn initiate<R: CryptoRng + ?Sized>(
    record: &mut SessionRecord,
    local: &LocalDevice<'_>,
    remote: &RemoteDevice<'_>,
    bundle: &PrekeyBundle,
    rng: &mut R,
    now: u64,
) -> Result<SessionId, InitiateError> {
    if record.local() != local.address()
        || record.remote() != remote.address()
        || local.address() == remote.address()
    {
        return Err(InitiateError::WrongAddress);
    }
    let checked = bundle.check(remote.certificate, now)?;
    let initiator =
        Party { certificate: local.certificate, manifest: local.account.manifest_hash() };
    let responder =
        Party { certificate: remote.certificate, manifest: remote.account.manifest_hash() };
    let (agreed, initiation) = handshake::initiate(local.keys, initiator, responder, &checked, rng);
    let pending = PendingInitiation {
        bytes: initiation.to_bytes(),
        signature: handshake::sign(local.keys, &agreed.transcript).to_bytes(),
    };
    let id = agreed.session_id;
    record.insert_initiated(Session {
        id,
        created: now,
        ephemeral_hash: handshake::ephemeral_hash(&initiation.ephemeral),
        pending: Some(pending),
        ratchet: Ratchet::initiator(id, &agreed.root, &checked.signed, rng, now),
    });
    Ok(id)
}
