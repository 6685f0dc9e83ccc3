//! `StatementService.GetStatement`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::statement::{self, Line};
use crate::time::Span;
use crate::wire;

/// Gets a tenant's statement for a time, derived from postings.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetStatementRequest>,
) -> Result<pb::GetStatementResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let currency = wire::read_currency("currency_code", &request.currency_code)?;
    let now = billing.now(key.tenant).await?;
    let span = Span::read(request.start_time.as_ref(), request.end_time.as_ref(), now)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let lines = statement::lines(&db, currency, span.start, span.end).await?;
    Ok(pb::GetStatementResponse {
        currency_code: currency.code().to_owned(),
        lines: lines.into_iter().filter(is_moved).map(written).collect(),
        start_time: request.start_time,
        end_time: Some(convert::timestamp(span.end)),
    })
}

/// Whether an account had a balance or a posting.
fn is_moved(line: &Line) -> bool {
    line.opening != 0 || line.posted_in != 0 || line.posted_out != 0
}

fn written(line: Line) -> pb::StatementLine {
    pb::StatementLine {
        // Stored under the contract's numbers.
        purpose: line.purpose.into(),
        peer_tenant_id: line.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        opening_minor_units: line.opening,
        posted_in_minor_units: line.posted_in,
        posted_out_minor_units: line.posted_out,
        closing_minor_units: line.opening + line.posted_in + line.posted_out,
    }
}
