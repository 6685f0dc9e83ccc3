//! The linking channel with its three messages, approved and declined: section 10.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_e2ee::{DeviceChannel, DeviceKeys, Grant, LinkingApprover, LinkingDevice};
use plasma_identity::{
    Capabilities, CertificateRequest, Fingerprint, PrekeyRole, SignedPrekey, UserAddress,
};
use serde_json::Value;
use uuid::Uuid;

use crate::account::{Party, user};
use crate::bare::{dh, hash, hkdf, input, lp, pad, point, seal, verify};
use crate::fields::Fields;
use crate::json::Json;
use crate::random::{Randomness, agreement_scalar};
use crate::script::Prekey;

/// The inputs of a linking.
struct Linking {
    id: Uuid,
    user: UserAddress,
    fingerprint: [u8; 32],
    secret: Vec<u8>,
    device_private: Vec<u8>,
    approver_private: Vec<u8>,
    /// The new device's DSK.
    signing_private: Vec<u8>,
    certificate_request: Vec<u8>,
    signed_prekey: Vec<u8>,
    last_resort_kem_prekey: Vec<u8>,
    name: String,
    payload: Vec<u8>,
}

/// A whole linking.
pub fn make() -> Json {
    let mut randomness = Randomness::recording(7);
    let account = Party::found(1, &mut randomness);
    let address = user(1).device(Uuid::from_bytes([0xe1; 16]));
    let keys = DeviceKeys::generate(address, &mut randomness);
    let fingerprint = account.load().account.fingerprint();
    let request = keys.certificate_request(fingerprint, Capabilities::V1);
    let [signing_private, _] = randomness.take().try_into().expect("a draw for each key");
    let mut prekey = |role, id| Prekey::make_by(&keys, role, id, &mut randomness).public;
    let (signed_prekey, last_resort_kem_prekey) =
        (prekey(PrekeyRole::SignedEc, 1), prekey(PrekeyRole::LastResortKem, 2));
    let mut linking = Linking {
        id: Uuid::from_bytes([0x11; 16]),
        user: user(1),
        fingerprint: fingerprint.to_bytes(),
        secret: Vec::new(),
        device_private: Vec::new(),
        approver_private: Vec::new(),
        signing_private,
        certificate_request: request.to_bytes(),
        signed_prekey,
        last_resort_kem_prekey,
        name: "Anna's tablet".to_owned(),
        payload: b"manifest, certificate, and what else the device needs".to_vec(),
    };
    let started = LinkingDevice::start(linking.id, linking.user, &mut randomness);
    let [secret, device] = randomness.take().try_into().expect("a secret and a key");
    (linking.secret, linking.device_private) = (secret, agreement_scalar(device));
    LinkingApprover::scan(&started.qr_text(), linking.user, fingerprint, &mut randomness)
        .expect("a linking code");
    let [approver] = randomness.take().try_into().expect("a key");
    linking.approver_private = agreement_scalar(approver);
    linking.trace()
}

impl Linking {
    fn read(file: &Value) -> Self {
        let request = file.object("request");
        Self {
            id: file.uuid("linking_id"),
            user: UserAddress { tenant: file.uuid("tenant"), user: file.uuid("user") },
            fingerprint: file.array("fingerprint"),
            secret: file.bytes("secret"),
            device_private: file.bytes("device_private"),
            approver_private: file.bytes("approver_private"),
            signing_private: request.bytes("signing_private"),
            certificate_request: request.bytes("certificate_request"),
            signed_prekey: request.bytes("signed_prekey"),
            last_resort_kem_prekey: request.bytes("last_resort_kem_prekey"),
            name: request.text("name").to_owned(),
            payload: file.bytes("payload"),
        }
    }

    fn qr_text(&self) -> String {
        let bytes = [self.id.as_bytes(), &point(&self.device_private)[..], &self.secret].concat();
        format!("plasma-link:1:{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn request_body(&self) -> Vec<u8> {
        let signing = point(&self.signing_private);
        let request = &self.certificate_request;
        assert_eq!((request.len(), &request[..2]), (280, &[2, 1][..]));
        assert_eq!(request[82..147], signing);
        let possession = "Plasma/v1/device-possession";
        verify(&signing, possession, &[&request[2..216]], &request[216..]);
        let mut body = request.clone();
        for prekey in [&self.signed_prekey, &self.last_resort_kem_prekey] {
            let (statement, signature) = prekey.split_at(prekey.len() - 64);
            verify(&signing, "Plasma/v1/prekey", &[statement], signature);
            body.extend(lp(prekey));
        }
        body.extend(lp(self.name.as_bytes()));
        pad(&body)
    }

    fn trace(&self) -> Json {
        let (device, approver) = (point(&self.device_private), point(&self.approver_private));
        let agreement = dh(&self.approver_private, &device);
        let UserAddress { tenant, user } = self.user;
        let address = [*tenant.as_bytes(), *user.as_bytes()].concat();
        let id = self.id.as_bytes();
        let transcript = hash("Plasma/v1/linking-transcript", &[id, &address, &device, &approver]);
        let keys = hkdf(&self.secret, &agreement, "Plasma/v1/linking-keys", &transcript, 72);
        let (to_device, to_approver) = (&keys[..32], &keys[32..64]);
        let code = keys[64..].iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
        let digits = format!("{:06}", code % 1_000_000);
        let message = |number: u8, clear: &[u8], key: &[u8], body: &[u8]| {
            let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number];
            let associated_data = input("Plasma/v1/linking-message", &[id, &[number]]);
            let sealed = seal(key, &nonce, &associated_data, body);
            Json::from([
                ("number", u32::from(number).into()),
                ("nonce", (&nonce).into()),
                ("associated_data", (&associated_data).into()),
                ("body", body.into()),
                ("message", (&[&[0x20, 1, number], clear, &sealed].concat()).into()),
            ])
        };
        Json::from([
            ("description", "A linking of section 10.".into()),
            ("linking_id", id.into()),
            ("tenant", tenant.as_bytes().into()),
            ("user", user.as_bytes().into()),
            ("fingerprint", (&self.fingerprint).into()),
            ("device_private", (&self.device_private).into()),
            ("device_public", (&device).into()),
            ("secret", (&self.secret).into()),
            ("qr_text", self.qr_text().into()),
            ("approver_private", (&self.approver_private).into()),
            ("approver_public", (&approver).into()),
            ("agreement", (&agreement).into()),
            ("transcript_hash", (&transcript).into()),
            ("key_to_device", to_device.into()),
            ("key_to_approver", to_approver.into()),
            ("check_code", format!("{} {}", &digits[..3], &digits[3..]).into()),
            (
                "request",
                Json::from([
                    ("signing_private", (&self.signing_private).into()),
                    ("certificate_request", (&self.certificate_request).into()),
                    ("signed_prekey", (&self.signed_prekey).into()),
                    ("last_resort_kem_prekey", (&self.last_resort_kem_prekey).into()),
                    ("name", self.name.as_str().into()),
                ]),
            ),
            ("payload", (&self.payload).into()),
            ("hello", message(1, &approver, to_device, &self.fingerprint)),
            ("asked", message(2, &[], to_approver, &self.request_body())),
            ("granted", message(3, &[], to_device, &pad(&[&[1], &self.payload[..]].concat()))),
            ("declined", message(3, &[], to_device, &pad(&[0]))),
        ])
    }

    /// The implementation's two sides, up to the answer.
    fn play(&self, file: &Value) -> (LinkingApprover, DeviceChannel) {
        let message = |name: &str| file.object(name).bytes("message");
        let [device_draw, approver_draw] = [&self.device_private, &self.approver_private]
            .map(|scalar| agreement_scalar(scalar.clone()));
        let mut randomness = Randomness::given(&[&self.secret, &device_draw]);
        let mut device = LinkingDevice::start(self.id, self.user, &mut randomness);
        randomness.finish();
        assert_eq!(*device.qr_text(), file.text("qr_text"));
        let account = Fingerprint::from_bytes(self.fingerprint);
        let mut randomness = Randomness::given(&[&approver_draw]);
        let (mut approver, hello) =
            LinkingApprover::scan(file.text("qr_text"), self.user, account, &mut randomness)
                .expect("a linking code");
        randomness.finish();
        assert_eq!(hello, message("hello"));
        let mut channel = device.receive_hello(&hello).expect("a hello");
        assert_eq!(channel.check_code(), file.text("check_code"));
        assert_eq!(approver.check_code(), file.text("check_code"));
        let request = CertificateRequest::from_bytes(&self.certificate_request);
        let sealed = channel.seal_request(
            &request.expect("a request"),
            &signed(&self.signed_prekey),
            &signed(&self.last_resort_kem_prekey),
            &self.name,
        );
        assert_eq!(sealed, Ok(message("asked")));
        let asked = approver.open_request(&message("asked")).expect("a request");
        assert_eq!(asked.name, self.name);
        (approver, channel)
    }
}

fn signed(prekey: &[u8]) -> SignedPrekey {
    SignedPrekey::from_bytes(prekey).expect("a prekey")
}

/// Recomputes every value, and lets the implementation play both sides twice.
pub fn replay(file: &Value) {
    let linking = Linking::read(file);
    linking.trace().expect(file, "linking");
    let message = |name: &str| file.object(name).bytes("message");
    let (mut approver, mut channel) = linking.play(file);
    assert_eq!(approver.seal_grant(&linking.payload), Ok(message("granted")));
    let granted = channel.open_grant(&message("granted")).expect("a grant");
    assert!(granted == Grant::Approved(linking.payload.clone().into()));
    let (mut approver, mut channel) = linking.play(file);
    assert_eq!(approver.seal_refusal(), Ok(message("declined")));
    assert!(channel.open_grant(&message("declined")).expect("a grant") == Grant::Declined);
}
