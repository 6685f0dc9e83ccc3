//! Sending as the client does: kept first, sealed for the devices there are, repeated until it is
//! decided.

use std::rc::Rc;

use plasma_e2ee::rand_core::Rng;
use plasma_e2ee::{LocalDevice, RemoteDevice, encrypt, envelope_hash, initiate};
use plasma_identity::VerifiedAccount;

use crate::content::{ChatNo, Content, DeviceNo, UserNo};
use crate::device::{Device, Logged, Net, device_id, number_of};
use crate::service::{Envelopes, Outcome};

/// Attempts after the first, each for the device sets that the service has now.
const MISMATCHES_MAX: u32 = 5;

/// A bundle was asked for a device that is gone.
struct DeviceGone;

impl Device {
    /// Writes a message down: from now on it is in the history, and owed to the service.
    pub fn write_down(&mut self, net: &mut Net, chat: ChatNo) -> u64 {
        let id = net.rng.next_u64();
        let counter = self.tables.lamport.entry(chat).or_default();
        *counter += 1;
        let length = usize::try_from(id % 150).unwrap();
        let content = Content { chat, id, lamport: *counter, text: vec![0xa5; length] };
        net.oracle.wrote(self.number, &content);
        self.tables.shown.insert((self.number, id), content.clone());
        self.tables.outbox.push_back(id);
        let logged = Logged { content, envelopes: [].into(), resent: [].into() };
        self.tables.log.insert(id, logged);
        id
    }

    /// Sends what is written down and not decided yet, oldest first. With `answer_lost` the service
    /// takes the messages, and this device does not learn of it.
    pub fn flush(&mut self, net: &mut Net, answer_lost: bool) {
        for id in self.tables.outbox.clone() {
            self.transmit(net, id);
            if !answer_lost {
                self.tables.outbox.retain(|waiting| *waiting != id);
            }
        }
    }

    fn transmit(&mut self, net: &mut Net, id: u64) {
        let content = self.tables.log[&id].content.clone();
        let [first, second] = net.chats[content.chat];
        let peer = if first == self.user { second } else { first };
        if !self.accounts.contains_key(&peer) {
            self.refresh(net, peer);
        }
        for _ in 0..=MISMATCHES_MAX {
            if let Ok(envelopes) = self.seal(net, peer, &content) {
                let own = (self.user, self.own().manifest_hash());
                let theirs = (peer, self.accounts[&peer].manifest_hash());
                match net.service.send(own, theirs, (self.number, id), envelopes) {
                    Outcome::Accepted(devices) => {
                        net.tell(|| format!("{id:x} of {} is taken for {devices:?}", self.number));
                        return net.oracle.accepted((self.number, id), &devices);
                    }
                    Outcome::Refused => return net.oracle.refused(self.number),
                    Outcome::Mismatch => net.oracle.counts.mismatches += 1,
                }
            }
            self.refresh(net, self.user);
            if self.own().device(self.address().device).is_none() {
                return net.oracle.refused(self.number);
            }
            self.refresh(net, peer);
        }
        panic!("device {} finds no end of other device sets", self.number);
    }

    fn seal(
        &mut self,
        net: &mut Net,
        peer: UserNo,
        content: &Content,
    ) -> Result<Envelopes, DeviceGone> {
        let mut envelopes = Vec::new();
        for user in [peer, self.user] {
            let account = &self.accounts[&user];
            let devices: Vec<_> =
                account.devices().iter().map(|device| number_of(device.address().device)).collect();
            for device in devices {
                if device != self.number {
                    envelopes.push((device, self.seal_for(net, user, device, content)?));
                }
            }
        }
        Ok(envelopes)
    }

    fn seal_for(
        &mut self,
        net: &mut Net,
        user: UserNo,
        device: DeviceNo,
        content: &Content,
    ) -> Result<Rc<[u8]>, DeviceGone> {
        let account: &VerifiedAccount = &self.accounts[&user];
        let local = LocalDevice::new(&self.keys, self.own()).map_err(|_| DeviceGone)?;
        let remote =
            RemoteDevice::new(account, device_id(device)).expect("sealed for a listed device");
        let mut record = self.record(remote.address());
        if record.needs_initiation(net.now) {
            let bundle = net.service.take_bundle(user, device).ok_or(DeviceGone)?;
            initiate(&mut record, &local, &remote, &bundle, &mut net.rng, net.now)
                .expect("an honest bundle is refused");
            net.oracle.counts.initiations += 1;
        }
        let bytes = content.to_bytes();
        let envelope = encrypt(&mut record, &local, &remote, &bytes, &mut net.rng, net.now)
            .expect("a session that was just looked at does not encrypt");
        net.tell(|| {
            let session = record.active_session();
            format!("device {} seals {:x} for {device} on {session:?}", self.number, content.id)
        });
        self.records.insert(device, record);
        let logged = self.tables.log.get_mut(&content.id).unwrap();
        logged.envelopes.insert(envelope_hash(&envelope), device);
        Ok(envelope.into())
    }

    /// Seals a logged message once more, for one device.
    pub fn seal_again(
        &mut self,
        net: &mut Net,
        user: UserNo,
        device: DeviceNo,
        content: &Content,
    ) -> Option<Rc<[u8]>> {
        self.seal_for(net, user, device, content).ok()
    }
}
