use plasma_kit::actor;
use plasma_kit::ids::TenantId;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::tenant::v1::{ListApiKeysRequest, ListApiKeysResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse};

/// Lists a tenant's keys, revoked ones included.
pub async fn handle(
    tenants: &Tenants,
    request: Request<ListApiKeysRequest>,
) -> Answer<ListApiKeysResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let db = tenants.administered(&actor, tenant)?;
    let list = format!("api_keys {tenant}");
    let size = paging::size(request.page_size);
    let cursor = paging::cursor(&tenants.secrets, &list, &request.page_token)?;

    if store::tenants::load(&db).await.map_err(refuse)?.is_none() {
        return Err(refuse(Error::TenantNotFound));
    }
    let rows = store::api_keys::list(&db, cursor, size + 1).await.map_err(refuse)?;
    let (page, next_page_token) = paging::page(&tenants.secrets, &list, rows, size, |key| Cursor {
        key: key.create_time.0,
        id: key.id.0,
    });
    let api_keys = page.iter().map(answer::api_key).collect();
    Ok(Response::new(ListApiKeysResponse { api_keys, next_page_token }))
}
