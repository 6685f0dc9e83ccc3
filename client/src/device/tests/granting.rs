//! What an approver hands on.

use plasma_e2ee::MAX_GRANT_LENGTH;
use plasma_identity::{Fingerprint, UserAddress};
use plasma_proto::content::v1::LinkingGrant;
use prost::Message as _;
use uuid::Uuid;

use crate::device::linking::grant;
use crate::error::Error;
use crate::id::ChatId;
use crate::store::chats::{self, KnownChat};
use crate::store::contacts::{self, ToldContact};
use crate::store::device_names::{self, NamedDevice};
use crate::store::{Store, StoreError};
use crate::testing::{CHAT, acquaint, device};

const OWN: UserAddress = UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(1) };

fn contact(number: u128, verified: bool) -> ToldContact {
    let user = UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(number) };
    let fingerprint = Fingerprint::from_bytes([u8::try_from(number % 251).unwrap(); 32]);
    ToldContact { user, fingerprint, verified, changed_from: None }
}

#[tokio::test]
async fn contacts_chats_and_names_arrive_as_the_approver_knows_them() {
    let ann = device(1, Store::in_memory().unwrap());
    let bob = device(2, Store::in_memory().unwrap());
    acquaint(&ann, &bob);
    let fingerprint = bob.own_account().unwrap().fingerprint();
    ann.verify_identity(bob.user(), fingerprint).unwrap();
    let named = NamedDevice { device: ann.address().device, name: "Phone".into(), set_micros: 5 };
    ann.inner
        .store
        .write(|tx| {
            device_names::set(tx, &named)?;
            chats::observe_lamport(tx, CHAT, 41)
        })
        .unwrap();
    let payload = ann.inner.store.read(|db| grant::write(db, ann.user())).unwrap();
    let granted = LinkingGrant::decode(&payload[..]).unwrap();
    let fresh = Store::in_memory().unwrap();
    fresh.write(|tx| grant::keep(tx, &granted, ann.user())).unwrap();

    let told = fresh.read(|db| contacts::load(db, bob.user())).unwrap().unwrap();
    let user = bob.user();
    assert_eq!(told, ToldContact { user, fingerprint, verified: true, changed_from: None });
    let chat = fresh.read(chats::list).unwrap().remove(0);
    assert_eq!((chat.known.id, chat.known.peer, chat.lamport), (CHAT, bob.user(), 41));
    assert_eq!(fresh.read(device_names::list).unwrap(), [named]);
    assert!(fresh.read(|db| contacts::load(db, ann.user())).unwrap().is_none());
}

#[tokio::test]
async fn what_does_not_fit_is_what_nobody_has_confirmed() {
    let store = Store::in_memory().unwrap();
    store
        .write(|tx| {
            for number in 2..2_000 {
                contacts::insert(tx, contact(number, number % 10 == 0))?;
            }
            let id = ChatId(Uuid::from_u128(7));
            let peer = contact(2, false).user;
            chats::insert(tx, KnownChat { id, peer, host_tenant: OWN.tenant })
        })
        .unwrap();
    let payload = store.read(|db| grant::write(db, OWN)).unwrap();
    assert!(payload.len() <= MAX_GRANT_LENGTH, "{}", payload.len());
    let granted = LinkingGrant::decode(&payload[..]).unwrap();
    let verified = granted.contacts.iter().filter(|contact| contact.verified).count();
    assert_eq!(verified, 199, "every confirmed contact");
    assert!(granted.contacts.len() > 600, "{}", granted.contacts.len());
}

#[tokio::test]
async fn a_grant_that_makes_no_sense_changes_nothing() {
    let store = Store::in_memory().unwrap();
    let mut granted = LinkingGrant::default();
    granted.contacts.push(plasma_proto::content::v1::KnownContact {
        user: vec![1; 32].into(),
        fingerprint: vec![2; 31].into(),
        ..Default::default()
    });
    let refused = store.write(|tx| grant::keep(tx, &granted, OWN));
    assert!(matches!(refused, Err(Error::Answer("grant.contacts"))), "{refused:?}");
    assert!(store.read(contacts::list).map_err(|error: StoreError| error).unwrap().is_empty());
}
