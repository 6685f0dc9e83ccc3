//! Devices without a service, for tests: each knows the other's account, and the first has started
//! a session from the other's own keys.

use std::sync::LazyLock;
use std::time::Duration;

use plasma_e2ee::{LocalDevice, PrekeyBundle, PrivatePrekey, RemoteDevice, RootKey, initiate};
use plasma_identity::{Capabilities, PrekeyRole, UserAddress, verify_chain};
use plasma_proto::messaging::v1::Envelope;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::connection::{Connection, Endpoint};
use crate::device::Device;
use crate::device::sealing::{Keeping, Unsealed};
use crate::id::{ChatId, MessageId};
use crate::message::Direction;
use crate::store::accounts::{self, KnownAccount};
use crate::store::chats::{self, KnownChat};
use crate::store::outbox::Route;
use crate::store::{Store, own_device, prekeys, sessions};
use crate::{Env, wire};

pub(crate) const CHAT: ChatId = ChatId(Uuid::from_u128(0xc4a7));

/// A connection to no service, at once out of reach.
pub(crate) fn nowhere() -> Connection {
    // A channel wants a runtime, also in a test that has none of its own.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    let _inside = RUNTIME.enter();
    let endpoint = Endpoint::new("http://127.0.0.1:1").patience(Duration::ZERO);
    Connection::new(&endpoint).unwrap()
}

/// A registered device of a user, in a store of its own.
pub(crate) fn device(user: u128, store: Store) -> Device {
    device_of(user, Env::system().random_id(), store)
}

/// A registered device of an id of the test's choice.
pub(crate) fn device_of(user: u128, device: Uuid, store: Store) -> Device {
    let env = Env::system();
    let user = UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(user) };
    let now = env.now_seconds();
    let root = RootKey::generate(&mut env.rng());
    let keys = plasma_e2ee::DeviceKeys::generate(user.device(device), &mut env.rng());
    let request = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
    let certificate = root.certify(&request, now).unwrap();
    let manifest = root.start_generation(user, &[certificate], None, now).unwrap();
    let account =
        verify_chain(user, None, root.public(), &[manifest], &[certificate], now).unwrap();
    store
        .write(|tx| {
            own_device::insert(tx, &keys, Some(&root))?;
            own_device::mark_registered(tx)?;
            for role in [PrekeyRole::SignedEc, PrekeyRole::OneTimeEc, PrekeyRole::OneTimeKem] {
                let id = prekeys::reserve_ids(tx, role, 1)?;
                let key = PrivatePrekey::generate(&keys, role, id, now, &mut env.rng());
                prekeys::insert(tx, &key, now)?;
            }
            accounts::save(tx, &KnownAccount { account, verified: None, changed_from: None })
        })
        .unwrap();
    Device::assemble(env, nowhere(), store, keys)
}

/// A further device of `first`'s user, which `first` has certified.
pub(crate) fn second(first: &Device, store: Store) -> Device {
    let env = first.inner.env.clone();
    let own = first.own_account().unwrap();
    let keys =
        plasma_e2ee::DeviceKeys::generate(first.user().device(env.random_id()), &mut env.rng());
    let request = keys.certificate_request(own.fingerprint(), Capabilities::V1);
    let now = env.now_seconds();
    let (certificate, manifest) = first.inner.keys.approve(&own, &request, true, now).unwrap();
    let mut account = own;
    account.advance(&[manifest], &[certificate], now).unwrap();
    let verified = Some(account.fingerprint());
    let known = KnownAccount { account, verified, changed_from: None };
    for store in [&first.inner.store, &store] {
        store.write(|tx| accounts::save(tx, &known)).unwrap();
    }
    store
        .write(|tx| {
            own_device::insert(tx, &keys, None)?;
            own_device::mark_registered(tx)
        })
        .unwrap();
    Device::assemble(env, nowhere(), store, keys)
}

/// Makes two devices of two users acquainted, with a chat.
pub(crate) fn acquaint(one: &Device, other: &Device) {
    for (viewer, seen) in [(one, other), (other, one)] {
        let account = seen.own_account().unwrap();
        let known = KnownAccount { account, verified: None, changed_from: None };
        let chat = KnownChat { id: CHAT, peer: seen.user(), host_tenant: Uuid::from_u128(1) };
        viewer
            .inner
            .store
            .write(|tx| {
                accounts::save(tx, &known)?;
                chats::insert(tx, chat)
            })
            .unwrap();
    }
    let (own, peer) = (one.own_account().unwrap(), other.own_account().unwrap());
    let load = |role| other.inner.store.read(|db| prekeys::load(db, role, 1)).unwrap().unwrap();
    let public = |role| load(role).public().clone();
    let bundle = PrekeyBundle {
        certificate: *peer.device(other.address().device).unwrap(),
        signed: public(PrekeyRole::SignedEc),
        kem: public(PrekeyRole::OneTimeKem),
        one_time: Some(public(PrekeyRole::OneTimeEc)),
    };
    let env = Env::system();
    let local = LocalDevice::new(&one.inner.keys, &own).unwrap();
    let remote = RemoteDevice::new(&peer, other.address().device).unwrap();
    one.inner
        .store
        .write(|tx| {
            let mut record = sessions::load(tx, local.address(), remote.address())?;
            initiate(&mut record, &local, &remote, &bundle, &mut env.rng(), env.now_seconds())
                .unwrap();
            sessions::save(tx, &record)
        })
        .unwrap();
}

/// Seals a text as `sender` would send it, for a chat of the test's choice.
pub(crate) async fn envelope(
    sender: &Device,
    recipient: &Device,
    chat: ChatId,
    text: &str,
) -> Envelope {
    let message = MessageId(sender.inner.env.time_ordered_id());
    envelope_of(sender, recipient, chat, message, 1, text).await
}

/// Seals a text as the message of an id and a counter of the test's choice.
pub(crate) async fn envelope_of(
    sender: &Device,
    recipient: &Device,
    chat: ChatId,
    message: MessageId,
    lamport: u64,
    text: &str,
) -> Envelope {
    use plasma_proto::content::v1::{Content, Text, content::Body};
    use prost::Message as _;
    let content = Content {
        chat_id: chat.0.as_bytes().to_vec().into(),
        message_id: message.0.as_bytes().to_vec().into(),
        lamport,
        write_time: Some(wire::timestamp(sender.inner.env.now_micros())),
        body: Some(Body::Text(Text { body: text.to_owned(), ..Text::default() })),
    };
    let own = sender.own_account().unwrap();
    let peer = recipient.own_account().unwrap();
    let sealed = sender
        .seal(
            &own,
            &peer,
            Unsealed {
                message,
                route: Route::Chat(chat),
                content: &content.encode_to_vec(),
                keeping: Keeping::Stored,
            },
        )
        .await
        .unwrap();
    Envelope {
        envelope_id: crate::id::format("env", sender.inner.env.random_id()),
        chat_id: chat.to_string(),
        message_id: message.to_string(),
        sender: Some(wire::device(sender.address())),
        ciphertext: sealed.peer_envelopes[0].ciphertext.clone(),
        accept_time: None,
        franking_tag: bytes::Bytes::new(),
        envelope_class: sealed.envelope_class,
    }
}

/// The texts that a device shows in the chat.
pub(crate) fn shown(device: &Device) -> Vec<String> {
    let incoming = |message: &crate::Message| message.direction == Direction::Incoming;
    device.history(CHAT).unwrap().into_iter().filter(incoming).map(|message| message.text).collect()
}
