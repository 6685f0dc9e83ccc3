//! The recovery key, its kit, and the generation that it begins.

use plasma_e2ee::{ApproveError, DeviceKeys, RecoveryError, RecoveryKey, RootKey};
use plasma_identity::{
    Capabilities, CertificateRequest, ChainError, MANIFEST_LIFETIME_SECONDS, Manifest,
    ManifestStatement, RecoveryKit, RecoveryKitError, RecoveryKitHeader, verify_chain,
    verify_chain_to_recover, verify_successor,
};
use uuid::Uuid;

use crate::specification::{hkdf, input};
use crate::structures::seal;
use crate::world::{DAY, Device, NOW, rng, user};

const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon about";
const SEVENS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";

#[test]
fn twelve_words_are_those_of_bip_39_and_are_read_back() {
    for (code, words) in [
        ("plasma-recovery:1:AAAAAAAAAAAAAAAAAAAAAA", ZEROS),
        ("plasma-recovery:1:f39_f39_f39_f39_f39_fw", SEVENS),
    ] {
        let key = RecoveryKey::from_qr_text(code).unwrap();
        assert_eq!(*key.words(), words);
        assert_eq!(*RecoveryKey::from_words(words).unwrap().qr_text(), code);
    }
    for seed in 0..50 {
        let key = RecoveryKey::generate(&mut rng(seed));
        let words = key.words();
        assert_eq!(words.split(' ').count(), 12);
        assert_eq!(RecoveryKey::from_words(&words).unwrap().qr_text(), key.qr_text());
    }
}

#[test]
fn words_are_read_in_any_case_and_with_any_white_space() {
    let loud = SEVENS.to_uppercase();
    let spread = format!("\n\t {} \u{a0}\r\n", SEVENS.replace(' ', " \u{3000}\n"));
    // Full-width letters, as an input method may write them; NFKD makes them plain.
    let wide: String = SEVENS
        .chars()
        .map(|c| if c == ' ' { c } else { char::from_u32(u32::from(c) + 0xfee0).unwrap() })
        .collect();
    for text in [&loud, &spread, &wide, &wide.to_uppercase()] {
        assert_eq!(*RecoveryKey::from_words(text).unwrap().words(), SEVENS, "{text}");
    }
}

#[test]
fn wrong_words_are_named_by_their_position() {
    let read = |text: &str| RecoveryKey::from_words(text).unwrap_err();
    assert_eq!(read(""), RecoveryError::WordCount(0));
    assert_eq!(read("legal winner"), RecoveryError::WordCount(2));
    assert_eq!(read(&format!("{SEVENS} legal")), RecoveryError::WordCount(13));
    // Longer keys that BIP-39 knows are not recovery keys.
    let long = format!("{} art", "abandon ".repeat(23).trim());
    assert_eq!(read(&long), RecoveryError::WordCount(24));
    assert_eq!(read(&SEVENS.replacen("legal", "leegal", 1)), RecoveryError::UnknownWord(1));
    assert_eq!(read(&SEVENS.replace("yellow", "yelow")), RecoveryError::UnknownWord(12));
    assert_eq!(read(&SEVENS.replace("yellow", "year")), RecoveryError::Checksum);
    let message = read(&SEVENS.replace("sausage", "sausages")).to_string();
    assert_eq!(message, "word 6 is not on the list");
    for bad in [
        "",
        "plasma-recovery:1:",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "plasma-recovery:2:AAAAAAAAAAAAAAAAAAAAAA",
        "plasma-recovery:1:AAAAAAAAAAAAAAAAAAAAA",
        "plasma-recovery:1:AAAAAAAAAAAAAAAAAAAAAB",
        "plasma-recovery:1:AAAAAAAAAAAAAAAAAAAAAAA",
        "plasma-recovery:1:AAAAAAAAAAAAAAAAAAAAAA==",
    ] {
        let error = RecoveryKey::from_qr_text(bad).unwrap_err();
        assert_eq!(error, RecoveryError::NotARecoveryCode, "{bad}");
    }
}

#[test]
fn a_kit_gives_the_root_back_to_its_key_only() {
    let alice = Device::founder(1, 0);
    let key = RecoveryKey::generate(&mut rng(3));
    let kit = key.seal(&alice.root, user(1), &mut rng(4));
    kit.verify(&alice.root.public(), user(1)).unwrap();
    let kit = RecoveryKit::from_bytes(&kit.to_bytes()).unwrap();
    assert_eq!(*key.open(&kit).unwrap().to_bytes(), *alice.root.to_bytes());
    let written = RecoveryKey::from_words(&key.words()).unwrap();
    assert_eq!(written.open(&kit).unwrap().public(), alice.root.public());
    let other = RecoveryKey::generate(&mut rng(5));
    assert_eq!(other.open(&kit).unwrap_err(), RecoveryError::WrongKey);
    let again = key.seal(&alice.root, user(1), &mut rng(6));
    assert_ne!(again.ciphertext(), kit.ciphertext());
}

#[test]
fn every_changed_byte_of_a_kit_is_refused_by_the_service_and_by_its_key() {
    let alice = Device::founder(1, 0);
    let key = RecoveryKey::generate(&mut rng(3));
    let bytes = key.seal(&alice.root, user(1), &mut rng(4)).to_bytes();
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1 << (position % 8);
        let Ok(kit) = RecoveryKit::from_bytes(&changed) else { continue };
        assert!(kit.verify(&alice.root.public(), user(1)).is_err(), "byte {position}");
        assert!(key.open(&kit).is_err(), "byte {position}");
    }
}

#[test]
fn a_kit_that_holds_another_root_than_it_names_is_refused() {
    let (alice, mallory) = (Device::founder(1, 0), RootKey::generate(&mut rng(66)));
    let account = alice.account.fingerprint();
    let header = RecoveryKitHeader { user: user(1), account, salt: [9; 16] };
    // The key is known: sixteen zeros.
    let key = RecoveryKey::from_words(ZEROS).unwrap();
    let derived = hkdf(&[9; 16], &[0; 16], "Plasma/v1/recovery-key", account.as_bytes(), 44);
    let clear = RecoveryKit::sign(header, [0; 48], &mallory).to_bytes();
    let associated_data = input("Plasma/v1/recovery-kit-contents", &[&clear[..82]]);
    assert_eq!(associated_data, header.associated_data());
    let forge = |scalar: &[u8]| {
        let sealed = seal(&derived[..32], &derived[32..], &associated_data, scalar);
        RecoveryKit::sign(header, sealed.try_into().unwrap(), &mallory)
    };
    let kit = forge(&mallory.to_bytes()[2..]);
    let error = key.open(&kit).unwrap_err();
    assert_eq!(error, RecoveryError::Kit(RecoveryKitError::WrongRoot));
    assert_eq!(key.open(&forge(&[0; 32])).unwrap_err(), RecoveryError::WrongKey);
    // The right root, but somebody else's signature.
    let error = key.open(&forge(&alice.root.to_bytes()[2..])).unwrap_err();
    assert_eq!(error, RecoveryError::Kit(RecoveryKitError::BadSignature));
}

fn request(device: &Device, number: u64) -> CertificateRequest {
    let address = device.account.user_address().device(Uuid::from_u128(number.into()));
    let keys = DeviceKeys::generate(address, &mut rng(number));
    keys.certificate_request(device.account.fingerprint(), Capabilities::V1)
}

#[test]
fn the_root_begins_the_next_generation_with_who_is_kept() {
    let mut phone = Device::founder(1, 0);
    let tablet = Device::linked(&mut phone, 2, 0);
    let (account, root) = (&phone.account, &phone.root);
    let kept = tablet.address().device;
    let new = request(&phone, 30);
    let (certificate, manifest) = root.recover(account, &[kept], Some(&new), NOW).unwrap();
    let certificate = certificate.unwrap();
    let own = account.devices();
    let offered = [certificate];
    verify_successor(account.root(), account.manifest(), own, &[], &manifest, &offered, NOW)
        .unwrap();
    let mut peer = account.clone();
    peer.advance(&[manifest], &offered, NOW).unwrap();
    assert_eq!((peer.generation(), peer.epoch()), (1, account.epoch() + 1));
    assert!(peer.device(kept).is_some() && peer.device(phone.address().device).is_none());
    assert!(peer.device(Uuid::from_u128(30)).unwrap().may_approve());

    // Without a new device, an approver must be among those kept.
    let approver = phone.address().device;
    let (none, manifest) = root.recover(account, &[approver], None, NOW).unwrap();
    assert!(none.is_none());
    account.clone().advance(&[manifest], &[], NOW).unwrap();
    let refused = |keep: &[Uuid], new: Option<&CertificateRequest>| {
        root.recover(account, keep, new, NOW).unwrap_err()
    };
    assert_eq!(refused(&[kept], None), ApproveError::Chain(ChainError::NoApprover));
    assert_eq!(refused(&[], None), ApproveError::DeviceCount);
    assert_eq!(refused(&[Uuid::from_u128(99)], None), ApproveError::UnknownDevice);
    let stranger = request(&Device::founder(2, 0), 30);
    assert_eq!(refused(&[], Some(&stranger)), ApproveError::WrongAccount);
    // A device id that was seen with other keys.
    let impostor = request(&phone, 2);
    let refused = refused(&[approver], Some(&impostor));
    assert_eq!(refused, ApproveError::Chain(ChainError::KeysChanged));
    let other = RootKey::generate(&mut rng(66));
    let refused = other.recover(account, &[], Some(&new), NOW).unwrap_err();
    assert_eq!(refused, ApproveError::WrongAccount);
}

#[test]
fn an_account_whose_manifest_has_expired_is_recovered() {
    let phone = Device::founder(1, 0);
    let later = NOW + MANIFEST_LIFETIME_SECONDS + DAY;
    let manifests = [phone.account.manifest().clone()];
    let (root, certificates) = (*phone.account.root(), phone.account.devices());
    let expired = verify_chain(user(1), None, root, &manifests, certificates, later);
    assert_eq!(expired.unwrap_err(), ChainError::Expired);
    let account = verify_chain_to_recover(user(1), root, &manifests, certificates).unwrap();
    let new = request(&phone, 30);
    let (certificate, manifest) = phone.root.recover(&account, &[], Some(&new), later).unwrap();
    let mut peer = phone.account.clone();
    peer.advance(&[manifest], &[certificate.unwrap()], later).unwrap();
    assert_eq!(peer.devices().len(), 1);
    let none = verify_chain_to_recover(user(1), root, &[], &[]);
    assert_eq!(none.unwrap_err(), ChainError::Empty);
    let foreign = verify_chain_to_recover(user(2), root, &manifests, certificates);
    assert_eq!(foreign.unwrap_err(), ChainError::WrongUser);
}

#[test]
fn debug_output_of_a_recovery_key_is_silent() {
    let key = RecoveryKey::generate(&mut rng(3));
    assert_eq!(format!("{key:?}"), "RecoveryKey(..)");
    let error = RecoveryKey::from_words(&SEVENS.replace("yellow", "zzzz")).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("zzzz"));
}

#[test]
fn a_manifest_that_a_thief_has_backdated_does_not_bar_the_recovery() {
    let phone = Device::founder(1, 0);
    let later = NOW + 10 * DAY;
    let (laptop, second) =
        phone.keys.approve(&phone.account, &request(&phone, 30), true, later).unwrap();
    let backdated = ManifestStatement {
        epoch: second.statement().epoch + 1,
        previous: second.hash(),
        issued: NOW - 15 * DAY,
        expires: NOW - 15 * DAY + MANIFEST_LIFETIME_SECONDS,
        ..second.statement().clone()
    };
    let third = Manifest::sign(backdated, &phone.keys).unwrap();
    let manifests = [phone.account.manifest().clone(), second, third];
    let mut certificates = phone.account.devices().to_vec();
    certificates.push(laptop);
    let root = *phone.account.root();
    // The service has taken it on the day.
    verify_chain(user(1), None, root, &manifests, &certificates, later).unwrap();
    verify_chain_to_recover(user(1), root, &manifests, &certificates).unwrap();
}
