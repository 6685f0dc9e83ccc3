//! Receiving as the client does: opened, saved as one step, then acknowledged; shown once.

use std::collections::BTreeSet;

use plasma_e2ee::{
    DecryptError, Decrypted, EnvelopeInfo, HandshakeKeys, LocalDevice, RetryRequest, SessionRecord,
    decrypt, envelope_hash, is_retry_request, peek,
};
use plasma_identity::PrekeyRole;

use crate::content::{Content, UserNo};
use crate::device::{Device, Net, number_of, user_of};
use crate::service::Item;

/// How often a message is sent again to a device.
const RESENDS_MAX: u32 = 3;

/// What is left to do when an envelope was not opened.
enum Refusal {
    Fetch(UserNo),
    Final(DecryptError),
}

impl Device {
    /// Takes one item of the queue; after that it may be acknowledged.
    pub fn take(&mut self, net: &mut Net, item: &Item) {
        if is_retry_request(&item.bytes) {
            return self.answer(net, item);
        }
        let mut fetched = BTreeSet::new();
        let error = loop {
            match self.open(net, item) {
                Ok(()) => return,
                Err(Refusal::Fetch(user)) if fetched.insert(user) => self.refresh(net, user),
                Err(Refusal::Fetch(_)) => break DecryptError::UnknownSenderManifest,
                Err(Refusal::Final(error)) => break error,
            }
        };
        let opened = self.tables.opened.contains(&envelope_hash(&item.bytes));
        if error == DecryptError::Duplicate && opened {
            return;
        }
        net.tell(|| format!("device {} cannot open {:x}: {error}", self.number, item.message));
        *net.oracle.counts.reasons.entry(error.reason()).or_default() += 1;
        // A restored sender has used a number twice: opened before, but not this message.
        if error.is_repairable() || error == DecryptError::Duplicate {
            self.ask(net, item, error);
        } else {
            net.oracle.unreadable(item, error);
        }
    }

    fn open(&mut self, net: &mut Net, item: &Item) -> Result<(), Refusal> {
        let info = peek(&item.bytes).map_err(Refusal::Final)?;
        let user = user_of(info.sender.user_address());
        let remote = self.accounts.get(&user).ok_or(Refusal::Fetch(user))?;
        let own = self.own();
        let local = LocalDevice::new(&self.keys, own).expect("a device in use is certified");
        let before = self.record(info.sender);
        let mut record = before.clone();
        let keys = self.handshake_keys(&info);
        match decrypt(&mut record, &local, &keys, remote, &item.bytes, net.now) {
            Ok(decrypted) => {
                self.tables.opened.insert(envelope_hash(&item.bytes));
                self.keep(net, user, record, &decrypted);
                Ok(())
            }
            Err(error) => {
                assert_eq!(*before.to_bytes(), *record.to_bytes(), "{error} changed the record");
                Err(match error {
                    DecryptError::UnknownSenderManifest => Refusal::Fetch(user),
                    DecryptError::UnknownOwnManifest => Refusal::Fetch(self.user),
                    error => Refusal::Final(error),
                })
            }
        }
    }

    fn handshake_keys(&self, info: &EnvelopeInfo) -> HandshakeKeys {
        let Some(initiation) = &info.initiation else { return HandshakeKeys::default() };
        let load = |role, id| self.prekeys.get(&(role, id)).cloned();
        let seen = |marker: &[u8; 40]| self.tables.markers.contains(marker);
        HandshakeKeys {
            signed: load(PrekeyRole::SignedEc, initiation.signed_prekey_id),
            kem: load(initiation.kem_role, initiation.kem_prekey_id),
            one_time: initiation.one_time_prekey_id.and_then(|id| load(PrekeyRole::OneTimeEc, id)),
            initiation_seen: initiation.replay_marker.is_some_and(|it| seen(&it.to_bytes())),
        }
    }

    /// One transaction: session, used keys, marker, message.
    fn keep(&mut self, net: &mut Net, user: UserNo, record: SessionRecord, opened: &Decrypted) {
        let sender = number_of(opened.sender.device);
        self.records.insert(sender, record);
        for key in &opened.consumed {
            self.prekeys.remove(key);
        }
        self.tables.markers.extend(opened.replay_marker.map(|marker| marker.to_bytes()));
        let content = Content::from_bytes(&opened.content);
        let members = net.chats[content.chat];
        assert!(members.contains(&user) && members.contains(&self.user), "of a foreign chat");
        let counter = self.tables.lamport.entry(content.chat).or_default();
        *counter = content.lamport.max(*counter);
        let key = (sender, content.id);
        net.tell(|| format!("device {} opens {:x} of {sender}", self.number, content.id));
        if !self.tables.shown.contains_key(&key) {
            net.oracle.showed(self.number, key, &content);
            self.tables.shown.insert(key, content);
        }
    }

    /// Asks the sender for a new session and the message once more, once for an envelope.
    fn ask(&mut self, net: &mut Net, item: &Item, error: DecryptError) {
        if !self.tables.asked.insert(envelope_hash(&item.bytes)) {
            return;
        }
        let sender = peek(&item.bytes).expect("repairable is what can be read").sender;
        let request = RetryRequest::for_envelope(&self.keys, sender, &item.bytes, net.now)
            .expect("a request about an envelope for this device");
        let to = number_of(sender.device);
        net.oracle.requested(self.number, to, error);
        if !net.service.send_control(self.number, to, request.to_bytes(), item.about) {
            net.oracle.gave_up(item.about);
        }
    }

    /// Answers a retry request: a new session if the old one is still in use, and the message from
    /// the log.
    fn answer(&mut self, net: &mut Net, item: &Item) {
        let request = RetryRequest::from_bytes(&item.bytes).expect("an honest request");
        let user = user_of(request.sender().user_address());
        let device = number_of(request.sender().device);
        if self.accounts.get(&user).is_none_or(|it| it.device(request.sender().device).is_none()) {
            self.refresh(net, user);
        }
        if request.verify(&self.accounts[&user], self.address(), net.now).is_err() {
            return;
        }
        let mut record = self.record(request.sender());
        let archived = record.archive_for(&request);
        net.tell(|| format!("device {} is asked by {device}, archives: {archived}", self.number));
        if archived {
            self.records.insert(device, record);
        }
        let hash = request.envelope_hash();
        let logged =
            self.tables.log.values_mut().find(|it| it.envelopes.get(&hash) == Some(&device));
        let Some(logged) = logged else { return };
        let resent = logged.resent.entry(device).or_default();
        if *resent == RESENDS_MAX {
            return net.oracle.exhausted((self.number, logged.content.id), device);
        }
        *resent += 1;
        // Each envelope is answered for once: a request that comes again changes nothing.
        logged.envelopes.remove(&hash);
        let content = logged.content.clone();
        let about = Some(((self.number, content.id), device));
        let Some(envelope) = self.seal_again(net, user, device, &content) else { return };
        net.oracle.resent((self.number, content.id), device);
        net.service.send_control(self.number, device, envelope.to_vec(), about);
    }
}
