//! `PayoutService.ListEarnings`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::payouts::{self, Earnings};
use crate::wire;

/// Lists what the tenant's users earned, and what is left to pay them.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListEarningsRequest>,
) -> Result<pb::ListEarningsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let code = &request.currency_code;
    let currency = match code.as_str() {
        "" => None,
        code => Some(wire::read_currency("currency_code", code)?),
    };
    let list = format!("earnings/{}/{code}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = payouts::earnings(&db, currency, cursor, size).await?;
    let (page, next_page_token) =
        paging::page(&billing.secrets, &list, rows, size, Earnings::cursor);
    let earnings = page.into_iter().map(written).collect();
    Ok(pb::ListEarningsResponse { earnings, next_page_token })
}

fn written(line: Earnings) -> pb::Earnings {
    pb::Earnings {
        recipient_user_id: line.recipient.to_string(),
        currency_code: line.currency,
        earned_minor_units: line.standing.earned(),
        paid_out_minor_units: line.standing.paid_out,
        payable_minor_units: line.standing.balance,
    }
}
