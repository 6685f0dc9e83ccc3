//! `StatementService.ListCharges`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::charges::{self, Row};

/// Lists the charges for access to chats with the tenant's users, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListChargesRequest>,
) -> Result<pb::ListChargesResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("charges/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = charges::list(&db, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, Row::cursor);
    Ok(pb::ListChargesResponse {
        charges: page.into_iter().map(written).collect(),
        next_page_token,
    })
}

fn written(charge: Row) -> pb::Charge {
    pb::Charge {
        charge_id: charge.id.to_string(),
        chat_id: charge.chat.to_string(),
        price_id: charge.price.to_string(),
        payer_tenant_id: charge.payer_tenant.to_string(),
        payer_user_id: charge.payer_user.to_string(),
        recipient_user_id: charge.recipient_user.to_string(),
        currency_code: charge.currency,
        amount_minor_units: charge.minor_units,
        operator_minor_units: charge.operator,
        recipient_minor_units: charge.recipient,
        platform_minor_units: charge.platform,
        create_time: Some(convert::timestamp(charge.created_at)),
    }
}
