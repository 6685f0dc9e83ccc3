//! What is printed holds no secret, and what is stored is read back.

use crate::world::{Device, NOW, rng, user};
use plasma_e2ee::{
    DeviceKeys, LocalDevice, PrekeyBatch, PrekeyIds, PrivatePrekey, RootKey, SessionRecord,
};
use plasma_identity::{Capabilities, PrekeyRole, verify_chain};

#[test]
fn debug_output_names_public_things_only() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let envelope = alice.send(&mut bob, b"hello");
    let decrypted = bob.receive_from(alice.address(), &alice.account, &envelope).unwrap();
    assert!(!format!("{decrypted:?}").contains("104, 101, 108")); // "hel"
    let record = bob.record(alice.address());
    let (keys, root, stored) = (alice.keys.to_bytes(), alice.root.to_bytes(), record.to_bytes());
    // DSK and DHK, the root key, the session's root, the key of its receiving chain.
    let secrets = [&keys[50..114], &root[2..34], &stored[157..189], &stored[328..360]];
    let local = LocalDevice::new(&alice.keys, &alice.account).unwrap();
    let prekey = &alice.prekeys[&(PrekeyRole::LastResortKem, 8)];
    let loaded = bob.handshake_keys(&envelope);
    let printed = [
        format!("{:?}", alice.keys),
        format!("{:?}", alice.root),
        format!("{record:?}"),
        format!("{prekey:?}"),
        format!("{loaded:?}"),
        format!("{local:?}"),
    ]
    .join("\n");
    // Any four bytes in a row of a stored secret, in hexadecimal or as a list of numbers.
    for secret in secrets {
        for window in secret.windows(4) {
            for list in [format!("{window:?}"), format!("{window:02x?}")] {
                let numbers = &list[1..list.len() - 1];
                assert!(!printed.contains(numbers), "{numbers}");
            }
        }
    }
    insta::assert_snapshot!(format!("{:?}", alice.root), @"RootKey { public: RootPublicKey([87, 1d, 35, 0c]..), .. }");
    insta::assert_snapshot!(format!("{prekey:?}"), @"PrivatePrekey { role: LastResortKem, id: 8, .. }");
    assert_eq!(
        format!("{:?}", alice.keys),
        format!("DeviceKeys {{ address: {:?}, .. }}", alice.address()),
    );
}

#[test]
fn stored_keys_are_read_back_and_nothing_else_is() {
    let mut rng = rng(5);
    let root = RootKey::generate(&mut rng);
    let keys = DeviceKeys::generate(user(5).device(uuid::Uuid::from_u128(9)), &mut rng);
    let restored = RootKey::from_bytes(&root.to_bytes()).unwrap();
    assert_eq!(restored.public(), root.public());
    let restored = DeviceKeys::from_bytes(&keys.to_bytes()).unwrap();
    assert_eq!(restored.signing_key(), keys.signing_key());
    assert_eq!(restored.agreement_key(), keys.agreement_key());
    let prekey = PrivatePrekey::generate(&keys, PrekeyRole::OneTimeKem, 3, NOW, &mut rng);
    let bytes = prekey.to_bytes();
    assert_eq!(*PrivatePrekey::from_bytes(&bytes).unwrap().to_bytes(), *bytes);
    let mut wrong_half = bytes.to_vec();
    *wrong_half.last_mut().unwrap() ^= 1;
    // The last half of a seed is ML-KEM's rejection secret, the first one makes the public key.
    assert!(PrivatePrekey::from_bytes(&wrong_half).is_ok());
    let length = wrong_half.len();
    wrong_half[length - 64] ^= 1;
    assert!(PrivatePrekey::from_bytes(&wrong_half).is_err());
    for bytes in [root.to_bytes(), keys.to_bytes(), bytes] {
        assert!(RootKey::from_bytes(&bytes[1..]).is_err());
        assert!(DeviceKeys::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(PrivatePrekey::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn a_batch_holds_every_prekey_that_a_device_publishes() {
    let mut rng = rng(6);
    let root = RootKey::generate(&mut rng);
    let owner = user(6);
    let keys = DeviceKeys::generate(owner.device(uuid::Uuid::from_u128(9)), &mut rng);
    let request = keys.certificate_request(root.fingerprint(owner), Capabilities::V1);
    let certificate = root.certify(&request, NOW).unwrap();
    let manifest = root.start_generation(owner, &[certificate], None, NOW).unwrap();
    verify_chain(owner, None, root.public(), &[manifest], &[certificate], NOW).unwrap();
    let first = PrekeyIds { signed_ec: 1, last_resort_kem: 2, one_time_ec: 10, one_time_kem: 20 };
    let batch = PrekeyBatch::generate(&keys, first, NOW, &mut rng);
    assert_eq!(batch.iter().count(), 122);
    let mut seen = std::collections::HashSet::new();
    for prekey in batch.iter() {
        assert!(seen.insert((prekey.role(), prekey.id())));
        prekey.public().verify_at(&certificate, NOW).unwrap();
    }
    assert_eq!(batch.one_time_ec[99].id(), 109);
}

#[test]
fn a_damaged_record_is_refused_or_read_but_never_panics() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let late = alice.send(&mut bob, b"late");
    let envelope = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &envelope).unwrap();
    for record in [alice.record(bob.address()), bob.record(alice.address())] {
        let stored = record.to_bytes();
        for position in 0..stored.len() {
            assert!(SessionRecord::from_bytes(&stored[..position]).is_err());
            let mut damaged = stored.to_vec();
            damaged[position] ^= 0xff;
            if let Ok(record) = SessionRecord::from_bytes(&damaged) {
                assert_eq!(*record.to_bytes(), damaged);
            }
        }
        assert!(SessionRecord::from_bytes(&[&stored[..], &[0]].concat()).is_err());
    }
    bob.reload(alice.address());
    assert_eq!(bob.receive(&alice, &late).unwrap(), b"late");
}
