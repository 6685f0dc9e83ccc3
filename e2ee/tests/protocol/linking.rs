//! A new device is linked, refused, or attacked on the way.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use plasma_e2ee::{
    DeviceChannel, DeviceKeys, Grant, LinkingApprover, LinkingDevice, LinkingError,
    MAX_GRANT_LENGTH, PrivatePrekey,
};
use plasma_identity::{
    Capabilities, CertificateRequest, DecodeError, PrekeyError, PrekeyRole, SignedPrekey,
};
use uuid::Uuid;

use crate::specification::lp;
use crate::structures::{HandMade, padded};
use crate::world::{Device, NOW, rng};

/// A device that is not part of the account yet.
pub struct Newcomer {
    pub keys: DeviceKeys,
    pub request: CertificateRequest,
    pub signed: PrivatePrekey,
    pub kem: PrivatePrekey,
}

impl Newcomer {
    pub fn of(approver: &Device, seed: u64) -> Self {
        let mut rng = rng(seed);
        let address = approver.account.user_address().device(Uuid::from_u128(seed.into()));
        let keys = DeviceKeys::generate(address, &mut rng);
        let request = keys.certificate_request(approver.account.fingerprint(), Capabilities::V1);
        let signed = PrivatePrekey::generate(&keys, PrekeyRole::SignedEc, 1, NOW, &mut rng);
        let kem = PrivatePrekey::generate(&keys, PrekeyRole::LastResortKem, 2, NOW, &mut rng);
        Self { keys, request, signed, kem }
    }

    pub fn seal_request(
        &self,
        channel: &mut DeviceChannel,
        name: &str,
    ) -> Result<Vec<u8>, LinkingError> {
        channel.seal_request(&self.request, self.signed.public(), self.kem.public(), name)
    }

    pub fn body(&self, name: &str) -> Vec<u8> {
        body(&self.request, self.signed.public(), self.kem.public(), name.as_bytes())
    }
}

fn body(
    request: &CertificateRequest,
    signed: &SignedPrekey,
    kem: &SignedPrekey,
    name: &[u8],
) -> Vec<u8> {
    let parts = [lp(&signed.to_bytes()), lp(&kem.to_bytes()), lp(name)];
    [request.to_bytes(), parts.concat()].concat()
}

struct Scene {
    phone: Device,
    newcomer: Newcomer,
    device: LinkingDevice,
    approver: LinkingApprover,
    hello: Vec<u8>,
}

fn scene() -> Scene {
    let phone = Device::founder(1, 0);
    let newcomer = Newcomer::of(&phone, 5);
    let user = phone.account.user_address();
    let device = LinkingDevice::start(Uuid::from_u128(77), user, &mut rng(6));
    let account = phone.account.fingerprint();
    let (approver, hello) =
        LinkingApprover::scan(&device.qr_text(), user, account, &mut rng(7)).unwrap();
    Scene { phone, newcomer, device, approver, hello }
}

/// Every changed byte, every shorter and one longer message is refused by `attempt`.
fn refuses_every_change(message: &[u8], mut attempt: impl FnMut(&[u8]) -> bool) {
    for position in 0..message.len() {
        let mut changed = message.to_vec();
        changed[position] ^= 1 << (position % 8);
        assert!(attempt(&changed), "byte {position}");
    }
    for length in 0..message.len() {
        assert!(attempt(&message[..length]), "length {length}");
    }
    assert!(attempt(&[message, &[0]].concat()));
}

#[test]
fn a_device_is_linked_in_three_messages() {
    let Scene { mut phone, newcomer, mut device, mut approver, hello } = scene();
    assert_eq!(approver.linking_id(), device.linking_id());
    let mut channel = device.receive_hello(&hello).unwrap();
    assert_eq!(channel.check_code(), approver.check_code());
    assert_eq!(channel.check_code().len(), 7);
    assert_eq!(channel.account(), phone.account.fingerprint());
    let request = newcomer.seal_request(&mut channel, "Büro 💻").unwrap();
    let request = approver.open_request(&request).unwrap();
    assert_eq!(request.name, "Büro 💻");
    let asked = request.certificate_request;
    let (certificate, manifest) = phone.keys.approve(&phone.account, &asked, true, NOW).unwrap();
    phone.account.advance(&[manifest], &[certificate], NOW).unwrap();
    request.signed_prekey.verify_at(&certificate, NOW).unwrap();
    request.last_resort_kem_prekey.verify_at(&certificate, NOW).unwrap();
    let payload = vec![9; MAX_GRANT_LENGTH];
    let too_long = approver.seal_grant(&[&payload[..], &[9]].concat());
    assert_eq!(too_long, Err(LinkingError::TooLong));
    let grant = approver.seal_grant(&payload).unwrap();
    assert_eq!(channel.open_grant(&grant), Ok(Grant::Approved(payload.into())));
}

#[test]
fn an_approver_declines_before_or_after_it_has_seen_the_request() {
    for seen in [false, true] {
        let Scene { newcomer, mut device, mut approver, hello, .. } = scene();
        let mut channel = device.receive_hello(&hello).unwrap();
        if seen {
            let request = newcomer.seal_request(&mut channel, "tablet").unwrap();
            approver.open_request(&request).unwrap();
        }
        let refusal = approver.seal_refusal().unwrap();
        assert_eq!(channel.open_grant(&refusal), Ok(Grant::Declined));
        assert_eq!(channel.open_grant(&refusal), Err(LinkingError::OutOfTurn));
        let late = newcomer.seal_request(&mut channel, "tablet");
        assert_eq!(late, Err(LinkingError::OutOfTurn));
        assert_eq!(approver.seal_grant(b"after all"), Err(LinkingError::OutOfTurn));
    }
}

#[test]
fn every_message_is_used_once_and_in_its_turn() {
    let Scene { newcomer, mut device, mut approver, hello, .. } = scene();
    assert_eq!(approver.seal_grant(b"").unwrap_err(), LinkingError::OutOfTurn);
    assert_eq!(approver.open_request(&hello).unwrap_err(), LinkingError::OutOfTurn);
    let mut channel = device.receive_hello(&hello).unwrap();
    assert_eq!(device.receive_hello(&hello).unwrap_err(), LinkingError::OutOfTurn);
    assert_eq!(channel.open_grant(&hello), Err(LinkingError::OutOfTurn));
    let request = newcomer.seal_request(&mut channel, "tablet").unwrap();
    let again = newcomer.seal_request(&mut channel, "another").unwrap_err();
    assert_eq!(again, LinkingError::OutOfTurn);
    assert_eq!(channel.open_grant(&request), Err(LinkingError::OutOfTurn));
    // Sent back to where it came from, under the number that is expected there.
    let mut reflected = request.clone();
    reflected[2] = 3;
    assert_eq!(channel.open_grant(&reflected), Err(LinkingError::Unauthentic));
    approver.open_request(&request).unwrap();
    assert_eq!(approver.open_request(&request).unwrap_err(), LinkingError::OutOfTurn);
    let grant = approver.seal_grant(b"yes").unwrap();
    assert_eq!(approver.seal_grant(b"more"), Err(LinkingError::OutOfTurn));
    assert_eq!(approver.seal_refusal(), Err(LinkingError::OutOfTurn));
    channel.open_grant(&grant).unwrap();
    assert_eq!(channel.open_grant(&grant), Err(LinkingError::OutOfTurn));
}

#[test]
fn every_changed_byte_is_refused_and_changes_nothing() {
    let Scene { newcomer, mut device, mut approver, hello, .. } = scene();
    refuses_every_change(&hello, |bytes| device.receive_hello(bytes).is_err());
    let mut channel = device.receive_hello(&hello).unwrap();
    let request = newcomer.seal_request(&mut channel, "tablet").unwrap();
    refuses_every_change(&request, |bytes| approver.open_request(bytes).is_err());
    approver.open_request(&request).unwrap();
    let grant = approver.seal_grant(b"yes").unwrap();
    refuses_every_change(&grant, |bytes| channel.open_grant(bytes).is_err());
    channel.open_grant(&grant).unwrap();
}

#[test]
fn the_keys_and_the_check_code_cover_the_approvers_key_itself() {
    // The negated point agrees on the same secret: only the transcript tells the two apart.
    let Scene { mut device, hello, .. } = scene();
    let approver = PublicKey::from_sec1_bytes(&hello[3..68]).unwrap();
    let negated = PublicKey::from_affine(-*approver.as_affine()).unwrap();
    let mut changed = hello.clone();
    changed[3..68].copy_from_slice(negated.to_sec1_point(false).as_bytes());
    assert_ne!(changed, hello);
    assert_eq!(device.receive_hello(&changed).unwrap_err(), LinkingError::Unauthentic);
    device.receive_hello(&hello).unwrap();
}

#[test]
fn another_user_another_linking_and_another_approver_do_not_fit() {
    let Scene { phone, mut device, hello, approver, .. } = scene();
    let (user, account) = (phone.account.user_address(), phone.account.fingerprint());
    let stranger = Device::founder(2, 0);
    let scan = |text: &str, user, seed| {
        LinkingApprover::scan(text, user, account, &mut rng(seed)).unwrap()
    };
    let (_, foreign) = scan(&device.qr_text(), stranger.account.user_address(), 8);
    assert_eq!(device.receive_hello(&foreign).unwrap_err(), LinkingError::Unauthentic);
    let mut tenant = user;
    tenant.tenant = Uuid::from_u128(0xb);
    let (_, foreign) = scan(&device.qr_text(), tenant, 8);
    assert_eq!(device.receive_hello(&foreign).unwrap_err(), LinkingError::Unauthentic);
    let other = LinkingDevice::start(Uuid::from_u128(78), user, &mut rng(6));
    let (_, foreign) = scan(&other.qr_text(), user, 8);
    assert_eq!(device.receive_hello(&foreign).unwrap_err(), LinkingError::Unauthentic);
    // Two devices that scan the same code never show the same digits (but for one in a million).
    let (second, _) = scan(&device.qr_text(), user, 8);
    assert_ne!(second.check_code(), approver.check_code());
    let channel = device.receive_hello(&hello).unwrap();
    assert_eq!(channel.check_code(), approver.check_code());
}

#[test]
fn only_a_devices_code_is_scanned() {
    let Scene { phone, device, .. } = scene();
    let text = device.qr_text();
    let encoded = text.strip_prefix("plasma-link:1:").unwrap();
    let mut off_curve = URL_SAFE_NO_PAD.decode(encoded).unwrap();
    off_curve[80] ^= 1;
    let scan = |text: &str| {
        let account = &phone.account;
        let (user, fingerprint) = (account.user_address(), account.fingerprint());
        LinkingApprover::scan(text, user, fingerprint, &mut rng(8)).map(drop).unwrap_err()
    };
    for bad in [
        "",
        "plasma-link:1:",
        encoded,
        &text[..text.len() - 1],
        &format!("{}A", *text),
        &format!("{}=", *text),
        &format!("{} ", *text),
        &format!("plasma-link:2:{encoded}"),
        &format!("plasma-recovery:1:{encoded}"),
    ] {
        assert_eq!(scan(bad), LinkingError::NotALinkingCode, "{bad}");
    }
    let off_curve = format!("plasma-link:1:{}", URL_SAFE_NO_PAD.encode(off_curve));
    assert_eq!(scan(&off_curve), LinkingError::Malformed(DecodeError::InvalidPoint));
}

#[test]
fn an_approver_refuses_what_a_dishonest_device_asks() {
    let phone = Device::founder(1, 0);
    let stranger = Newcomer::of(&Device::founder(2, 0), 5);
    let newcomer = Newcomer::of(&phone, 5);
    let twin = Newcomer::of(&phone, 6);
    let (request, signed, kem) =
        (&newcomer.request, newcomer.signed.public(), newcomer.kem.public());
    let mut forged = request.to_bytes();
    forged[215] = 3; // another bit of the capabilities, which the device has not signed
    let forged = CertificateRequest::from_bytes(&forged).unwrap();
    let other_root =
        newcomer.keys.certificate_request(stranger.request.statement().account, Capabilities::V1);
    let mut unsigned = signed.to_bytes();
    unsigned[54] ^= 1;
    let unsigned = SignedPrekey::from_bytes(&unsigned).unwrap();
    let one_time =
        PrivatePrekey::generate(&newcomer.keys, PrekeyRole::OneTimeKem, 3, NOW, &mut rng(1));
    let wrong_device = LinkingError::Prekey(PrekeyError::WrongDevice);
    let bad_signature = LinkingError::Prekey(PrekeyError::BadSignature);
    let name = &b"tablet"[..];
    let cases = [
        (body(&stranger.request, signed, kem, name), LinkingError::WrongAccount),
        (body(&other_root, signed, kem, name), LinkingError::WrongAccount),
        (body(&forged, signed, kem, name), LinkingError::BadRequest),
        (body(request, twin.signed.public(), kem, name), wrong_device),
        (body(request, signed, twin.kem.public(), name), wrong_device),
        (body(request, &unsigned, kem, name), bad_signature),
        (body(request, kem, signed, name), LinkingError::WrongRole),
        (body(request, signed, one_time.public(), name), LinkingError::WrongRole),
        (body(request, signed, kem, b""), LinkingError::BadName),
        (body(request, signed, kem, &[b'x'; 65]), LinkingError::BadName),
        (
            body(request, signed, kem, &[0xff]),
            LinkingError::Malformed(DecodeError::InvalidField("name")),
        ),
        (
            [&newcomer.body("tablet")[..], &[0]].concat(),
            LinkingError::Malformed(DecodeError::TrailingBytes),
        ),
        (newcomer.body("tablet")[..1000].to_vec(), LinkingError::Malformed(DecodeError::Truncated)),
    ];
    let (user, account) = (phone.account.user_address(), phone.account.fingerprint());
    let mut device = HandMade::new(9);
    let scanned = LinkingApprover::scan(&device.qr_text(), user, account, &mut rng(6));
    let (mut approver, hello) = scanned.unwrap();
    device.as_device(user, &hello);
    for (content, expected) in cases {
        let message = device.seal(2, &[], &padded(&content));
        assert_eq!(approver.open_request(&message).unwrap_err(), expected);
        assert_eq!(approver.seal_grant(b"").unwrap_err(), LinkingError::OutOfTurn);
    }
    let unpadded = device.seal(2, &[], &newcomer.body("tablet"));
    assert_eq!(approver.open_request(&unpadded).unwrap_err(), LinkingError::BadPadding);
    let good = device.seal(2, &[], &padded(&newcomer.body("tablet")));
    approver.open_request(&good).unwrap();
}

#[test]
fn a_grant_without_a_request_or_of_another_kind_is_refused() {
    let Scene { phone, newcomer, .. } = scene();
    let user = phone.account.user_address();
    let mut device = LinkingDevice::start(Uuid::from_u128(77), user, &mut rng(6));
    let shown = device.qr_text();
    let shown = URL_SAFE_NO_PAD.decode(shown.strip_prefix("plasma-link:1:").unwrap()).unwrap();
    let mut approver = HandMade::new(8);
    approver.linking_id = Uuid::from_u128(77);
    approver.secret = shown[81..].to_vec();
    approver.as_approver(user, &shown[16..81]);
    let account = phone.account.fingerprint().to_bytes();
    let hello = approver.seal(1, &approver.point(), &account);
    let mut channel = device.receive_hello(&hello).unwrap();
    let grant = approver.seal(3, &[], &padded(b"\x01yes"));
    assert_eq!(channel.open_grant(&grant), Err(LinkingError::OutOfTurn));
    newcomer.seal_request(&mut channel, "tablet").unwrap();
    for bad in [&b""[..], b"\x02yes", b"\x00no"] {
        let bad = approver.seal(3, &[], &padded(bad));
        let expected = LinkingError::Malformed(DecodeError::InvalidField("grant"));
        assert_eq!(channel.open_grant(&bad), Err(expected));
    }
    channel.open_grant(&grant).unwrap();
}

#[test]
fn a_name_that_deceives_is_refused_on_both_sides() {
    let Scene { newcomer, mut device, hello, .. } = scene();
    let mut channel = device.receive_hello(&hello).unwrap();
    let long = "x".repeat(65);
    let wide = "ü".repeat(33);
    for bad in
        ["", &long, &wide, "a\nb", "a\u{0}", "a\u{85}", "\u{202e}a", "a\u{2066}", "a\u{2028}b"]
    {
        let refused = newcomer.seal_request(&mut channel, bad);
        assert_eq!(refused, Err(LinkingError::BadName), "{bad:?}");
    }
    newcomer.seal_request(&mut channel, &"ü".repeat(32)).unwrap();
}

#[test]
fn debug_output_of_a_linking_is_silent() {
    let Scene { newcomer, mut device, mut approver, hello, .. } = scene();
    let mut channel = device.receive_hello(&hello).unwrap();
    let request = newcomer.seal_request(&mut channel, "tablet").unwrap();
    approver.open_request(&request).unwrap();
    let grant = channel.open_grant(&approver.seal_grant(&[0xab; 40]).unwrap()).unwrap();
    let id = "00000000-0000-0000-0000-00000000004d";
    assert_eq!(format!("{device:?}"), format!("LinkingDevice {{ linking_id: {id}, .. }}"));
    let account = format!("linking_id: {id}, account: {:?}, ..", channel.account());
    assert_eq!(format!("{channel:?}"), format!("DeviceChannel {{ {account} }}"));
    assert_eq!(format!("{approver:?}"), format!("LinkingApprover {{ {account} }}"));
    assert_eq!(format!("{grant:?}"), "Approved(..)");
}
