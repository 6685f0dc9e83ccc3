//! Opening one envelope: what it changes is one transaction, or nothing.

use std::collections::HashSet;

use plasma_e2ee::{
    DecryptError, Decrypted, EnvelopeInfo, HandshakeKeys, LocalDevice, PREKEY_LIFETIME_SECONDS,
    SessionRecord, decrypt, envelope_hash, is_retry_request, peek,
};
use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS, PrekeyRole, UserAddress};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1::Envelope;
use rusqlite::Transaction;

use super::again::is_here;
use super::standing::Standing;
use crate::content::{self, Allows, Body, Context, Opened};
use crate::device::Device;
use crate::error::Error;
use crate::event::Event;
use crate::id::{ChatId, MessageId};
use crate::message::MessageRef;
use crate::not_shown::{Repair, Undecryptable};
use crate::reason::UndecryptableReason;
use crate::repair::is_repairable;
use crate::store::chats;
use crate::store::{StoreError, accounts, opened, prekeys, sessions, undecryptable};
use crate::wire;

/// What must be fetched before an envelope can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Need {
    Account(UserAddress),
    Chat(ChatId),
}

/// How far an envelope was opened.
enum Step {
    Done(Vec<Event>),
    /// Nothing has changed yet. Without what is needed, this is why it cannot be opened.
    Fetch(Need, UndecryptableReason),
}

impl Device {
    /// Opens an envelope and saves what it holds; after that it may be acknowledged.
    ///
    /// Fails only when the store fails or something that must be fetched is out of reach: then
    /// nothing has changed and the envelope is not acknowledged.
    pub(crate) async fn open_envelope(&self, envelope: &Envelope) -> Result<Vec<Event>, Error> {
        if is_retry_request(&envelope.ciphertext) {
            return self.follow(&envelope.ciphertext).await;
        }
        let (mut events, mut fetched) = (Vec::new(), HashSet::new());
        loop {
            let (need, otherwise) = match self.inner.store.write(|tx| self.step(tx, envelope))? {
                Step::Done(happened) => {
                    events.extend(happened);
                    return Ok(events);
                }
                Step::Fetch(need, otherwise) => (need, otherwise),
            };
            let refused = if fetched.insert(need) {
                self.fetch(need, otherwise, &mut events).await?
            } else {
                Some(otherwise)
            };
            if let Some(reason) = refused {
                let event = self
                    .inner
                    .store
                    .write(|tx| self.record(tx, envelope, reason, Repair::NotPossible))?;
                events.push(event);
                return Ok(events);
            }
        }
    }

    /// Fetches what is needed; returns why it cannot be had.
    async fn fetch(
        &self,
        need: Need,
        otherwise: UndecryptableReason,
        events: &mut Vec<Event>,
    ) -> Result<Option<UndecryptableReason>, Error> {
        let result = match need {
            Need::Chat(chat) => self.fetch_chat(chat).await.map(drop),
            Need::Account(user) => self.refresh_account(user).await.map(|learned| {
                events.extend(learned.changed_now.map(|before| Event::IdentityChanged {
                    user,
                    before,
                    now: learned.known.account.fingerprint(),
                }));
            }),
        };
        match result {
            Ok(()) => Ok(None),
            Err(Error::Identity { cause, .. }) => {
                Ok(Some(UndecryptableReason::SenderIdentity(cause)))
            }
            Err(error) if error.reason() == Some(ErrorReason::NotFound) => Ok(Some(otherwise)),
            // An answer that makes no sense now will make none later.
            Err(Error::Answer(_)) => Ok(Some(otherwise)),
            Err(error) => Err(error),
        }
    }

    fn step(&self, tx: &Transaction<'_>, envelope: &Envelope) -> Result<Step, Error> {
        let now = self.inner.env.now_seconds();
        let info = match peek(&envelope.ciphertext) {
            Ok(info) => info,
            Err(error) => return self.refuse(tx, envelope, UndecryptableReason::Protocol(error)),
        };
        let sender = info.sender.user_address();
        let own = accounts::load(tx, self.user())?.ok_or(Error::NotRegistered)?.account;
        let Some(remote) = accounts::load(tx, sender)?.map(|known| known.account) else {
            return Ok(Step::Fetch(Need::Account(sender), UndecryptableReason::UnknownSender));
        };
        let keys = handshake_keys(tx, &info)?;
        let mut record = sessions::load(tx, self.address(), info.sender)?;
        let local = LocalDevice::new(&self.inner.keys, &own)?;
        match decrypt(&mut record, &local, &keys, &remote, &envelope.ciphertext, now) {
            Ok(decrypted) => self.keep(tx, envelope, &record, &decrypted),
            Err(error @ DecryptError::UnknownSenderManifest) => {
                let reason = UndecryptableReason::Protocol(error);
                Ok(Step::Fetch(Need::Account(sender), reason))
            }
            Err(error @ DecryptError::UnknownOwnManifest) => {
                let reason = UndecryptableReason::Protocol(error);
                Ok(Step::Fetch(Need::Account(self.user()), reason))
            }
            // Saved before and offered again: the acknowledgement was lost, or the service repeats it.
            Err(error) if is_repairable(error) && is_here(tx, envelope, info.sender, error)? => {
                Ok(Step::Done(Vec::new()))
            }
            Err(error) => {
                let repair = if is_repairable(error) {
                    self.ask_again(tx, envelope, info.sender, &remote)?
                } else {
                    Repair::NotPossible
                };
                let reason = UndecryptableReason::Protocol(error);
                Ok(Step::Done(vec![self.record(tx, envelope, reason, repair)?]))
            }
        }
    }

    /// Saves what a decrypted envelope holds, together with the session that it changed.
    fn keep(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        record: &SessionRecord,
        decrypted: &Decrypted,
    ) -> Result<Step, Error> {
        let Some(outer) = content::read(&decrypted.content) else {
            self.keep_session(tx, envelope, record, decrypted)?;
            return self.refuse(tx, envelope, UndecryptableReason::UnknownContent);
        };
        let (writer, opened) = match &outer.body {
            // An own device vouches for what another device has written.
            Body::Forward { sender, content } if self.is_own(decrypted.sender) => {
                (*sender, &**content)
            }
            _ => (decrypted.sender, &outer),
        };
        let chat = match opened.chat {
            Some(chat) => match chats::load(tx, chat)? {
                None => return Ok(Step::Fetch(Need::Chat(chat), UndecryptableReason::WrongChat)),
                known => known,
            },
            None => None,
        };
        self.keep_session(tx, envelope, record, decrypted)?;
        // A device that was removed speaks for its user no more: whoever holds it could vouch for
        // messages of others, or set and delete what the user's devices share.
        let removed = decrypted.sender_removed && self.is_own(decrypted.sender);
        if removed && !matches!(outer.body, Body::Text { .. }) {
            return self.refuse(tx, envelope, UndecryptableReason::UnknownContent);
        }
        if !self.is_own(writer) {
            if opened.body.is_for_own_devices() {
                return self.refuse(tx, envelope, UndecryptableReason::UnknownContent);
            }
            if chat.is_none_or(|chat| chat.peer != writer.user_address()) {
                return self.refuse(tx, envelope, UndecryptableReason::WrongChat);
            }
        }
        match self.standing(tx, envelope, decrypted.sender, &outer)? {
            Standing::Allowed => {}
            Standing::Here => return Ok(Step::Done(Vec::new())),
            Standing::Unpaid => {
                return self.refuse(tx, envelope, UndecryptableReason::WrongClass);
            }
        }
        let mut events = Vec::new();
        if self.is_relabelled(envelope, &outer, decrypted.sender) {
            events.push(Event::Relabelled { envelope_id: envelope.envelope_id.clone() });
        }
        let context = Context {
            own: self.address(),
            sender: writer,
            sender_removed: decrypted.sender_removed && writer == decrypted.sender,
            is_written_here: false,
            chat,
            now_micros: self.inner.env.now_micros(),
            // What another device hands on came here in no envelope of its sender.
            proof: (writer == decrypted.sender).then_some((envelope, &decrypted.disclosure)),
        };
        events.extend(content::apply(tx, &context, opened)?);
        events.extend(resolve(tx, decrypted.sender, outer.id)?);
        events.extend(resolve(tx, writer, opened.id)?);
        if decrypted.recipient_view_stale {
            let message = MessageRef { sender: writer, id: opened.id };
            self.forward_to_left_out(
                tx,
                &envelope.ciphertext,
                message,
                &outer.body,
                &decrypted.content,
            )?;
        }
        if outer.body.is_noted() {
            opened::insert(tx, decrypted.sender, outer.id, context.now_micros)?;
        }
        Ok(Step::Done(events))
    }

    pub(super) fn is_own(&self, device: DeviceAddress) -> bool {
        device.user_address() == self.user()
    }

    fn is_relabelled(&self, envelope: &Envelope, outer: &Opened, sender: DeviceAddress) -> bool {
        let chat = outer.chat.map(|chat| chat.to_string()).unwrap_or_default();
        // What own devices tell each other travels without a chat, whatever it is about.
        let without_chat = self.is_own(sender) && envelope.chat_id.is_empty();
        (envelope.chat_id != chat && !without_chat)
            || envelope.message_id != outer.id.to_string()
            || wire::read_device(envelope.sender.as_ref()).ok() != Some(sender)
    }

    fn keep_session(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        record: &SessionRecord,
        decrypted: &Decrypted,
    ) -> Result<(), StoreError> {
        let now = self.inner.env.now_seconds();
        sessions::save(tx, record)?;
        opened::insert_envelope(tx, &envelope_hash(&envelope.ciphertext), now)?;
        for (role, id) in &decrypted.consumed {
            prekeys::delete(tx, *role, *id)?;
            self.inner.errands.note_used_prekeys();
        }
        if let Some(marker) = &decrypted.replay_marker {
            let keys_die = now + PREKEY_LIFETIME_SECONDS + MAX_LATENCY_SECONDS;
            sessions::insert_marker(tx, marker, keys_die, now)?;
        }
        Ok(())
    }

    fn refuse(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        reason: UndecryptableReason,
    ) -> Result<Step, Error> {
        Ok(Step::Done(vec![self.record(tx, envelope, reason, Repair::NotPossible)?]))
    }

    fn record(
        &self,
        tx: &Transaction<'_>,
        envelope: &Envelope,
        reason: UndecryptableReason,
        repair: Repair,
    ) -> Result<Event, Error> {
        let undecryptable = Undecryptable {
            envelope_id: envelope.envelope_id.clone(),
            claimed_sender: peek(&envelope.ciphertext).ok().map(|info| info.sender),
            claimed_message: MessageId::parse(&envelope.message_id).ok(),
            reason,
            repair,
        };
        let hash = envelope_hash(&envelope.ciphertext);
        let is_message = Allows::of(envelope) == Allows::Everything;
        let now = self.inner.env.now_micros();
        undecryptable::insert(tx, &undecryptable, &hash, is_message, now)?;
        Ok(Event::Undecryptable(undecryptable))
    }
}

/// Notes that a message is here that could not be read before.
fn resolve(
    tx: &Transaction<'_>,
    sender: DeviceAddress,
    id: MessageId,
) -> Result<Vec<Event>, StoreError> {
    let envelopes = undecryptable::resolve(tx, sender, id.0)?;
    let message = MessageRef { sender, id };
    let repaired = |envelope_id| Event::Repaired { envelope_id, message };
    Ok(envelopes.into_iter().map(repaired).collect())
}

fn handshake_keys(tx: &Transaction<'_>, info: &EnvelopeInfo) -> Result<HandshakeKeys, StoreError> {
    let Some(initiation) = &info.initiation else { return Ok(HandshakeKeys::default()) };
    let one_time = match initiation.one_time_prekey_id {
        Some(id) => prekeys::load(tx, PrekeyRole::OneTimeEc, id)?,
        None => None,
    };
    let initiation_seen = match &initiation.replay_marker {
        Some(marker) => sessions::has_marker(tx, marker)?,
        None => false,
    };
    Ok(HandshakeKeys {
        signed: prekeys::load(tx, PrekeyRole::SignedEc, initiation.signed_prekey_id)?,
        kem: prekeys::load(tx, initiation.kem_role, initiation.kem_prekey_id)?,
        one_time,
        initiation_seen,
    })
}
