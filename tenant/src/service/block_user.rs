use plasma_kit::actor;
use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::events::{Event, Subject};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::UserId;
use plasma_kit::{Actor, Env};
use plasma_proto::tenant::v1::{BlockUserRequest, BlockUserResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::user::{User, UserState};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Blocks a user, and ends what its devices have open.
pub async fn handle(
    tenants: &Tenants,
    request: Request<BlockUserRequest>,
) -> Answer<BlockUserResponse> {
    let actor = actor::key(&request)?;
    let request = request.into_inner();
    let id = UserId::checked(&request.user_id);

    let db = tenants.db.tenant(TenantClaim::of_key(&actor));
    let key = Key::new(Actor::Key(actor).caller(), "BlockUser", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let moved = apply(claim.tx(), &tenants.env, id).await.map_err(refuse)?;
    let changed = matches!(moved, Ok((_, true)));
    let outcome = moved.map(|(user, _)| BlockUserResponse { user: Some(answer::user(&user)) });
    let response = settle(claim, outcome).await?;
    if changed {
        let subject = Subject::User(id);
        tenants.announce(Event::Revoked { tenant: actor.tenant, subject }).await;
    }
    Ok(Response::new(response))
}

/// Blocks the user, and says whether that changed anything.
async fn apply(
    tx: &TenantTx,
    env: &Env,
    id: UserId,
) -> Result<Result<(User, bool), Error>, StoreError> {
    let Some(before) = store::users::load(tx, id).await? else {
        return Ok(Err(Error::UserNotFound));
    };
    let Some(after) = before.moved_to(UserState::Blocked) else {
        return Ok(Ok((before, false)));
    };
    let changed = store::users::save_state(tx, before.state, after).await?;
    // A parallel call that blocked the user first has recorded it.
    if changed {
        changes::record(tx, env, Change::Revoked(Subject::User(id))).await?;
    }
    Ok(Ok((after, changed)))
}
