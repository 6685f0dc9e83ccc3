//! What `RegisterFirstDevice` and `ResetAccount` share: an account begins with one device.

use bytes::Bytes;
use plasma_identity::{Manifest, UserAddress};
use plasma_kit::actor::{DeviceActor, EnrollmentActor};
use plasma_kit::ids::DeviceId;
use plasma_kit::{Failure, Scope, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::domain::{FirstPrekeys, Founding, found, read_first};
use crate::sessions::TOKEN_LIFETIME;
use crate::store;

/// What an account is to begin with.
pub(super) struct Registration {
    /// The root public key.
    pub root_public_key: Bytes,
    /// The device's certificate.
    pub certificate: Bytes,
    /// The first manifest.
    pub manifest: Bytes,
    /// The device's prekeys.
    pub prekeys: pb::DevicePrekeys,
}

impl Registration {
    /// Verifies the beginning of the account of `user`.
    pub(super) async fn verify(
        self,
        user: EnrollmentActor,
        now: Timestamp,
    ) -> Result<(Founding, FirstPrekeys), Failure> {
        let now = contract::unix_seconds(now);
        contract::off_thread(move || {
            let root = contract::root_public_key(&self.root_public_key)?;
            let certificate = contract::certificate("certificate", &self.certificate)?;
            let manifest = contract::manifest(&self.manifest)?;
            let (signed, last_resort) =
                (&self.prekeys.signed_prekey, &self.prekeys.last_resort_kem_prekey);
            let address = UserAddress { tenant: user.tenant.0, user: user.user.0 };
            let founding = found(address, root, manifest, certificate, now)?;
            let prekeys = read_first("prekeys", signed, last_resort, founding.certificate(), now)?;
            Ok((founding, prekeys))
        })
        .await
    }
}

/// The device that an account begins with.
pub(super) fn device_of(user: EnrollmentActor, founding: &Founding) -> DeviceActor {
    let device = DeviceId(founding.certificate().address().device);
    DeviceActor { tenant: user.tenant, user: user.user, device }
}

/// Tells whether the account began with exactly this a short time ago: a retry.
///
/// Certificate and manifest are no secret, and a platform can vouch for its user again at any
/// time: whoever repeats them proves nothing, and is given nothing. The device opens a session by
/// its own signature.
pub(super) async fn is_repeated(
    scope: &impl Scope,
    device: DeviceActor,
    founding: &Founding,
    now: Timestamp,
) -> Result<bool, Failure> {
    let registered = store::devices::find(scope, device.device)
        .await?
        .filter(|registered| registered.user == device.user)
        .filter(|registered| now < registered.created_at.plus(TOKEN_LIFETIME));
    if registered.is_none() {
        return Ok(false);
    }
    let said = founding.manifest().statement();
    let first = store::accounts::manifest(scope, device.user, said.generation, said.epoch).await?;
    let Some(first) = first else { return Ok(false) };
    let first = contract::stored(Manifest::from_bytes(&first))?;
    // The manifest names the certificate and the root key by their hashes.
    Ok(first.hash() == founding.manifest().hash())
}
