//! Who vouches for a tenant's users.

use plasma_kit::Timestamp;
use plasma_kit::ids::IdentityProviderId;

use super::key_set::KeySet;

/// Most identity providers of a tenant.
pub const PROVIDERS_MAX: u64 = 10;

/// An issuer, an audience and public keys.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// The id.
    pub id: IdentityProviderId,
    /// The `iss` that its tokens carry.
    pub issuer: String,
    /// The `aud` that its tokens carry.
    pub audience: String,
    /// Its public keys.
    pub keys: KeySet,
    /// When it was registered.
    pub create_time: Timestamp,
}
