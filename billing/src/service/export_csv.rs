//! `StatementService.ExportCsv`.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::UserId;
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::require_user;
use crate::Billing;
use crate::error::{Error, Refusal};
use crate::export::{Export, Kind};
use crate::time::{Span, zone_of};
use crate::wire;

/// A file in chunks.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<pb::ExportCsvResponse, Status>> + Send>>;

/// Exports rows of a time.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ExportCsvRequest>,
) -> Result<Chunks, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let kind = match request.kind() {
        pb::ExportKind::Charges => Kind::Charges,
        pb::ExportKind::Postings => Kind::Postings,
        pb::ExportKind::Payouts => Kind::Payouts,
        pb::ExportKind::WalletEntries => {
            let user = UserId::checked_optional(&request.user_id);
            let user = user.ok_or(Refusal::Invalid { field: "user_id", rule: "must be set" })?;
            require_user(billing, key.tenant, user).await?;
            Kind::WalletEntries(user)
        }
        pb::ExportKind::Unspecified => {
            return Err(Refusal::Invalid { field: "kind", rule: "must be a kind" }.into());
        }
    };
    let now = billing.now(key.tenant).await?;
    let export = Export {
        books: billing.db.tenant(TenantClaim::of_key(&key)),
        kind,
        currency: wire::read_currency("currency_code", &request.currency_code)?,
        span: Span::read(request.start_time.as_ref(), request.end_time.as_ref(), now)?,
        zone: zone_of(billing, key.tenant).await?.rules(),
    };
    let chunks = export.chunks().map(|chunk| match chunk {
        Ok(chunk) => Ok(pb::ExportCsvResponse { chunk: chunk.into() }),
        Err(error) => Err(Failure::from(error).into()),
    });
    Ok(Box::pin(chunks))
}
