//! Devices of several users and a service in the middle that does as the test tells it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use plasma_e2ee::{DeviceKeys, LocalDevice, RemoteDevice, RootKey, initiate, is_retry_request};
use plasma_identity::{Capabilities, DeviceAddress, UserAddress, VerifiedAccount, verify_chain};
use plasma_proto::content::v1::{Content, Text, content::Body};
use plasma_proto::messaging::v1::{Envelope, EnvelopeClass};
use prost::Message as _;
use uuid::Uuid;

use super::shelf::Shelf;
use crate::device::Device;
use crate::device::sealing::{Keeping, Unsealed};
use crate::event::Event;
use crate::id::MessageId;
use crate::store::accounts::{self, KnownAccount};
use crate::store::chats::{self, KnownChat};
use crate::store::control::{self, Load};
use crate::store::outbox::Route;
use crate::store::{Store, own_device, sessions};
use crate::testing::{CHAT, nowhere};
use crate::{Env, wire};

pub(super) const ANN: u128 = 1;
pub(super) const BOB: u128 = 2;

/// A person: the root and the account with the devices there are now.
pub(super) struct Person {
    pub(super) root: RootKey,
    pub(super) account: VerifiedAccount,
}

/// Two users, their devices, and the queues of the service.
pub(super) struct Town {
    pub(super) people: HashMap<u128, Person>,
    pub(super) devices: Vec<Device>,
    shelves: HashMap<DeviceAddress, Shelf>,
    /// For each device, in order.
    pub(super) queues: Vec<Vec<Envelope>>,
    /// Retry requests and messages sent again so far.
    pub(super) controls: usize,
    folder: tempfile::TempDir,
    copies: u32,
}

pub(super) fn user(number: u128) -> UserAddress {
    UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(number) }
}

fn open(store: Store, env: Env, keys: DeviceKeys) -> Device {
    Device::assemble(env, nowhere(), store, keys)
}

impl Town {
    /// People with so many devices each, all acquainted.
    pub(super) fn of(devices: &[(u128, usize)], one_time_keys: u32) -> Self {
        let mut town = Self {
            people: HashMap::new(),
            devices: Vec::new(),
            shelves: HashMap::new(),
            queues: Vec::new(),
            controls: 0,
            folder: tempfile::tempdir().unwrap(),
            copies: 0,
        };
        for (number, count) in devices {
            town.settle(*number, *count, one_time_keys);
        }
        town.introduce();
        town
    }

    fn settle(&mut self, number: u128, count: usize, one_time_keys: u32) {
        let (env, user) = (Env::system(), user(number));
        let (rng, now) = (&mut env.rng(), env.now_seconds());
        let root = RootKey::generate(rng);
        let keys: Vec<_> = (0..count)
            .map(|_| DeviceKeys::generate(user.device(env.random_id()), &mut env.rng()))
            .collect();
        let certify = |keys: &DeviceKeys| {
            let request = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
            root.certify(&request, now).unwrap()
        };
        let certificates: Vec<_> = keys.iter().map(certify).collect();
        let manifest = root.start_generation(user, &certificates, None, now).unwrap();
        let account =
            verify_chain(user, None, root.public(), &[manifest], &certificates, now).unwrap();
        for keys in keys {
            let store = Store::in_memory().unwrap();
            store.write(|tx| own_device::insert(tx, &keys, None)).unwrap();
            store.write(|tx| own_device::mark_registered(tx)).unwrap();
            let device = open(store, Env::system(), keys);
            self.shelves.insert(device.address(), Shelf::stock(&device, one_time_keys));
            self.devices.push(device);
            self.queues.push(Vec::new());
        }
        self.people.insert(number, Person { root, account });
    }

    /// Every device sees every account as it is now.
    pub(super) fn introduce(&self) {
        for device in &self.devices {
            self.introduce_to(device);
        }
    }

    pub(super) fn introduce_to(&self, device: &Device) {
        for (number, person) in &self.people {
            let account = person.account.clone();
            let known = KnownAccount { account, verified: None, changed_from: None };
            let chat = KnownChat { id: CHAT, peer: user(*number), host_tenant: Uuid::from_u128(1) };
            let is_peer = chat.peer != device.user() && [ANN, BOB].contains(number);
            device
                .inner
                .store
                .write(|tx| {
                    accounts::save(tx, &known)?;
                    if is_peer { chats::insert(tx, chat) } else { Ok(()) }
                })
                .unwrap();
        }
    }

    /// Removes a device from its account; the others learn of it with [`Town::introduce`].
    pub(super) fn revoke(&mut self, number: u128, index: usize) {
        let gone = self.devices[index].address();
        let now = self.devices[index].inner.env.now_seconds();
        let person = self.people.get_mut(&number).unwrap();
        let kept: Vec<_> = person
            .account
            .devices()
            .iter()
            .filter(|certificate| certificate.address() != gone)
            .copied()
            .collect();
        let before = Some(person.account.manifest());
        let next = person.root.start_generation(user(number), &kept, before, now).unwrap();
        person.account.advance(&[next], &kept, now).unwrap();
    }

    pub(super) fn place(&self, address: DeviceAddress) -> Option<usize> {
        self.devices.iter().position(|device| device.address() == address)
    }

    /// Starts a session from a bundle of the service where one is missing.
    fn supply(&mut self, from: usize, to: DeviceAddress) {
        let device = self.devices[from].clone();
        let now = device.inner.env.now_seconds();
        let load = || device.inner.store.read(|db| sessions::load(db, device.address(), to));
        if !load().unwrap().needs_initiation(now) {
            return;
        }
        let account = device.verified_account(to.user_address()).unwrap().unwrap();
        let Some(certificate) = account.device(to.device) else { return };
        let bundle = self.shelves.get_mut(&to).unwrap().take(certificate);
        let own = device.own_account().unwrap();
        let local = LocalDevice::new(&device.inner.keys, &own).unwrap();
        let remote = RemoteDevice::new(&account, to.device).unwrap();
        let mut record = load().unwrap();
        initiate(&mut record, &local, &remote, &bundle, &mut device.inner.env.rng(), now).unwrap();
        device.inner.store.write(|tx| sessions::save(tx, &record)).unwrap();
    }

    /// Sends a text to all other devices of both users.
    pub(super) async fn send(&mut self, from: usize, text: &str) -> MessageId {
        let message = MessageId(self.devices[from].inner.env.time_ordered_id());
        self.send_as(from, text, message).await;
        message
    }

    /// Sends a text as the message of an id, once more where it was sent before.
    pub(super) async fn send_as(&mut self, from: usize, text: &str, message: MessageId) {
        let device = self.devices[from].clone();
        let peer = user(if device.user() == user(ANN) { BOB } else { ANN });
        let peer = device.verified_account(peer).unwrap().unwrap();
        let own = device.own_account().unwrap();
        for certificate in peer.devices().iter().chain(own.devices()) {
            if certificate.address() != device.address() {
                self.supply(from, certificate.address());
            }
        }
        let lamport = device.inner.store.write(|tx| chats::next_lamport(tx, CHAT)).unwrap();
        let content = Content {
            chat_id: CHAT.0.as_bytes().to_vec().into(),
            message_id: message.0.as_bytes().to_vec().into(),
            lamport,
            write_time: Some(wire::timestamp(device.inner.env.now_micros())),
            body: Some(Body::Text(Text { body: text.to_owned(), ..Text::default() })),
        }
        .encode_to_vec();
        let unsealed = Unsealed {
            message,
            route: Route::Chat(CHAT),
            content: &content,
            keeping: Keeping::Stored,
        };
        let sealed = device.seal(&own, &peer, unsealed).await.unwrap();
        for envelope in sealed.peer_envelopes.into_iter().chain(sealed.own_envelopes) {
            let to = crate::id::parse("device", &envelope.device_id).unwrap();
            let index = self.devices.iter().position(|d| d.address().device == to).unwrap();
            let chat = CHAT.to_string();
            let labelled = self.label(from, chat, message, envelope.ciphertext.to_vec());
            self.queues[index].push(labelled);
        }
    }

    pub(super) fn label(
        &self,
        from: usize,
        chat_id: String,
        message: MessageId,
        ciphertext: Vec<u8>,
    ) -> Envelope {
        Envelope {
            envelope_id: crate::id::format("env", Env::system().random_id()),
            chat_id,
            message_id: message.to_string(),
            sender: Some(wire::device(self.devices[from].address())),
            ciphertext: ciphertext.into(),
            accept_time: None,
            franking_tag: bytes::Bytes::new(),
            envelope_class: EnvelopeClass::Message.into(),
        }
    }

    /// Takes the control messages that are due off a device and queues them; returns how many.
    pub(super) async fn deliver_controls(&mut self, from: usize) -> usize {
        let device = self.devices[from].clone();
        let now = device.inner.env.now_seconds();
        let mut sent = 0;
        while let Some((position, control)) =
            device.inner.store.read(|db| control::next_due(db, 0, now)).unwrap()
        {
            if let Load::Content { leaving, .. } = &control.load {
                if let Some(request) = leaving {
                    device.inner.store.write(|tx| device.leave_in_time(tx, request)).unwrap();
                }
                self.supply(from, control.device);
            }
            let prepared = device.prepare(&control).await.unwrap();
            device.inner.store.write(|tx| control::delete(tx, position)).unwrap();
            let (Some(ciphertext), Some(to)) = (prepared, self.place(control.device)) else {
                continue;
            };
            let chat = control.chat.map(|chat| chat.to_string()).unwrap_or_default();
            let mut envelope = self.label(from, chat, control.message, ciphertext);
            envelope.envelope_class = EnvelopeClass::Control.into();
            self.queues[to].push(envelope);
            sent += 1;
        }
        self.controls += sent;
        sent
    }

    /// Hands a device the first envelope of its queue.
    pub(super) async fn receive_one(&mut self, to: usize) -> Option<Vec<Event>> {
        if self.queues[to].is_empty() {
            return None;
        }
        let envelope = self.queues[to].remove(0);
        Some(self.devices[to].open_envelope(&envelope).await.unwrap())
    }

    /// Delivers everything until nothing is under way; returns what happened on each device.
    pub(super) async fn settle_down(&mut self) -> Vec<Vec<Event>> {
        let mut events: Vec<Vec<Event>> = self.devices.iter().map(|_| Vec::new()).collect();
        loop {
            let mut moved = false;
            for (index, happened) in events.iter_mut().enumerate() {
                while let Some(more) = self.receive_one(index).await {
                    happened.extend(more);
                    moved = true;
                }
                moved |= self.deliver_controls(index).await > 0;
            }
            if !moved {
                return events;
            }
        }
    }

    /// The device forgets the sessions with another one.
    pub(super) fn wipe_session(&self, of: usize, with: usize) {
        let other = self.devices[with].address().to_bytes();
        self.devices[of]
            .inner
            .store
            .write(|tx| {
                tx.execute("DELETE FROM session WHERE device = ?1", [&other[..]])?;
                Ok::<_, crate::StoreError>(())
            })
            .unwrap();
    }

    /// A copy of a device's memory.
    pub(super) fn snapshot(&mut self, of: usize) -> PathBuf {
        self.copies += 1;
        let copy = self.folder.path().join(format!("copy-{}.sqlite", self.copies));
        let path = copy.to_str().unwrap();
        self.devices[of]
            .inner
            .store
            .read(|db| db.execute("VACUUM INTO ?1", [path]).map(drop))
            .unwrap();
        copy
    }

    /// The device goes on from a copy of its memory, byte for byte.
    pub(super) fn restore(&mut self, index: usize, snapshot: &Path) {
        self.copies += 1;
        let path = self.folder.path().join(format!("copy-{}.sqlite", self.copies));
        std::fs::copy(snapshot, &path).unwrap();
        let before = &self.devices[index].inner;
        let (env, keys) = (before.env.clone(), before.keys.clone());
        self.devices[index] = open(Store::open(&path).unwrap(), env, keys);
    }

    /// All clocks move.
    pub(super) fn move_clocks(&self, seconds: i64) {
        for device in &self.devices {
            device.inner.env.move_clock(seconds * 1_000_000);
        }
    }

    /// The texts that a device shows, in order.
    pub(super) fn shown(&self, index: usize) -> Vec<String> {
        self.devices[index].history(CHAT).unwrap().into_iter().map(|message| message.text).collect()
    }

    /// Tells whether an envelope holds a retry request.
    pub(super) fn is_request(envelope: &Envelope) -> bool {
        is_retry_request(&envelope.ciphertext)
    }
}
