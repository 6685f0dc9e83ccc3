//! The recovery kit: the account's root key, sealed under a key that only the person has.
//!
//! This module owns the kit's bytes and the root's signature of them, which is all that the service
//! checks. Sealing and opening belong to the crate that holds private keys.

use crate::address::UserAddress;
use crate::encoding::{DecodeError, Reader, StructureType, labelled};
use crate::fingerprint::Fingerprint;
use crate::keys::RootPublicKey;
use crate::signature::{InvalidSignature, Signature, Signer};

const VERSION: u8 = 1;
const SIGNATURE_LABEL: &str = "Plasma/v1/recovery-kit-signature";
const CONTENTS_LABEL: &str = "Plasma/v1/recovery-kit-contents";

/// What a kit says in the clear: whose root it holds, and the salt of its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecoveryKitHeader {
    /// The user.
    pub user: UserAddress,
    /// The fingerprint of the account whose root is sealed.
    pub account: Fingerprint,
    /// Random bytes, fresh for every kit.
    pub salt: [u8; 16],
}

impl RecoveryKitHeader {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(RecoveryKit::LENGTH);
        out.extend_from_slice(&[StructureType::RecoveryKit as u8, VERSION]);
        self.user.write(&mut out);
        out.extend_from_slice(self.account.as_bytes());
        out.extend_from_slice(&self.salt);
        out
    }

    /// Builds what is authenticated beside the sealed root.
    pub fn associated_data(self) -> Vec<u8> {
        labelled(CONTENTS_LABEL, &[&self.to_bytes()])
    }
}

/// A sealed root key, signed by that root.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryKit {
    header: RecoveryKitHeader,
    ciphertext: [u8; Self::CIPHERTEXT_LENGTH],
    signature: Signature,
}

/// Why a kit is not one of an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecoveryKitError {
    /// The kit is of another user.
    #[error("the recovery kit is of another user")]
    WrongUser,
    /// The kit is of another account: the root has been replaced.
    #[error("the recovery kit is of another root")]
    WrongRoot,
    /// The root has not signed the kit.
    #[error("the root has not signed the recovery kit")]
    BadSignature,
}

impl RecoveryKit {
    /// Length of the encoding.
    pub const LENGTH: usize = 2 + 32 + 32 + 16 + Self::CIPHERTEXT_LENGTH + Signature::LENGTH;
    /// Length of the sealed root: a private scalar and a tag.
    pub const CIPHERTEXT_LENGTH: usize = 32 + 16;

    /// Signs a sealed root with that root.
    pub fn sign(
        header: RecoveryKitHeader,
        ciphertext: [u8; Self::CIPHERTEXT_LENGTH],
        root: &impl Signer,
    ) -> Self {
        let signature = root.sign(&signature_input(header, &ciphertext));
        Self { header, ciphertext, signature }
    }

    /// Returns what the kit says in the clear.
    pub fn header(&self) -> RecoveryKitHeader {
        self.header
    }

    /// Returns the user.
    pub fn user_address(&self) -> UserAddress {
        self.header.user
    }

    /// Returns the fingerprint of the account whose root is sealed.
    pub fn account(&self) -> Fingerprint {
        self.header.account
    }

    /// Borrows the sealed root.
    pub fn ciphertext(&self) -> &[u8; Self::CIPHERTEXT_LENGTH] {
        &self.ciphertext
    }

    /// Checks that `user`'s root has signed this kit, so that nobody without the root, not even a
    /// stolen approver, replaces an account's kit.
    pub fn verify(&self, root: &RootPublicKey, user: UserAddress) -> Result<(), RecoveryKitError> {
        if self.header.user != user {
            return Err(RecoveryKitError::WrongUser);
        }
        if self.header.account != root.fingerprint(user) {
            return Err(RecoveryKitError::WrongRoot);
        }
        root.verify(&signature_input(self.header, &self.ciphertext), &self.signature)
            .map_err(|InvalidSignature| RecoveryKitError::BadSignature)
    }

    /// Encodes the kit.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = signed_bytes(self.header, &self.ciphertext);
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// Decodes a kit; the signature is checked by [`RecoveryKit::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StructureType::RecoveryKit as u8, VERSION)?;
        let header = RecoveryKitHeader {
            user: UserAddress::read(&mut reader)?,
            account: Fingerprint::from_bytes(reader.array()?),
            salt: reader.array()?,
        };
        let ciphertext = reader.array()?;
        let signature = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        Ok(Self { header, ciphertext, signature })
    }
}

fn signed_bytes(header: RecoveryKitHeader, ciphertext: &[u8]) -> Vec<u8> {
    let mut out = header.to_bytes();
    out.extend_from_slice(ciphertext);
    out
}

fn signature_input(header: RecoveryKitHeader, ciphertext: &[u8]) -> Vec<u8> {
    labelled(SIGNATURE_LABEL, &[&signed_bytes(header, ciphertext)])
}
