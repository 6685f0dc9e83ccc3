//! An account as the contract writes it.

use plasma_kit::ids::UserId;
use plasma_kit::{Failure, Scope, TenantDb};
use plasma_proto::messaging::v1 as pb;

use crate::domain::Refusal;
use crate::store;

/// How often an answer that a reset of the account overtook begins again.
const ATTEMPTS: usize = 3;

/// Loads a user's account, all of it under one root key.
pub(super) async fn state(
    db: &TenantDb,
    user: UserId,
    after_epoch: u64,
) -> Result<pb::AccountState, Failure> {
    for _ in 0..ATTEMPTS {
        let state = read(db, user, after_epoch).await?;
        let account = store::accounts::find(db, user).await?.ok_or(Refusal::UserNotFound)?;
        if account.root_public_key == *state.root_public_key {
            return Ok(state);
        }
    }
    Err(Failure::conflict())
}

/// Certificates are read after the manifests, so that every device that a manifest names has one.
async fn read(db: &TenantDb, user: UserId, after_epoch: u64) -> Result<pb::AccountState, Failure> {
    let account = store::accounts::find(db, user).await?.ok_or(Refusal::UserNotFound)?;
    // The one in force always belongs to the answer, whatever the viewer claims to know.
    let from = after_epoch.min(account.epoch);
    let manifests = store::accounts::manifests_from(db, user, from).await?;
    let certificates = store::devices::certificates(db, user).await?;
    Ok(pb::AccountState {
        user: Some(pb::UserAddress {
            tenant_id: db.tenant().to_string(),
            user_id: user.to_string(),
        }),
        root_public_key: account.root_public_key.into(),
        manifests: manifests.into_iter().map(Into::into).collect(),
        certificates: certificates.into_iter().map(Into::into).collect(),
    })
}
