//! One function for each decoder. It returns whether the bytes were accepted, and panics when the
//! decoder breaks a promise.

use plasma_client::ContactLink;
use plasma_e2ee::{
    DeviceKeys, Disclosure, MAX_CONTENT_LENGTH, MAX_ENVELOPE_LENGTH, PrivatePrekey, RecoveryKey,
    RetryRequest, RootKey, SessionRecord, pad, peek, unpad,
};
use plasma_identity::encoding::{DecodeError, Reader};
use plasma_identity::{
    AgreementPublicKey, CertificateRequest, DeviceAddress, DeviceCertificate, Fingerprint,
    Manifest, RecoveryKit, RootPublicKey, SafetyComparison, Signature, SignedPrekey,
    SigningPublicKey, VerifiedAccount,
};
use plasma_proto::content::v1::Content;
use plasma_vectors::bare::lp;
use prost::Message;

use crate::{linking, seeds};

/// A decoder and what it promises.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Names the target and the folder of its corpus.
    pub name: &'static str,
    /// Decodes, checks every promise, and returns whether the bytes were accepted.
    pub run: fn(&[u8]) -> bool,
}

macro_rules! targets {
    ($($name:ident)*) => {
        /// Every decoder.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),*];
    };
}

targets! {
    envelope
    certificate
    certificate_request
    manifest
    signed_prekey
    signature
    points
    verified_account
    session_record
    private_prekey
    device_keys
    root_key
    fingerprint
    padding
    content
    contact_link
    recovery_kit
    recovery_words
    recovery_code
    safety_code
    retry_request
    disclosure
    linking_code
    linking_request
}

/// Decodes, and checks that what is accepted has this encoding and no other.
fn canonical<T, E, B: AsRef<[u8]>>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
    encode: impl Fn(&T) -> B,
) -> Option<T> {
    let decoded = decode(bytes).ok()?;
    assert_eq!(encode(&decoded).as_ref(), bytes, "two encodings of one structure");
    let longer = [bytes, &[0]].concat();
    assert!(decode(&longer).is_err(), "a byte more is accepted");
    if let Some((_, shorter)) = bytes.split_last() {
        assert!(decode(shorter).is_err(), "a byte less is accepted");
    }
    Some(decoded)
}

/// An envelope has no encoder of its own: its claims are what stands at their offsets.
fn envelope(bytes: &[u8]) -> bool {
    let Ok(info) = peek(bytes) else { return false };
    let (initiation, header) = match (bytes[0], bytes[3]) {
        (0x10, 0) => (&[][..], 253),
        (0x10, 1) => (&[][..], 253 + 1184),
        (0x10, 2) => (&[][..], 253 + 1088),
        (0x11, 0) => (&bytes[253..1484], 1484),
        other => panic!("type and flags {other:02x?}"),
    };
    assert!((header + 48..=MAX_ENVELOPE_LENGTH).contains(&bytes.len()));
    assert_eq!(bytes[1..3], [1, 1]);
    assert_eq!(bytes[4..52], info.sender.to_bytes());
    assert_eq!(bytes[52..68], *info.recipient_device.as_bytes());
    assert_eq!(bytes[68..84], info.session_id.0);
    assert_eq!(bytes[84..92], info.sender_manifest.epoch.to_be_bytes());
    assert_eq!(bytes[92..124], info.sender_manifest.hash.0);
    assert_eq!(bytes[124..132], info.recipient_manifest.epoch.to_be_bytes());
    assert_eq!(bytes[132..164], info.recipient_manifest.hash.0);
    assert!(AgreementPublicKey::from_bytes(&bytes[164..229]).is_ok());
    assert_eq!(info.initiation.is_some(), !initiation.is_empty());
    if let Some(claimed) = info.initiation {
        assert!(AgreementPublicKey::from_bytes(&initiation[..65]).is_ok());
        assert_eq!(initiation[65..69], claimed.signed_prekey_id.to_be_bytes());
        assert_eq!(initiation[69], claimed.kem_role.number());
        assert!(claimed.kem_role.is_kem());
        assert_eq!(initiation[70..74], claimed.kem_prekey_id.to_be_bytes());
        assert_eq!(initiation[74], u8::from(claimed.one_time_prekey_id.is_some()));
        assert_eq!(initiation[75..79], claimed.one_time_prekey_id.unwrap_or(0).to_be_bytes());
        let one_time = claimed.kem_role.is_one_time() || claimed.one_time_prekey_id.is_some();
        assert_eq!(claimed.replay_marker.is_none(), one_time);
    }
    assert!(peek(&bytes[..header + 47]).is_err(), "no room for a tag");
    true
}

fn certificate(bytes: &[u8]) -> bool {
    let decoded = canonical(bytes, DeviceCertificate::from_bytes, DeviceCertificate::to_bytes);
    let Some(certificate) = decoded else { return false };
    let _ = certificate.verify_possession();
    let _ = certificate.verify_issuer(certificate.signing_key());
    true
}

fn certificate_request(bytes: &[u8]) -> bool {
    let decoded = canonical(bytes, CertificateRequest::from_bytes, CertificateRequest::to_bytes);
    decoded.is_some_and(|request| {
        let _ = request.verify();
        true
    })
}

fn manifest(bytes: &[u8]) -> bool {
    let decoded = canonical(bytes, Manifest::from_bytes, Manifest::to_bytes);
    let Some(manifest) = decoded else { return false };
    let listed = &manifest.statement().certificates;
    assert!((1..=10).contains(&listed.len()) && listed.is_sorted_by(|a, b| a < b));
    true
}

fn signed_prekey(bytes: &[u8]) -> bool {
    let decoded = canonical(bytes, SignedPrekey::from_bytes, SignedPrekey::to_bytes);
    let Some(prekey) = decoded else { return false };
    assert_eq!(prekey.key().len(), if prekey.role().is_kem() { 1184 } else { 65 });
    true
}

/// A signature that is read can be checked; that arbitrary ones verify is out of reach.
fn signature(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let raw = bytes.try_into().map_err(|_| DecodeError::Truncated)?;
        Signature::from_bytes(raw)
    };
    let Some(signature) = canonical(bytes, decode, Signature::to_bytes) else { return false };
    let [r, s] = [&bytes[..32], &bytes[32..]];
    assert!(r.iter().any(|&byte| byte != 0) && s.iter().any(|&byte| byte != 0));
    assert!(seeds::SIGNER.verify(b"message", &signature).is_err());
    true
}

fn points(bytes: &[u8]) -> bool {
    let agreement =
        canonical(bytes, AgreementPublicKey::from_bytes, AgreementPublicKey::to_bytes).is_some();
    let signing = canonical(bytes, SigningPublicKey::from_bytes, SigningPublicKey::to_bytes);
    let root = canonical(bytes, RootPublicKey::from_bytes, RootPublicKey::to_bytes);
    assert_eq!((signing.is_some(), root.is_some()), (agreement, agreement));
    assert!(!agreement || (bytes.len(), bytes[0]) == (65, 4));
    agreement
}

fn verified_account(bytes: &[u8]) -> bool {
    let decoded = canonical(bytes, VerifiedAccount::from_bytes, VerifiedAccount::to_bytes);
    let Some(account) = decoded else { return false };
    assert!(account.knows(account.manifest_hash()));
    for device in account.devices() {
        let id = device.address().device;
        assert!(account.device(id).is_some());
        assert!(account.certificate_at(account.manifest_hash(), id).is_some());
    }
    true
}

fn session_record(bytes: &[u8]) -> bool {
    canonical(bytes, SessionRecord::from_bytes, SessionRecord::to_bytes).is_some_and(|record| {
        assert!(record.archived_sessions() <= 10);
        let remote = &bytes[50..98];
        assert_eq!(DeviceAddress::read(&mut Reader::new(remote)), Ok(record.remote()));
        true
    })
}

fn private_prekey(bytes: &[u8]) -> bool {
    canonical(bytes, PrivatePrekey::from_bytes, PrivatePrekey::to_bytes).is_some()
}

fn device_keys(bytes: &[u8]) -> bool {
    canonical(bytes, DeviceKeys::from_bytes, DeviceKeys::to_bytes).is_some()
}

fn root_key(bytes: &[u8]) -> bool {
    canonical(bytes, RootKey::from_bytes, RootKey::to_bytes).is_some()
}

fn fingerprint(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Ok(fingerprint) = Fingerprint::from_fragment(text) else { return false };
    let bare = text.strip_prefix('#').unwrap_or(text);
    assert_eq!(fingerprint.to_string(), bare, "two texts of one fingerprint");
    assert_eq!(fingerprint.to_fragment().len(), 44);
    true
}

/// What is padded is unpadded, and what is unpadded has this padding and no other.
fn padding(bytes: &[u8]) -> bool {
    let padded = |content: &[u8]| {
        let mut out = Vec::new();
        pad(content, &mut out).map(|()| out)
    };
    match padded(bytes) {
        Ok(padded) => assert_eq!(unpad(&padded), Ok(bytes)),
        Err(_) => assert!(bytes.len() > MAX_CONTENT_LENGTH),
    }
    let Ok(content) = unpad(bytes) else { return false };
    assert_eq!(padded(content).as_deref(), Ok(bytes), "two paddings of one content");
    true
}

/// Protocol buffers have many encodings; the one that is made of them means the same, and is no
/// longer but for negative numbers, which may come in five bytes and leave in ten.
fn content(bytes: &[u8]) -> bool {
    let Ok(content) = Content::decode(bytes) else { return false };
    let again = content.encode_to_vec();
    assert!(again.len() <= 2 * bytes.len(), "decoding made it longer");
    assert_eq!(Content::decode(&again[..]).expect("what was encoded"), content);
    true
}

fn recovery_kit(bytes: &[u8]) -> bool {
    canonical(bytes, RecoveryKit::from_bytes, RecoveryKit::to_bytes).is_some()
}

/// Words are read in any case and with any white space, and written in one way.
fn recovery_words(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Ok(key) = RecoveryKey::from_words(text) else { return false };
    let again = RecoveryKey::from_words(&key.words()).expect("its own words");
    assert_eq!(*again.qr_text(), *key.qr_text());
    assert_eq!(*again.words(), *key.words());
    true
}

fn recovery_code(bytes: &[u8]) -> bool {
    let decode = |bytes: &[u8]| {
        let text = str::from_utf8(bytes).map_err(drop)?;
        RecoveryKey::from_qr_text(text).map_err(drop)
    };
    canonical(bytes, decode, |key| key.qr_text().as_bytes().to_vec()).is_some()
}

/// The code of the other side's number, which this side takes apart only to compare.
fn safety_code(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Ok(comparison) = seeds::SAFETY.compare(text) else { return false };
    assert_eq!(text.len(), "plasma-safety:1:".len() + 86);
    let expected = seeds::THEIR_SAFETY.qr_text();
    assert_eq!(comparison == SafetyComparison::Match, text == expected, "two texts of one code");
    assert!(seeds::SAFETY.compare(&format!("{text}A")).is_err());
    true
}

fn retry_request(bytes: &[u8]) -> bool {
    canonical(bytes, RetryRequest::from_bytes, RetryRequest::to_bytes).is_some()
}

fn disclosure(bytes: &[u8]) -> bool {
    canonical(bytes, Disclosure::from_bytes, Disclosure::to_bytes).is_some()
}

fn linking_code(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let accepts = |text: &str| linking::scan(text).is_some();
    if !accepts(text) {
        return false;
    }
    assert_eq!(text.len(), "plasma-link:1:".len() + 151);
    assert!(!accepts(&format!("{text}A")) && !accepts(&text[..text.len() - 1]));
    true
}

/// The bytes are the content that a new device seals, which no other than it can seal.
fn linking_request(bytes: &[u8]) -> bool {
    let Some(request) = linking::ask(bytes) else { return false };
    let parts = [
        request.certificate_request.to_bytes(),
        lp(&request.signed_prekey.to_bytes()),
        lp(&request.last_resort_kem_prekey.to_bytes()),
        lp(request.name.as_bytes()),
    ];
    assert_eq!(parts.concat(), bytes, "two encodings of one request");
    true
}

fn contact_link(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Ok(link) = text.parse::<ContactLink>() else { return false };
    assert_eq!(link.to_string(), text.trim(), "two texts of one link");
    assert_eq!(link.token().len(), 22);
    true
}
