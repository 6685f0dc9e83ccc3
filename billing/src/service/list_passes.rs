//! `AccessService.ListPasses`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::passes;
use crate::wire;

/// Lists the passes that the caller's user opened or paid for, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPassesRequest>,
) -> Result<pb::ListPassesResponse, Error> {
    let device = actor::device(request)?;
    let request = request.get_ref();
    let list = format!("passes/{}/{}", device.tenant, device.user);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_device(&device));
    let rows = passes::list(&db, device.user, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |pass| {
        Cursor { key: pass.start.0, id: pass.id.0 }
    });
    Ok(pb::ListPassesResponse { passes: page.iter().map(wire::pass).collect(), next_page_token })
}
