//! The ids of accounts.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The purpose of a wallet: the contract's `ACCOUNT_PURPOSE_WALLETS`.
pub(crate) const WALLET: i16 = 1;

/// The id of an account: a UUID of version 8 over SHA-256 of all that identifies it, so that a
/// posting needs no look-up and cannot name another tenant's account or another currency's.
///
/// `owner` is a user, another tenant, or nil for the tenant itself; `currency` an ISO 4217 code.
pub fn account_id(tenant: Uuid, purpose: i16, owner: Uuid, currency: &str) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"plasma/ledger-account/v1");
    hash.update(tenant.as_bytes());
    hash.update(purpose.to_be_bytes());
    hash.update(owner.as_bytes());
    hash.update(currency.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
