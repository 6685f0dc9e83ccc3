//! Arbitrary bytes are refused without a panic.

use plasma_identity::{
    CertificateRequest, DeviceCertificate, Fingerprint, Manifest, RecoveryKit, SafetyNumber,
    SignedPrekey, VerifiedAccount,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_decoder_panics(
        kind in 0..7_u8,
        mut bytes in prop::collection::vec(any::<u8>(), 0..1_400),
        text in "\\PC{0,60}",
    ) {
        if let [first, second, ..] = bytes.as_mut_slice() {
            (*first, *second) = (kind, 1);
        }
        prop_assert!(CertificateRequest::from_bytes(&bytes).is_err());
        prop_assert!(DeviceCertificate::from_bytes(&bytes).is_err());
        prop_assert!(SignedPrekey::from_bytes(&bytes).is_err());
        prop_assert!(VerifiedAccount::from_bytes(&bytes).is_err());
        let _ = Manifest::from_bytes(&bytes);
        let _ = RecoveryKit::from_bytes(&bytes);
        let _ = Fingerprint::from_fragment(&text);
        let fingerprint = Fingerprint::from_bytes([1; 32]);
        let text = format!("plasma-safety:1:{text}");
        prop_assert!(SafetyNumber::of(fingerprint, fingerprint).compare(&text).is_err());
    }
}
