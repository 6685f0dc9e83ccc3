use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};

use plasma_kit::Actor;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::UserId;
use plasma_proto::tenant::v1::{UnblockUserRequest, UnblockUserResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::user::{User, UserState};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Ends a block.
pub async fn handle(
    tenants: &Tenants,
    request: Request<UnblockUserRequest>,
) -> Answer<UnblockUserResponse> {
    let actor = actor::key(&request)?;
    let request = request.into_inner();
    let id = UserId::checked(&request.user_id);

    let db = tenants.db.tenant(TenantClaim::of_key(&actor));
    let key = Key::new(Actor::Key(actor).caller(), "UnblockUser", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let moved = apply(claim.tx(), id).await.map_err(refuse)?;
    let outcome = moved.map(|user| UnblockUserResponse { user: Some(answer::user(&user)) });
    Ok(Response::new(settle(claim, outcome).await?))
}

async fn apply(tx: &TenantTx, id: UserId) -> Result<Result<User, Error>, StoreError> {
    let Some(before) = store::users::load(tx, id).await? else {
        return Ok(Err(Error::UserNotFound));
    };
    let Some(after) = before.moved_to(UserState::Active) else {
        return Ok(Ok(before));
    };
    // Where a parallel call unblocked the user first, there is nothing left to do.
    store::users::save_state(tx, before.state, after).await?;
    Ok(Ok(after))
}
