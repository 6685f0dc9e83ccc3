//! A second reading of `docs/PROTOCOL.md`: offsets, labels and derivations by hand, on bare
//! primitives. It fails when the implementation and the document part.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ml_kem::kem::Decapsulate;
use ml_kem::ml_kem_768::DecapsulationKey;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{PublicKey, SecretKey};
use plasma_identity::PrekeyRole;
use sha2::{Digest, Sha256};

use crate::world::Device;

pub fn lp(part: &[u8]) -> Vec<u8> {
    let length = u32::try_from(part.len()).unwrap();
    [&length.to_be_bytes(), part].concat()
}

pub fn input(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let parts: Vec<u8> = parts.iter().flat_map(|part| lp(part)).collect();
    [label.as_bytes(), &parts].concat()
}

pub fn hash(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    Sha256::digest(input(label, parts)).to_vec()
}

pub fn hkdf(salt: &[u8], key: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    let info = [label.as_bytes(), context].concat();
    Hkdf::<Sha256>::new(Some(salt), key).expand(&info, &mut out).unwrap();
    out
}

pub fn hmac(key: &[u8], byte: u8) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key)
        .unwrap()
        .chain_update([byte])
        .finalize()
        .into_bytes()
        .to_vec()
}

pub fn dh(private: &[u8], public: &[u8]) -> Vec<u8> {
    let public = PublicKey::from_sec1_bytes(public).unwrap();
    let shared = SecretKey::from_slice(private).unwrap().diffie_hellman(&public);
    shared.raw_secret_bytes().to_vec()
}

pub fn verify(key: &[u8], label: &str, parts: &[&[u8]], signature: &[u8]) {
    let signature = Signature::from_slice(signature).unwrap();
    let key = VerifyingKey::from_sec1_bytes(key).unwrap();
    key.verify(&input(label, parts), &signature).unwrap();
}

pub struct Published {
    pub certificate: Vec<u8>,
    pub certificate_hash: Vec<u8>,
    pub manifest_hash: Vec<u8>,
}

/// Sections 2 and 3, for an account of one device.
pub fn read_account(device: &Device) -> Published {
    let certificate = device.account.devices()[0].to_bytes();
    let manifest = device.account.manifest().to_bytes();
    let root = device.account.root().to_bytes();
    let (tenant, user) = (&certificate[2..18], &certificate[18..34]);
    let fingerprint = hash("Plasma/v1/fingerprint", &[tenant, user, &root]);
    assert_eq!(device.account.fingerprint().as_bytes(), fingerprint.as_slice());

    assert_eq!((certificate.len(), &certificate[..2]), (370, &[1, 1][..]));
    assert_eq!(certificate[50..82], fingerprint);
    assert_eq!(certificate[212..216], [0, 0, 0, 1]);
    let statement = &certificate[2..216];
    let possession = &certificate[216..280];
    verify(&certificate[82..147], "Plasma/v1/device-possession", &[statement], possession);
    assert_eq!((certificate[280], certificate[289]), (1, 0));
    let signed = &certificate[..306];
    verify(&root, "Plasma/v1/device-certificate", &[signed], &certificate[306..]);
    let certificate_hash = hash("Plasma/v1/certificate-hash", &[signed]);

    assert_eq!((manifest.len(), &manifest[..2]), (240, &[3, 1][..]));
    assert_eq!(manifest[2..34], certificate[2..34]);
    assert_eq!(manifest[34..66], fingerprint);
    assert_eq!(manifest[66..78], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!((manifest[126], manifest[143]), (0, 1));
    assert_eq!(manifest[144..176], certificate_hash);
    let signed = &manifest[..176];
    verify(&root, "Plasma/v1/manifest-signature", &[signed], &manifest[176..]);
    let manifest_hash = hash("Plasma/v1/manifest-hash", &[signed]);
    Published { certificate, certificate_hash, manifest_hash }
}

/// Section 4: the public key and the private half of a prekey.
fn read_prekey(device: &Device, certificate: &[u8], role: PrekeyRole, id: u32) -> [Vec<u8>; 2] {
    let prekey = &device.prekeys[&(role, id)];
    let public = prekey.public().to_bytes();
    let signed = public.len() - 64;
    assert_eq!(public[..3], [4, 1, role.number()]);
    assert_eq!(public[3..51], certificate[2..50]);
    assert_eq!(public[51..55], id.to_be_bytes());
    verify(&certificate[82..147], "Plasma/v1/prekey", &[&public[..signed]], &public[signed..]);
    let stored = prekey.to_bytes();
    [public[63..signed].to_vec(), stored[6 + public.len()..].to_vec()]
}

/// Section 5: the transcript hash and the root, on the responder's side.
fn respond(alice: &Published, bob: &Device, envelope: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let published = read_account(bob);
    let keys = bob.keys.to_bytes();
    let certificate = &published.certificate;
    let [spk, spk_private] = read_prekey(bob, certificate, PrekeyRole::SignedEc, 7);
    let [kem, seed] = read_prekey(bob, certificate, PrekeyRole::OneTimeKem, 0);
    let [opk, opk_private] = read_prekey(bob, certificate, PrekeyRole::OneTimeEc, 0);
    let ephemeral = &envelope[253..318];
    assert_eq!(envelope[318..332], [0, 0, 0, 7, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(envelope[332..364], alice.manifest_hash);
    assert_eq!(envelope[364..396], published.manifest_hash);
    let ciphertext = &envelope[396..1484];
    let address = |certificate: &[u8]| {
        [lp(&certificate[2..18]), lp(&certificate[18..34]), lp(&certificate[34..50])].concat()
    };
    let transcript = [
        &b"Plasma/v1/handshake"[..],
        &lp(&[1]),
        &address(&alice.certificate),
        &lp(&alice.certificate_hash),
        &address(certificate),
        &lp(&published.certificate_hash),
        &lp(ephemeral),
        &lp(&[0, 0, 0, 7]),
        &lp(&spk),
        &lp(&[0, 0, 0, 0]),
        &lp(&opk),
        &lp(&[3]),
        &lp(&[0, 0, 0, 0]),
        &lp(&kem),
        &lp(ciphertext),
        &lp(&alice.manifest_hash),
        &lp(&published.manifest_hash),
    ]
    .concat();
    let transcript = Sha256::digest(transcript).to_vec();
    let seed: [u8; 64] = seed.try_into().unwrap();
    let shared = DecapsulationKey::from_seed(seed.into()).decapsulate_slice(ciphertext).unwrap();
    let agreements = [
        dh(&spk_private, &alice.certificate[147..212]),
        dh(&keys[82..114], ephemeral),
        dh(&spk_private, ephemeral),
        dh(&opk_private, ephemeral),
        shared.to_vec(),
    ]
    .concat();
    let root = hkdf(&[0; 32], &agreements, "Plasma/v1/root", &transcript, 32);
    (transcript, root, spk_private)
}

/// Section 7: the body of an envelope with a header of this length.
pub fn open(
    envelope: &[u8],
    header_length: usize,
    message_key: &[u8],
    sender: &Published,
    receiver: &Published,
) -> Vec<u8> {
    let (header, sealed) = envelope.split_at(header_length);
    let (cipher, nonce, commitment) = cipher(header, message_key);
    assert_eq!(commitment, sealed[..32]);
    let aad = associated_data(header, sender, receiver);
    cipher.decrypt(&nonce.into(), Payload { msg: &sealed[32..], aad: &aad }).unwrap()
}

/// Section 7: the envelope of a header and a body.
pub fn seal(
    header: &[u8],
    message_key: &[u8],
    body: &[u8],
    sender: &Published,
    receiver: &Published,
) -> Vec<u8> {
    let (cipher, nonce, commitment) = cipher(header, message_key);
    let aad = associated_data(header, sender, receiver);
    let sealed = cipher.encrypt(&nonce.into(), Payload { msg: body, aad: &aad }).unwrap();
    [header, &commitment, &sealed].concat()
}

fn cipher(header: &[u8], message_key: &[u8]) -> (Aes256Gcm, [u8; 12], Vec<u8>) {
    let (session_id, salt) = (&header[68..84], &header[237..253]);
    let derived = hkdf(salt, message_key, "Plasma/v1/message", session_id, 76);
    let cipher = Aes256Gcm::new_from_slice(&derived[..32]).unwrap();
    (cipher, derived[32..44].try_into().unwrap(), derived[44..].to_vec())
}

fn associated_data(header: &[u8], sender: &Published, receiver: &Published) -> Vec<u8> {
    input(
        "Plasma/v1/associated-data",
        &[
            header,
            &sender.certificate[2..50],
            &receiver.certificate[2..50],
            &sender.certificate_hash,
            &receiver.certificate_hash,
        ],
    )
}

#[test]
fn the_document_alone_opens_an_initiation() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    let second = alice.send(&mut bob, b"and again");
    let (sender, receiver) = (read_account(&alice), read_account(&bob));
    let (transcript, root, spk_private) = respond(&sender, &bob, &first);
    let session_id = &hash("Plasma/v1/session-id", &[&transcript])[..16];
    let turned =
        hkdf(&root, &dh(&spk_private, &first[164..229]), "Plasma/v1/ratchet", session_id, 64);
    let mut chain = turned[32..].to_vec();

    for (number, envelope, content) in [(0, &first, &b"hello"[..]), (1, &second, b"and again")] {
        assert_eq!(envelope[..4], [0x11, 1, 1, 0]);
        assert_eq!(envelope[4..52], sender.certificate[2..50]);
        assert_eq!(envelope[52..68], receiver.certificate[34..50]);
        assert_eq!(&envelope[68..84], session_id);
        assert_eq!(envelope[84..92], 1_u64.to_be_bytes());
        assert_eq!(envelope[92..124], sender.manifest_hash);
        assert_eq!(envelope[124..132], 1_u64.to_be_bytes());
        assert_eq!(envelope[132..164], receiver.manifest_hash);
        assert_eq!(envelope[229..237], [0, 0, 0, 0, 0, 0, 0, number]);
        assert_eq!(envelope[253..1484], first[253..1484]);

        let message_key = hmac(&chain, 1);
        chain = hmac(&chain, 2);
        let body = open(envelope, 1484, &message_key, &sender, &receiver);
        let key = &sender.certificate[82..147];
        verify(key, "Plasma/v1/initiation", &[&transcript], &body[..64]);
        let mut padded = [content, &[0x80]].concat();
        padded.resize(128, 0);
        assert_eq!(body[64..], padded);
    }
}
