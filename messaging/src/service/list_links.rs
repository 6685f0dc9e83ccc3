//! `LinkService.ListLinks`: the calling user's links, newest first.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::{StoreError, paging};
use plasma_proto::messaging::v1 as pb;

use super::link_target;
use crate::Messaging;
use crate::store;

#[tracing::instrument(name = "messaging.list_links", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::ListLinksRequest,
) -> Result<pb::ListLinksResponse, Failure> {
    let secrets = &messaging.secrets;
    let list = format!("links {} {}", device.tenant, device.user);
    let after = paging::cursor(secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let base = link_target::base_url(messaging, device.tenant).await?;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let rows = store::links::list(&db, device.user, after, size + 1).await?;
    let (rows, next_page_token) = paging::page(secrets, &list, rows, size, link_target::cursor);
    let links: Result<Vec<pb::Link>, StoreError> =
        rows.iter().map(|link| link_target::write(messaging, &base, link)).collect();
    Ok(pb::ListLinksResponse { links: links?, next_page_token })
}
