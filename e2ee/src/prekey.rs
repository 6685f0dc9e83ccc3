//! The private halves of prekeys.

use core::fmt;

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::{DecodeError, Reader, length_prefix};
use plasma_identity::{MAX_LATENCY_SECONDS, PrekeyRole, PrekeyStatement, SignedPrekey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::agreement::AgreementKey;
use crate::device_keys::DeviceKeys;
use crate::error::StateError;
use crate::kem::KemSeed;
use crate::secret::Secret;
use crate::state::{StateType, VERSION};

/// How many one-time EC prekeys a device publishes.
pub const ONE_TIME_EC_PREKEYS: u32 = 100;
/// How many one-time KEM prekeys a device publishes.
pub const ONE_TIME_KEM_PREKEYS: u32 = 20;
/// How often signed and last-resort prekeys are replaced, in seconds (7 days).
pub const PREKEY_ROTATION_SECONDS: u64 = 7 * 24 * 60 * 60;
/// How long others start sessions with a signed or last-resort prekey, in seconds (45 days).
pub const PREKEY_LIFETIME_SECONDS: u64 = MAX_LATENCY_SECONDS;

#[derive(Clone)]
enum PrivateHalf {
    Ec(AgreementKey),
    Kem(KemSeed),
}

/// A prekey with its private half.
#[derive(Clone)]
pub struct PrivatePrekey {
    public: SignedPrekey,
    private: PrivateHalf,
}

impl PrivatePrekey {
    /// Generates and signs a prekey. The device never reuses an id within a role.
    ///
    /// Signed and last-resort keys expire 45 days after `now`; one-time keys have no expiry.
    pub fn generate<R: CryptoRng + ?Sized>(
        keys: &DeviceKeys,
        role: PrekeyRole,
        id: u32,
        now: u64,
        rng: &mut R,
    ) -> Self {
        let (private, key) = if role.is_kem() {
            let seed = KemSeed::generate(rng);
            let public = seed.public().as_bytes().to_vec();
            (PrivateHalf::Kem(seed), public)
        } else {
            let key = AgreementKey::generate(rng);
            let public = key.public().to_bytes().to_vec();
            (PrivateHalf::Ec(key), public)
        };
        let expires =
            if role.is_one_time() { 0 } else { now.saturating_add(PREKEY_LIFETIME_SECONDS) };
        let statement = PrekeyStatement { role, address: keys.address(), id, expires, key };
        let public = SignedPrekey::sign(statement, keys).expect("a generated key fits its role");
        Self { public, private }
    }

    /// Returns what is published.
    pub fn public(&self) -> &SignedPrekey {
        &self.public
    }

    /// Returns what the key is for.
    pub fn role(&self) -> PrekeyRole {
        self.public.role()
    }

    /// Returns the key's id.
    pub fn id(&self) -> u32 {
        self.public.id()
    }

    /// Returns the unix seconds after which the private half is deleted, given when the key was
    /// replaced; for one-time keys that is after use.
    pub fn delete_after(replaced: u64) -> u64 {
        replaced.saturating_add(MAX_LATENCY_SECONDS)
    }

    pub(crate) fn agreement_key(&self) -> Option<&AgreementKey> {
        match &self.private {
            PrivateHalf::Ec(key) => Some(key),
            PrivateHalf::Kem(_) => None,
        }
    }

    pub(crate) fn decapsulate(&self, ciphertext: &Ciphertext) -> Option<Secret> {
        match &self.private {
            PrivateHalf::Ec(_) => None,
            PrivateHalf::Kem(seed) => Some(seed.decapsulate(ciphertext)),
        }
    }

    /// Encodes the prekey with its private half, to be sealed by the caller.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let public = self.public.to_bytes();
        let mut out = Zeroizing::new(Vec::with_capacity(6 + public.len() + KemSeed::LENGTH));
        out.extend_from_slice(&[StateType::PrivatePrekey as u8, VERSION]);
        length_prefix(&mut out, &public);
        match &self.private {
            PrivateHalf::Ec(key) => key.write(&mut out),
            PrivateHalf::Kem(seed) => seed.write(&mut out),
        }
        out
    }

    /// Decodes what [`PrivatePrekey::to_bytes`] encoded.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StateType::PrivatePrekey as u8, VERSION)?;
        let public = SignedPrekey::from_bytes(reader.length_prefixed()?)?;
        let (private, key) = if public.role().is_kem() {
            let seed = KemSeed::read(&mut reader)?;
            let key = seed.public().as_bytes().to_vec();
            (PrivateHalf::Kem(seed), key)
        } else {
            let private = AgreementKey::read(&mut reader)?;
            let key = private.public().to_bytes().to_vec();
            (PrivateHalf::Ec(private), key)
        };
        reader.finish()?;
        if key != public.key() {
            return Err(DecodeError::InvalidField("private key").into());
        }
        Ok(Self { public, private })
    }
}

impl fmt::Debug for PrivatePrekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivatePrekey")
            .field("role", &self.role())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// The first id of each role in a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrekeyIds {
    /// Id of the signed EC prekey.
    pub signed_ec: u32,
    /// Id of the last-resort KEM prekey.
    pub last_resort_kem: u32,
    /// First id of the one-time EC prekeys.
    pub one_time_ec: u32,
    /// First id of the one-time KEM prekeys.
    pub one_time_kem: u32,
}

/// Everything that a new device publishes.
#[derive(Clone, Debug)]
pub struct PrekeyBatch {
    /// The signed EC prekey.
    pub signed_ec: PrivatePrekey,
    /// The last-resort KEM prekey.
    pub last_resort_kem: PrivatePrekey,
    /// The one-time EC prekeys.
    pub one_time_ec: Vec<PrivatePrekey>,
    /// The one-time KEM prekeys.
    pub one_time_kem: Vec<PrivatePrekey>,
}

impl PrekeyBatch {
    /// Generates one signed EC, one last-resort KEM, 100 one-time EC and 20 one-time KEM prekeys.
    pub fn generate<R: CryptoRng + ?Sized>(
        keys: &DeviceKeys,
        first: PrekeyIds,
        now: u64,
        rng: &mut R,
    ) -> Self {
        let mut make = |role, id| PrivatePrekey::generate(keys, role, id, now, rng);
        let mut series = |role, first: u32, count| {
            (0..count).map(|offset| make(role, first.wrapping_add(offset))).collect::<Vec<_>>()
        };
        let one_time_ec = series(PrekeyRole::OneTimeEc, first.one_time_ec, ONE_TIME_EC_PREKEYS);
        let one_time_kem = series(PrekeyRole::OneTimeKem, first.one_time_kem, ONE_TIME_KEM_PREKEYS);
        Self {
            signed_ec: make(PrekeyRole::SignedEc, first.signed_ec),
            last_resort_kem: make(PrekeyRole::LastResortKem, first.last_resort_kem),
            one_time_ec,
            one_time_kem,
        }
    }

    /// Visits every prekey of the batch.
    pub fn iter(&self) -> impl Iterator<Item = &PrivatePrekey> {
        [&self.signed_ec, &self.last_resort_kem]
            .into_iter()
            .chain(&self.one_time_ec)
            .chain(&self.one_time_kem)
    }
}
