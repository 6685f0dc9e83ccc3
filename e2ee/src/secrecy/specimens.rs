//! One value, or more, of every type that holds a secret and prints itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_identity::encoding::{Reader, labelled_hash};
use plasma_identity::{
    Capabilities, CertificateHash, DeviceAddress, DeviceCertificate, Fingerprint, PrekeyRole,
    PrekeyStatement, SignedPrekey, UserAddress, VerifiedAccount, verify_chain,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Specimen;
use crate::agreement::AgreementKey;
use crate::device_keys::DeviceKeys;
use crate::disclosure::Disclosure;
use crate::exchange::{Decrypted, HandshakeKeys};
use crate::handshake::Agreed;
use crate::header::SessionId;
use crate::kdf;
use crate::linking::{Grant, LinkingApprover, LinkingDevice};
use crate::participant::LocalDevice;
use crate::prekey::{PrekeyBatch, PrivatePrekey};
use crate::recovery::RecoveryKey;
use crate::root_key::RootKey;
use crate::secret::Secret;
use crate::session::SessionRecord;
use crate::state::{StateType, VERSION};
use crate::wycheproof::Drawn;

const NOW: u64 = 1_800_000_000;
const CONTENT: &[u8] = b"meet-me-at-nine";

/// A secret that is easily told apart from others and from every public value.
pub(crate) fn secret<const N: usize>(number: u8) -> [u8; N] {
    core::array::from_fn(|index| {
        let byte = u8::try_from(index).unwrap();
        byte.wrapping_mul(151).wrapping_add(number.wrapping_mul(57)).rotate_left(3) ^ 0x5a
    })
}

/// An agreement key whose private half is `secret(number)`.
pub(crate) fn agreement_key(number: u8) -> AgreementKey {
    AgreementKey::read(&mut Reader::new(&secret::<32>(number))).unwrap()
}

fn user() -> UserAddress {
    UserAddress { tenant: Uuid::from_u128(10), user: Uuid::from_u128(20) }
}

fn address(device: u128) -> DeviceAddress {
    user().device(Uuid::from_u128(device))
}

fn stored(kind: StateType, parts: &[&[u8]]) -> Vec<u8> {
    [&[kind as u8, VERSION], &parts.concat()[..]].concat()
}

fn root_key() -> RootKey {
    RootKey::from_bytes(&stored(StateType::RootKey, &[&secret::<32>(1)])).unwrap()
}

fn device_keys() -> DeviceKeys {
    let parts: [&[u8]; 3] = [&address(30).to_bytes(), &secret::<32>(2), &secret::<32>(3)];
    DeviceKeys::from_bytes(&stored(StateType::DeviceKeys, &parts)).unwrap()
}

fn account(root: &RootKey, keys: &DeviceKeys) -> VerifiedAccount {
    let request = keys.certificate_request(root.fingerprint(user()), Capabilities::V1);
    let devices: [DeviceCertificate; 1] = [root.certify(&request, NOW).unwrap()];
    let manifest = root.start_generation(user(), &devices, None, NOW).unwrap();
    verify_chain(user(), None, root.public(), &[manifest], &devices, NOW).unwrap()
}

fn ec_prekey(role: PrekeyRole, number: u8) -> PrivatePrekey {
    let key = agreement_key(number).public().to_bytes().to_vec();
    prekey(role, key, &secret::<32>(number))
}

fn kem_prekey(role: PrekeyRole, number: u8) -> PrivatePrekey {
    use ml_kem::kem::KeyExport;
    use ml_kem::ml_kem_768::DecapsulationKey;

    let seed = secret::<64>(number);
    let key = DecapsulationKey::from_seed(seed.into()).encapsulation_key().to_bytes().to_vec();
    prekey(role, key, &seed)
}

fn prekey(role: PrekeyRole, key: Vec<u8>, private: &[u8]) -> PrivatePrekey {
    let expires = if role.is_one_time() { 0 } else { NOW };
    let statement = PrekeyStatement { role, address: address(30), id: 5, expires, key };
    let public = SignedPrekey::sign(statement, &device_keys()).unwrap().to_bytes();
    let length = u32::try_from(public.len()).unwrap().to_be_bytes();
    let bytes = stored(StateType::PrivatePrekey, &[&length, &public, private]);
    PrivatePrekey::from_bytes(&bytes).unwrap()
}

/// A record with an active session that waits for a reply, and an archived one.
fn record() -> SessionRecord {
    let ratchet = crate::ratchet::specimens::stored_ratchet();
    let session = |id: u8, pending: &[u8]| {
        [&[id; 16][..], &NOW.to_be_bytes(), &[6; 32], pending, &ratchet].concat()
    };
    let pending = [&[1, 0, 0, 0, 3, 7, 7, 7][..], &secret::<64>(11)].concat();
    let parts: [&[u8]; 5] = [
        &address(30).to_bytes(),
        &address(31).to_bytes(),
        &[1, 1],
        &session(8, &pending),
        &session(9, &[0]),
    ];
    let mut bytes = stored(StateType::SessionRecord, &parts);
    // Records have a version of their own.
    bytes[1] = SessionRecord::new(address(30), address(31)).to_bytes()[1];
    SessionRecord::from_bytes(&bytes).unwrap()
}

fn recovery_key() -> RecoveryKey {
    let text = URL_SAFE_NO_PAD.encode(secret::<16>(12));
    RecoveryKey::from_qr_text(&format!("plasma-recovery:1:{text}")).unwrap()
}

/// Both sides of a linking, with what was drawn for them and what both derive from it.
fn linking() -> Vec<Specimen> {
    let linking_id = Uuid::from_u128(40);
    let drawn = [secret::<32>(13), secret::<32>(14)].concat();
    let mut device = LinkingDevice::start(linking_id, user(), &mut Drawn(&drawn));
    let account = Fingerprint::from_bytes([3; 32]);
    let text = device.qr_text();
    let (approver, hello) =
        LinkingApprover::scan(&text, user(), account, &mut Drawn(&secret::<32>(15))).unwrap();
    let before = Specimen::new("LinkingDevice", &device, &[&drawn]);
    let channel = device.receive_hello(&hello).unwrap();

    let [ours, theirs] = [agreement_key(14), agreement_key(15)];
    let both = [*user().tenant.as_bytes(), *user().user.as_bytes()].concat();
    let parts: [&[u8]; 4] =
        [linking_id.as_bytes(), &both, ours.public().as_bytes(), theirs.public().as_bytes()];
    let transcript = labelled_hash("Plasma/v1/linking-transcript", &parts);
    let agreement = ours.agree(theirs.public());
    let label = "Plasma/v1/linking-keys";
    let keys = kdf::derive::<72>(&secret::<32>(13), agreement.expose(), label, &transcript);
    let secrets: [&[u8]; 4] = [&drawn, &secret::<32>(15), agreement.expose(), keys.as_slice()];
    let granted = Grant::Approved(Zeroizing::new(CONTENT.to_vec()));
    vec![
        before,
        Specimen::new("LinkingApprover", &approver, &secrets),
        Specimen::new("DeviceChannel", &channel, &secrets),
        Specimen::new("Grant", &granted, &[CONTENT]),
    ]
}

/// Prints everything.
pub(crate) fn all() -> Vec<Specimen> {
    let (root, keys) = (root_key(), device_keys());
    let account = account(&root, &keys);
    let [signed, one_time] =
        [ec_prekey(PrekeyRole::SignedEc, 4), ec_prekey(PrekeyRole::OneTimeEc, 5)];
    let [last_resort, kem] =
        [kem_prekey(PrekeyRole::LastResortKem, 6), kem_prekey(PrekeyRole::OneTimeKem, 7)];
    let device: [&[u8]; 2] = [&secret::<32>(2), &secret::<32>(3)];
    let prekeys: [&[u8]; 4] =
        [&secret::<32>(4), &secret::<32>(5), &secret::<64>(6), &secret::<64>(7)];
    let handshake = HandshakeKeys {
        signed: Some(signed.clone()),
        kem: Some(kem.clone()),
        one_time: Some(one_time.clone()),
        initiation_seen: false,
    };
    let agreed = Agreed {
        root: Secret::new(secret(8)),
        transcript: [1; 32],
        session_id: SessionId([2; 16]),
    };
    let disclosure = Disclosure {
        message_key: Secret::new(secret(9)),
        sender_certificate: CertificateHash([1; 32]),
        recipient_certificate: CertificateHash([2; 32]),
    };
    let decrypted = Decrypted {
        content: Zeroizing::new(CONTENT.to_vec()),
        sender: address(31),
        session_id: SessionId([2; 16]),
        sender_removed: false,
        recipient_view_stale: false,
        consumed: vec![(PrekeyRole::OneTimeEc, 5)],
        replay_marker: None,
        disclosure: disclosure.clone(),
    };
    let mut all = vec![
        Specimen::new("Secret", &Secret::new(secret(8)), &[&secret::<32>(8)]),
        Specimen::new("AgreementKey", &agreement_key(3), &[&secret::<32>(3)]),
        Specimen::new("RootKey", &root, &[&secret::<32>(1)]),
        Specimen::new("DeviceKeys", &keys, &device),
        Specimen::new("LocalDevice", &LocalDevice::new(&keys, &account).unwrap(), &device),
        Specimen::new("PrivatePrekey, EC", &signed, &prekeys[..1]),
        Specimen::new("PrivatePrekey, KEM", &kem, &prekeys[3..]),
        Specimen::new("HandshakeKeys", &handshake, &prekeys),
        Specimen::new("Agreed", &agreed, &[&secret::<32>(8)]),
        Specimen::new("Disclosure", &disclosure, &[&secret::<32>(9)]),
        Specimen::new("Decrypted", &decrypted, &[CONTENT, &secret::<32>(9)]),
        Specimen::new("RecoveryKey", &recovery_key(), &[&secret::<16>(12)]),
    ];
    let batch = PrekeyBatch {
        signed_ec: signed,
        last_resort_kem: last_resort,
        one_time_ec: vec![one_time],
        one_time_kem: vec![kem],
    };
    all.push(Specimen::new("PrekeyBatch", &batch, &prekeys));
    all.extend(linking());
    let mut secrets = crate::ratchet::specimens::secrets();
    all.extend(crate::ratchet::specimens::all());
    secrets.push(secret::<64>(11).to_vec());
    let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
    all.push(Specimen::new("SessionRecord", &record(), &secrets));
    all
}
