//! A second reading of the sections of `docs/PROTOCOL.md` on linking, recovery, safety numbers,
//! retry requests and disclosure, on bare primitives.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use plasma_e2ee::{Grant, LinkingApprover, LinkingDevice, RecoveryKey, RetryRequest};
use plasma_identity::{SafetyNumber, UserAddress};
use uuid::Uuid;

use crate::linking::Newcomer;
use crate::specification::{dh, hash, hkdf, input, lp, verify};
use crate::world::{Device, NOW, rng};

pub fn seal(key: &[u8], nonce: &[u8], associated_data: &[u8], body: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = nonce.try_into().unwrap();
    let payload = Payload { msg: body, aad: associated_data };
    Aes256Gcm::new_from_slice(key).unwrap().encrypt(&nonce.into(), payload).unwrap()
}

fn open(key: &[u8], nonce: &[u8], associated_data: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = nonce.try_into().unwrap();
    let payload = Payload { msg: ciphertext, aad: associated_data };
    Aes256Gcm::new_from_slice(key).unwrap().decrypt(&nonce.into(), payload).unwrap()
}

pub fn padded(content: &[u8]) -> Vec<u8> {
    let mut body = [content, &[0x80]].concat();
    body.resize(plasma_e2ee::padded_length(content.len()), 0);
    body
}

fn code(prefix: &str, text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix).unwrap()).unwrap()
}

/// One side of a linking, made by hand.
pub struct HandMade {
    pub linking_id: Uuid,
    pub key: SecretKey,
    pub secret: Vec<u8>,
    pub keys: Vec<u8>,
}

impl HandMade {
    pub fn new(seed: u64) -> Self {
        let key = SecretKey::generate_from_rng(&mut rng(seed));
        let (linking_id, secret) = (Uuid::from_u128(seed.into()), vec![7; 32]);
        Self { linking_id, key, secret, keys: Vec::new() }
    }

    pub fn point(&self) -> Vec<u8> {
        self.key.public_key().to_sec1_point(false).as_bytes().to_vec()
    }

    pub fn qr_text(&self) -> String {
        let bytes = [self.linking_id.as_bytes(), &self.point()[..], &self.secret].concat();
        format!("plasma-link:1:{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn derive(&mut self, user: UserAddress, device: &[u8], approver: &[u8], peer: &[u8]) {
        let address = [*user.tenant.as_bytes(), *user.user.as_bytes()].concat();
        let id = self.linking_id.as_bytes();
        let transcript = hash("Plasma/v1/linking-transcript", &[id, &address, device, approver]);
        let shared = dh(&self.key.to_bytes(), peer);
        self.keys = hkdf(&self.secret, &shared, "Plasma/v1/linking-keys", &transcript, 72);
    }

    pub fn as_device(&mut self, user: UserAddress, hello: &[u8]) {
        let (device, approver) = (self.point(), &hello[3..68]);
        self.derive(user, &device, approver, approver);
    }

    pub fn as_approver(&mut self, user: UserAddress, device: &[u8]) {
        let approver = self.point();
        self.derive(user, device, &approver, device);
    }

    pub fn check_code(&self) -> String {
        let number = u64::from_be_bytes(self.keys[64..72].try_into().unwrap()) % 1_000_000;
        let digits = format!("{number:06}");
        format!("{} {}", &digits[..3], &digits[3..])
    }

    fn sealing(&self, number: u8) -> (&[u8], [u8; 12], Vec<u8>) {
        let key = if number == 2 { &self.keys[32..64] } else { &self.keys[..32] };
        let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number];
        let id = self.linking_id.as_bytes();
        (key, nonce, input("Plasma/v1/linking-message", &[id, &[number]]))
    }

    pub fn seal(&self, number: u8, clear: &[u8], body: &[u8]) -> Vec<u8> {
        let (key, nonce, associated_data) = self.sealing(number);
        let sealed = seal(key, &nonce, &associated_data, body);
        [&[0x20, 1, number], clear, &sealed].concat()
    }

    fn open(&self, number: u8, message: &[u8]) -> Vec<u8> {
        let (key, nonce, associated_data) = self.sealing(number);
        assert_eq!(message[..3], [0x20, 1, number]);
        open(key, &nonce, &associated_data, &message[3..])
    }
}

#[test]
fn the_document_alone_approves_a_device() {
    let phone = Device::founder(1, 0);
    let newcomer = Newcomer::of(&phone, 5);
    let user = phone.account.user_address();
    let mut device = LinkingDevice::start(Uuid::from_u128(77), user, &mut rng(6));
    let shown = code("plasma-link:1:", &device.qr_text());
    assert_eq!((shown.len(), &shown[..16]), (113, &Uuid::from_u128(77).into_bytes()[..]));

    let mut approver = HandMade::new(8);
    approver.linking_id = Uuid::from_u128(77);
    approver.secret = shown[81..].to_vec();
    approver.as_approver(user, &shown[16..81]);
    let fingerprint = phone.account.fingerprint().to_bytes();
    let hello = approver.seal(1, &approver.point(), &fingerprint);
    let mut channel = device.receive_hello(&hello).unwrap();
    assert_eq!(channel.check_code(), approver.check_code());
    assert_eq!(channel.account().to_bytes(), fingerprint);

    let request = newcomer.seal_request(&mut channel, "Anna's tablet").unwrap();
    let body = approver.open(2, &request);
    let expected = [
        newcomer.request.to_bytes(),
        lp(&newcomer.signed.public().to_bytes()),
        lp(&newcomer.kem.public().to_bytes()),
        lp(b"Anna's tablet"),
    ]
    .concat();
    assert_eq!(body, padded(&expected));

    let grant = approver.seal(3, &[], &padded(b"\x01welcome"));
    let Grant::Approved(payload) = channel.open_grant(&grant).unwrap() else { panic!() };
    assert_eq!(*payload, b"welcome");
}

#[test]
fn the_document_alone_asks_to_be_linked() {
    let phone = Device::founder(1, 0);
    let newcomer = Newcomer::of(&phone, 5);
    let user = phone.account.user_address();
    let mut device = HandMade::new(9);
    let account = phone.account.fingerprint();
    let (mut approver, hello) =
        LinkingApprover::scan(&device.qr_text(), user, account, &mut rng(6)).unwrap();
    assert_eq!(hello.len(), 3 + 65 + 32 + 16);
    device.as_device(user, &hello);
    assert_eq!(approver.check_code(), device.check_code());
    let (key, nonce, associated_data) = device.sealing(1);
    assert_eq!(open(key, &nonce, &associated_data, &hello[68..]), account.to_bytes());
    let request = device.seal(2, &[], &padded(&newcomer.body("tablet")));
    assert_eq!(approver.open_request(&request).unwrap().name, "tablet");
    assert_eq!(device.open(3, &approver.seal_grant(b"welcome").unwrap()), padded(b"\x01welcome"));
}

#[test]
fn the_document_alone_opens_a_recovery_kit() {
    let alice = Device::founder(1, 0);
    let user = alice.account.user_address();
    let key = RecoveryKey::generate(&mut rng(3));
    let bytes = code("plasma-recovery:1:", &key.qr_text());
    let kit = key.seal(&alice.root, user, &mut rng(4)).to_bytes();
    assert_eq!((bytes.len(), kit.len(), &kit[..2]), (16, 194, &[6, 1][..]));
    assert_eq!(kit[2..18], *user.tenant.as_bytes());
    assert_eq!(kit[18..34], *user.user.as_bytes());
    assert_eq!(kit[34..66], alice.account.fingerprint().to_bytes());
    let derived = hkdf(&kit[66..82], &bytes, "Plasma/v1/recovery-key", &kit[34..66], 44);
    let associated_data = input("Plasma/v1/recovery-kit-contents", &[&kit[..82]]);
    let scalar = open(&derived[..32], &derived[32..], &associated_data, &kit[82..130]);
    assert_eq!(scalar, alice.root.to_bytes()[2..]);
    let root = alice.root.public().to_bytes();
    verify(&root, "Plasma/v1/recovery-kit-signature", &[&kit[..130]], &kit[130..]);
}

#[test]
fn the_document_alone_computes_a_safety_number() {
    let (alice, bob) = (Device::founder(1, 0), Device::founder(2, 0));
    let (own, peer) = (alice.account.fingerprint(), bob.account.fingerprint());
    let mut sorted = [own.to_bytes(), peer.to_bytes()];
    sorted.sort_unstable();
    let out = hkdf(&[0; 32], &sorted.concat(), "Plasma/v1/safety-number", &[], 60);
    let groups: Vec<String> = out
        .chunks(5)
        .map(|five| {
            let wide = [&[0, 0, 0], five].concat().try_into().unwrap();
            format!("{:05}", u64::from_be_bytes(wide) % 100_000)
        })
        .collect();
    let number = SafetyNumber::of(own, peer);
    assert_eq!(number.to_string(), groups.join(" "));
    let shown = code("plasma-safety:1:", &number.qr_text());
    assert_eq!(shown, [own.to_bytes(), peer.to_bytes()].concat());
}

#[test]
fn the_document_alone_reads_a_retry_request_and_a_disclosure() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let envelope = alice.send(&mut bob, b"hello");
    let request = RetryRequest::for_envelope(&bob.keys, alice.address(), &envelope, NOW).unwrap();
    let bytes = request.to_bytes();
    assert_eq!((bytes.len(), &bytes[..2]), (283, &[0x12, 1][..]));
    assert_eq!(bytes[2..50], bob.address().to_bytes());
    assert_eq!(bytes[50..98], alice.address().to_bytes());
    assert_eq!(bytes[98..114], envelope[68..84]);
    assert_eq!(bytes[114..179], envelope[164..229]);
    assert_eq!(bytes[179..211], hash("Plasma/v1/envelope-hash", &[&envelope]));
    assert_eq!(bytes[211..219], NOW.to_be_bytes());
    let signing_key = bob.keys.signing_key().to_bytes();
    verify(&signing_key, "Plasma/v1/retry-request", &[&bytes[..219]], &bytes[219..]);

    let opened = bob.receive_from(alice.address(), &alice.account, &envelope).unwrap();
    let disclosure = opened.disclosure.to_bytes();
    assert_eq!((disclosure.len(), &disclosure[..2]), (98, &[0x13, 1][..]));
    assert_eq!(disclosure[34..66], alice.account.devices()[0].hash().0);
    assert_eq!(disclosure[66..98], bob.account.devices()[0].hash().0);
    let salt = &envelope[237..253];
    let session_id = &envelope[68..84];
    let derived = hkdf(salt, &disclosure[2..34], "Plasma/v1/message", session_id, 76);
    assert_eq!(derived[44..], envelope[1484..1516]);
}

#[test]
fn no_label_is_a_prefix_of_another() {
    let document = include_str!("../../../docs/PROTOCOL.md");
    let (_, table) = document.split_once("| Label | Used in |").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let labels: Vec<&str> =
        table.split('`').filter(|text| text.starts_with("Plasma/v1/")).collect();
    assert!(labels.len() > 20);
    for (position, label) in labels.iter().enumerate() {
        for (other_position, other) in labels.iter().enumerate() {
            assert!(position == other_position || !other.starts_with(label), "{label} {other}");
        }
    }
    for label in document.split('`').filter(|text| text.starts_with("Plasma/v1/")) {
        assert!(labels.contains(&label), "{label} is not in the table");
    }
}
