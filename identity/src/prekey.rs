//! Signed prekeys: keys that a device publishes so that others can start a session with it.

use crate::address::DeviceAddress;
use crate::certificate::DeviceCertificate;
use crate::encoding::{DecodeError, Reader, StructureType, labelled};
use crate::keys::{AgreementPublicKey, SigningPublicKey};
use crate::signature::{InvalidSignature, Signature, Signer};

const VERSION: u8 = 1;
const LABEL: &str = "Plasma/v1/prekey";

/// Length of an ML-KEM-768 encapsulation key.
pub const KEM_KEY_LENGTH: usize = 1184;
const KEM_COEFFICIENTS_LENGTH: usize = 1152;
const KEM_MODULUS: u16 = 3329;

/// What a prekey is for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum PrekeyRole {
    /// The device's signed P-256 prekey, rotated weekly.
    SignedEc = 1,
    /// A P-256 prekey that is handed out once.
    OneTimeEc = 2,
    /// An ML-KEM-768 prekey that is handed out once.
    OneTimeKem = 3,
    /// The ML-KEM-768 prekey for when no one-time one is left, rotated weekly.
    LastResortKem = 4,
}

impl PrekeyRole {
    /// Tells whether the key is handed out once and deleted after use.
    pub fn is_one_time(self) -> bool {
        matches!(self, Self::OneTimeEc | Self::OneTimeKem)
    }

    /// Tells whether the key is an ML-KEM-768 encapsulation key rather than a point.
    pub fn is_kem(self) -> bool {
        matches!(self, Self::OneTimeKem | Self::LastResortKem)
    }

    /// Returns the number that stands for the role in encodings.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads a role's number.
    pub fn from_number(number: u8) -> Result<Self, DecodeError> {
        match number {
            1 => Ok(Self::SignedEc),
            2 => Ok(Self::OneTimeEc),
            3 => Ok(Self::OneTimeKem),
            4 => Ok(Self::LastResortKem),
            _ => Err(DecodeError::InvalidField("role")),
        }
    }

    fn key_length(self) -> usize {
        if self.is_kem() { KEM_KEY_LENGTH } else { AgreementPublicKey::LENGTH }
    }
}

/// Why a prekey must not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrekeyError {
    /// The prekey names another device than the certificate.
    #[error("the prekey belongs to another device")]
    WrongDevice,
    /// The signature is not by the device's DSK.
    #[error("the prekey's signature does not verify")]
    BadSignature,
    /// The prekey's time is over.
    #[error("the prekey has expired")]
    Expired,
}

/// What a prekey says; [`SignedPrekey::sign`] makes it binding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PrekeyStatement {
    /// What the key is for.
    pub role: PrekeyRole,
    /// The device that holds the private half.
    pub address: DeviceAddress,
    /// Names the key among those of its role; never reused by the device.
    pub id: u32,
    /// Unix seconds after which nobody starts a session with it; 0 (never) for one-time keys only.
    pub expires: u64,
    /// The point (65 bytes) or encapsulation key (1,184 bytes).
    pub key: Vec<u8>,
}

impl PrekeyStatement {
    fn check(&self) -> Result<(), DecodeError> {
        if self.role.is_one_time() != (self.expires == 0) {
            return Err(DecodeError::InvalidField("expires"));
        }
        if self.role.is_kem() {
            check_kem_key(&self.key)
        } else {
            AgreementPublicKey::from_bytes(&self.key).map(drop)
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(67 + self.key.len() + Signature::LENGTH);
        out.extend_from_slice(&[StructureType::SignedPrekey as u8, VERSION, self.role.number()]);
        out.extend_from_slice(&self.address.to_bytes());
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.expires.to_be_bytes());
        out.extend_from_slice(&self.key);
        out
    }
}

/// A prekey signed by its device.
#[derive(Clone, Debug)]
pub struct SignedPrekey {
    statement: PrekeyStatement,
    signature: Signature,
}

impl SignedPrekey {
    /// Signs `statement` with the device's DSK.
    ///
    /// Fails like the decoder when the key or the expiry does not fit the role.
    pub fn sign(statement: PrekeyStatement, signer: &impl Signer) -> Result<Self, DecodeError> {
        statement.check()?;
        let signature = signer.sign(&labelled(LABEL, &[&statement.to_bytes()]));
        Ok(Self { statement, signature })
    }

    /// Returns what the prekey says.
    pub fn statement(&self) -> &PrekeyStatement {
        &self.statement
    }

    /// Returns what the key is for.
    pub fn role(&self) -> PrekeyRole {
        self.statement.role
    }

    /// Returns the key's id.
    pub fn id(&self) -> u32 {
        self.statement.id
    }

    /// Returns the unix seconds after which the key is not used, 0 for never.
    pub fn expires(&self) -> u64 {
        self.statement.expires
    }

    /// Returns the point or the encapsulation key.
    pub fn key(&self) -> &[u8] {
        &self.statement.key
    }

    /// Checks that the device of `certificate` signed this prekey.
    pub fn verify(&self, certificate: &DeviceCertificate) -> Result<(), PrekeyError> {
        self.verify_by(certificate.address(), certificate.signing_key())
    }

    /// Checks that a device with this DSK signed this prekey, before it has a certificate.
    pub fn verify_by(
        &self,
        device: DeviceAddress,
        signing_key: &SigningPublicKey,
    ) -> Result<(), PrekeyError> {
        if self.statement.address != device {
            return Err(PrekeyError::WrongDevice);
        }
        signing_key
            .verify(&labelled(LABEL, &[&self.statement.to_bytes()]), &self.signature)
            .map_err(|InvalidSignature| PrekeyError::BadSignature)
    }

    /// Does what [`SignedPrekey::verify`] does and refuses a key whose time is over at `now`.
    pub fn verify_at(&self, certificate: &DeviceCertificate, now: u64) -> Result<(), PrekeyError> {
        if !self.role().is_one_time() && self.expires() <= now {
            return Err(PrekeyError::Expired);
        }
        self.verify(certificate)
    }

    /// Encodes the prekey.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.statement.to_bytes();
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// Decodes a prekey and checks the key itself; the signature is checked by
    /// [`SignedPrekey::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StructureType::SignedPrekey as u8, VERSION)?;
        let role = PrekeyRole::from_number(reader.u8()?)?;
        let statement = PrekeyStatement {
            role,
            address: DeviceAddress::read(&mut reader)?,
            id: reader.u32()?,
            expires: reader.u64()?,
            key: reader.slice(role.key_length())?.to_vec(),
        };
        statement.check()?;
        let signature = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        Ok(Self { statement, signature })
    }
}

/// The input check of FIPS 203, section 7.2: length, and every 12-bit coefficient below q.
pub fn check_kem_key(key: &[u8]) -> Result<(), DecodeError> {
    if key.len() != KEM_KEY_LENGTH {
        return Err(DecodeError::InvalidKemKey);
    }
    let (triples, _) = key[..KEM_COEFFICIENTS_LENGTH].as_chunks::<3>();
    let in_range = triples.iter().all(|&[a, b, c]| {
        let first = u16::from(a) | (u16::from(b) & 0x0f) << 8;
        let second = u16::from(b) >> 4 | u16::from(c) << 4;
        first < KEM_MODULUS && second < KEM_MODULUS
    });
    if in_range { Ok(()) } else { Err(DecodeError::InvalidKemKey) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kem_key_with_a_coefficient_at_the_modulus_is_refused() {
        let mut key = vec![0; KEM_KEY_LENGTH];
        assert_eq!(check_kem_key(&key), Ok(()));
        // 3328 = 0xd00 in the first coefficient of the last triple, then 3329.
        key[1149] = 0x00;
        key[1150] = 0x0d;
        assert_eq!(check_kem_key(&key), Ok(()));
        key[1149] = 0x01;
        assert_eq!(check_kem_key(&key), Err(DecodeError::InvalidKemKey));
        key[1149] = 0;
        key[1150] = 0x10;
        key[1151] = 0xd0;
        assert_eq!(check_kem_key(&key), Err(DecodeError::InvalidKemKey));
        assert_eq!(check_kem_key(&key[1..]), Err(DecodeError::InvalidKemKey));
    }
}
