//! `PayoutService.ListPayouts`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::UserId;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::require_user;
use crate::Billing;
use crate::error::Error;
use crate::payout::Payout;
use crate::store::payouts;
use crate::wire;

/// Lists the payouts of a tenant or of one of its users, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPayoutsRequest>,
) -> Result<pb::ListPayoutsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let recipient = UserId::checked_optional(&request.recipient_user_id);
    if let Some(recipient) = recipient {
        require_user(billing, key.tenant, recipient).await?;
    }
    let list = format!("payouts/{}/{}", key.tenant, request.recipient_user_id);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = payouts::list(&db, recipient, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, Payout::cursor);
    let payouts = page.into_iter().map(written).collect();
    Ok(pb::ListPayoutsResponse { payouts, next_page_token })
}

/// Writes a payout.
pub(super) fn written(payout: Payout) -> pb::Payout {
    pb::Payout {
        payout_id: payout.id.to_string(),
        recipient_user_id: payout.recipient.to_string(),
        amount: Some(wire::money(payout.money)),
        reference: payout.reference,
        transaction_id: payout.transaction.to_string(),
        create_time: Some(convert::timestamp(payout.created_at)),
    }
}
