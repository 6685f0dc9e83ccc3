//! Asking the sender of an envelope that cannot be opened for its message once more.

use plasma_e2ee::{DecryptError, RetryRequest, envelope_hash};
use plasma_identity::{DeviceAddress, VerifiedAccount};
use plasma_proto::messaging::v1::Envelope;
use rusqlite::Transaction;

use crate::device::Device;
use crate::id::{ChatId, MessageId};
use crate::not_shown::Repair;
use crate::store::control::{self, Control, Load};
use crate::store::{StoreError, chats, retry_requests};

/// Requests to one device in an hour; more wait for their turn.
const REQUESTS_AN_HOUR: u32 = 20;
const HOUR: u64 = 3_600;
/// How long a request waits for its turn at most: what a day does not repair is not repaired.
const TURN_MAX: u64 = 24 * HOUR;

/// Tells whether the sender can help. A key that was used before, for a message that is not here,
/// is what a sender's backup leads to when it is put back.
pub(crate) fn is_repairable(error: DecryptError) -> bool {
    error.is_repairable() || error == DecryptError::Duplicate
}

impl Device {
    /// Asks the sender of an envelope for its message once more, if it is a current device of
    /// `account`. The request is kept and sent in the background.
    pub(crate) fn ask_again(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        sender: DeviceAddress,
        account: &VerifiedAccount,
    ) -> Result<Repair, StoreError> {
        let now = self.inner.env.now_seconds();
        // A removed device gets nothing, and nobody hears that something of it was not understood.
        if account.device(sender.device).is_none() {
            return Ok(Repair::NotPossible);
        }
        let own = sender.user_address() == self.user();
        let chat = if own { None } else { chat_with(tx, envelope, sender)? };
        if chat.is_none() && !own {
            return Ok(Repair::NotPossible);
        }
        let hash = envelope_hash(&envelope.ciphertext);
        if retry_requests::contains(tx, &hash)? {
            return Ok(Repair::Requested);
        }
        let due = turn(tx, sender, now)?;
        if due > now + TURN_MAX {
            return Ok(Repair::GivenUp);
        }
        let keys = &self.inner.keys;
        let Ok(request) = RetryRequest::for_envelope(keys, sender, &envelope.ciphertext, now)
        else {
            return Ok(Repair::NotPossible);
        };
        retry_requests::insert(tx, sender, &hash, due)?;
        let control = Control {
            message: MessageId(self.inner.env.time_ordered_id()),
            device: sender,
            chat,
            load: Load::Request(request.to_bytes()),
        };
        control::insert(tx, &control, due)?;
        Ok(Repair::Requested)
    }
}

/// The chat that permits a control message: the one that the envelope is labelled with, or any
/// with that user.
fn chat_with(
    tx: &Transaction<'_>,
    envelope: &Envelope,
    sender: DeviceAddress,
) -> Result<Option<ChatId>, StoreError> {
    let peer = sender.user_address();
    if let Ok(chat) = ChatId::parse(&envelope.chat_id)
        && chats::load(tx, chat)?.is_some_and(|chat| chat.peer == peer)
    {
        return Ok(Some(chat));
    }
    chats::with_peer(tx, peer)
}

/// When the device may be asked next.
fn turn(tx: &Transaction<'_>, device: DeviceAddress, now: u64) -> Result<u64, StoreError> {
    let earlier = retry_requests::moment(tx, device, REQUESTS_AN_HOUR - 1)?;
    Ok(earlier.map_or(now, |earlier| now.max(earlier + HOUR)))
}
