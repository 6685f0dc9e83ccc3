use plasma_kit::actor;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::tenant::v1::{ListTenantsRequest, ListTenantsResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::store;
use crate::tenants::{Tenants, operator, refuse};

/// Names the list in its page tokens.
const LIST: &str = "tenants";

/// Lists all tenants, for the operator.
pub async fn handle(
    tenants: &Tenants,
    request: Request<ListTenantsRequest>,
) -> Answer<ListTenantsResponse> {
    operator(&actor::of(&request)?)?;
    let request = request.into_inner();
    let size = paging::size(request.page_size);
    let cursor = paging::cursor(&tenants.secrets, LIST, &request.page_token)?;

    let rows =
        store::tenants::list(&tenants.db.system(), cursor, size + 1).await.map_err(refuse)?;
    let (page, next_page_token) = paging::page(&tenants.secrets, LIST, rows, size, |tenant| {
        Cursor { key: tenant.create_time.0, id: tenant.id.0 }
    });
    let tenants = page.iter().map(answer::tenant).collect();
    Ok(Response::new(ListTenantsResponse { tenants, next_page_token }))
}
