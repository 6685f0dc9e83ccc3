//! What an envelope claims, so that the caller can load what is needed to open it.

use plasma_identity::{DeviceAddress, PrekeyRole};
use uuid::Uuid;

use crate::error::DecryptError;
use crate::handshake::ReplayMarker;
use crate::header::{Envelope, Initiation, ManifestView, SessionId};

/// An envelope's claims. Nothing of it is authenticated before [`crate::decrypt`] succeeds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EnvelopeInfo {
    /// The sending device.
    pub sender: DeviceAddress,
    /// The device that the envelope is for.
    pub recipient_device: Uuid,
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// The sender's manifest as the sender saw it.
    pub sender_manifest: ManifestView,
    /// The recipient's manifest as the sender saw it.
    pub recipient_manifest: ManifestView,
    /// What a session is started from, in messages sent before the first reply.
    pub initiation: Option<InitiationInfo>,
}

/// The keys that a handshake needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InitiationInfo {
    /// Id of the [`PrekeyRole::SignedEc`] prekey.
    pub signed_prekey_id: u32,
    /// Whether the KEM prekey is a one-time or a last-resort one.
    pub kem_role: PrekeyRole,
    /// Id of the KEM prekey within its role.
    pub kem_prekey_id: u32,
    /// Id of the [`PrekeyRole::OneTimeEc`] prekey, if one was used.
    pub one_time_prekey_id: Option<u32>,
    /// What to look up among the stored markers; `None` when a one-time key was used.
    pub replay_marker: Option<ReplayMarker>,
}

/// Reads an envelope's claims.
pub fn peek(envelope: &[u8]) -> Result<EnvelopeInfo, DecryptError> {
    let Envelope { header, initiation, .. } = Envelope::parse(envelope)?;
    Ok(EnvelopeInfo {
        sender: header.sender,
        recipient_device: header.recipient_device,
        session_id: header.session_id,
        sender_manifest: header.sender_view,
        recipient_manifest: header.recipient_view,
        initiation: initiation.as_ref().map(InitiationInfo::of),
    })
}

impl InitiationInfo {
    fn of(initiation: &Initiation) -> Self {
        Self {
            signed_prekey_id: initiation.signed_id,
            kem_role: initiation.kem_role,
            kem_prekey_id: initiation.kem_id,
            one_time_prekey_id: initiation.one_time_id,
            replay_marker: ReplayMarker::of(initiation),
        }
    }
}
