//! Sessions and the record of a pair of devices.

mod record;
mod stored;

pub use self::record::SessionRecord;

use plasma_identity::Signature;

use crate::header::SessionId;
use crate::ratchet::Ratchet;

/// How long an initiator sends on a session without a reply, in seconds (30 days).
pub const MAX_UNCONFIRMED_SECONDS: u64 = 30 * 24 * 60 * 60;

/// What the initiator repeats until the first reply.
#[derive(Clone)]
pub(crate) struct PendingInitiation {
    /// The encoded initiation.
    pub(crate) bytes: Vec<u8>,
    /// The signature over the transcript, which travels inside the ciphertext.
    pub(crate) signature: [u8; Signature::LENGTH],
}

/// One double-ratchet session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Unix seconds of its start on this side.
    pub(crate) created: u64,
    pub(crate) ephemeral_hash: [u8; 32],
    /// Present on the initiator's side until the first reply.
    pub(crate) pending: Option<PendingInitiation>,
    pub(crate) ratchet: Ratchet,
}

impl Session {
    /// Tells whether the initiator has waited too long for a reply to go on.
    pub(crate) fn is_stale(&self, now: u64) -> bool {
        self.pending.is_some() && self.created.saturating_add(MAX_UNCONFIRMED_SECONDS) <= now
    }
}
