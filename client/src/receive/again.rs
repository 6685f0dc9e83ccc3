//! Recognising what is here already and offered once more.

use plasma_e2ee::{DecryptError, envelope_hash};
use plasma_identity::DeviceAddress;
use plasma_proto::messaging::v1::Envelope;
use rusqlite::Transaction;

use crate::id;
use crate::store::{StoreError, messages, opened};

/// Tells whether there is nothing to ask for: this very envelope was opened before, under whatever
/// name, or its place was used before and the message that it is said to be is here.
pub(super) fn is_here(
    tx: &Transaction<'_>,
    envelope: &Envelope,
    sender: DeviceAddress,
    error: DecryptError,
) -> Result<bool, StoreError> {
    if opened::contains_envelope(tx, &envelope_hash(&envelope.ciphertext))? {
        return Ok(true);
    }
    match id::parse("msg", &envelope.message_id) {
        Ok(id) if error == DecryptError::Duplicate => {
            Ok(messages::is_kept(tx, sender, id)? || opened::contains(tx, sender, id)?)
        }
        _ => Ok(false),
    }
}
