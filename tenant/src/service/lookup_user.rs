use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_proto::tenant::v1::{LookupUserRequest, LookupUserResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse};

/// Gets the user for the platform's own id of it.
pub async fn handle(
    tenants: &Tenants,
    request: Request<LookupUserRequest>,
) -> Answer<LookupUserResponse> {
    let actor = actor::key(&request)?;
    let partner_user_id = &request.get_ref().partner_user_id;

    let db = tenants.db.tenant(TenantClaim::of_key(&actor));
    let user = store::users::find(&db, &tenants.secrets, partner_user_id).await.map_err(refuse)?;
    let user = user.ok_or(Error::UserNotFound).map_err(refuse)?;
    Ok(Response::new(LookupUserResponse { user: Some(answer::user(&user)) }))
}
