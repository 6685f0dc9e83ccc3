//! The recovery key: 128 random bits, shown to the person as words or as a code.

use core::fmt;

use plasma_identity::{RecoveryKit, RecoveryKitHeader, UserAddress};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{RecoveryError, words};
use crate::root_key::RootKey;
use crate::{aead, code, kdf};

const QR_PREFIX: &str = "plasma-recovery:1:";
const KEY_LABEL: &str = "Plasma/v1/recovery-key";

/// What opens a [`RecoveryKit`]. It never leaves the person and the device that shows or reads it.
#[derive(Clone)]
pub struct RecoveryKey(Zeroizing<[u8; Self::LENGTH]>);

impl RecoveryKey {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// Generates a recovery key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Returns the twelve words, in lower case, one space between them.
    pub fn words(&self) -> Zeroizing<String> {
        words::write(&self.0)
    }

    /// Reads the twelve words, in any case and with any white space around them.
    pub fn from_words(text: &str) -> Result<Self, RecoveryError> {
        words::read(text).map(Self)
    }

    /// Returns the text of the key's QR code.
    pub fn qr_text(&self) -> Zeroizing<String> {
        code::text(QR_PREFIX, self.0.as_slice())
    }

    /// Reads the text of a QR code.
    pub fn from_qr_text(text: &str) -> Result<Self, RecoveryError> {
        code::read(QR_PREFIX, text).map(Self).ok_or(RecoveryError::NotARecoveryCode)
    }

    /// Seals the root key of `user`'s account.
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        root: &RootKey,
        user: UserAddress,
        rng: &mut R,
    ) -> RecoveryKit {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let header = RecoveryKitHeader { user, account: root.fingerprint(user), salt };
        let (key, nonce) = self.derive(&header);
        let sealed = aead::seal(&key, nonce, &header.associated_data(), root.scalar().as_slice());
        let ciphertext = sealed.try_into().expect("a scalar of 32 bytes and a tag of 16");
        RecoveryKit::sign(header, ciphertext, root)
    }

    /// Opens a kit, and checks that it holds the root that it names.
    pub fn open(&self, kit: &RecoveryKit) -> Result<RootKey, RecoveryError> {
        let header = kit.header();
        let (key, nonce) = self.derive(&header);
        let scalar = aead::open(&key, nonce, &header.associated_data(), kit.ciphertext())
            .ok_or(RecoveryError::WrongKey)?;
        let root = RootKey::from_scalar(&scalar).map_err(|_| RecoveryError::WrongKey)?;
        kit.verify(&root.public(), header.user)?;
        Ok(root)
    }

    fn derive(&self, header: &RecoveryKitHeader) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
        let account = header.account.as_bytes();
        let out = kdf::derive::<44>(&header.salt, self.0.as_slice(), KEY_LABEL, account);
        let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; 12]);
        key.copy_from_slice(&out[..32]);
        nonce.copy_from_slice(&out[32..]);
        (key, nonce)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}
