//! Public keys: 65-byte uncompressed points, checked when they are read.

use core::fmt;

use crate::address::UserAddress;
use crate::encoding::DecodeError;
use crate::fingerprint::Fingerprint;
use crate::primitives::Point;
use crate::signature::{InvalidSignature, Signature};

/// Length of an encoded point: 0x04 ‖ x ‖ y.
pub const POINT_LENGTH: usize = 65;

macro_rules! public_key {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Eq, PartialEq)]
        pub struct $name(pub(crate) Point);

        impl $name {
            /// Length of the encoding.
            pub const LENGTH: usize = POINT_LENGTH;

            /// Accepts an uncompressed point that is on the curve and not infinity.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
                Point::from_bytes(bytes).map(Self)
            }

            /// Returns 0x04 ‖ x ‖ y.
            pub fn to_bytes(&self) -> [u8; POINT_LENGTH] {
                *self.0.as_bytes()
            }

            /// Borrows 0x04 ‖ x ‖ y.
            pub fn as_bytes(&self) -> &[u8; POINT_LENGTH] {
                self.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:02x?}..)"), &self.0.as_bytes()[1..5])
            }
        }
    };
}

public_key!(
    /// The key that starts the generations of an account; its hash is the account's fingerprint.
    RootPublicKey
);
public_key!(
    /// The key with which a device signs (DSK).
    SigningPublicKey
);
public_key!(
    /// A key with which a secret is agreed: a device's DHK, an EC prekey or a ratchet key.
    AgreementPublicKey
);

impl RootPublicKey {
    /// Checks a signature by this key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        self.0.verify(message, signature)
    }

    /// Computes the fingerprint of the account that this key founds for `user`.
    pub fn fingerprint(&self, user: UserAddress) -> Fingerprint {
        Fingerprint::compute(user, self)
    }
}

impl SigningPublicKey {
    /// Checks a signature by this key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        self.0.verify(message, signature)
    }
}

#[cfg(test)]
#[cfg(not(plasma_toy_primitives))]
mod tests {
    use p256::SecretKey;

    use super::*;

    fn sample() -> [u8; 65] {
        AgreementPublicKey::from(SecretKey::from_slice(&[7; 32]).unwrap().public_key()).to_bytes()
    }

    #[test]
    fn only_uncompressed_points_on_the_curve_are_accepted() {
        let good = sample();
        assert!(AgreementPublicKey::from_bytes(&good).is_ok());

        let mut off_curve = good;
        off_curve[64] ^= 1;
        let mut compressed = vec![0x02 | (good[64] & 1)];
        compressed.extend_from_slice(&good[1..33]);
        let mut hybrid = good;
        hybrid[0] = 0x06 | (good[64] & 1);
        let mut long = good.to_vec();
        long.push(0);
        let zero = [0; 65];
        let mut above_modulus = [0xff; 65];
        above_modulus[0] = 4;
        for bad in [
            &off_curve[..],
            &compressed,
            &hybrid,
            &long,
            &zero,
            &above_modulus,
            &[0],
            &[],
            &good[..64],
        ] {
            assert_eq!(AgreementPublicKey::from_bytes(bad), Err(DecodeError::InvalidPoint));
        }
    }
}
