//! `LedgerService.ListTransactions`.

use std::collections::HashMap;

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::TransactionId;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;
use uuid::Uuid;

use crate::Billing;
use crate::error::Error;
use crate::store::audit::{self, AccountRow};
use crate::store::recorded::{self, Recorded};
use crate::time::Span;
use crate::wire;

/// Lists the transactions of a time, oldest first, each with its postings.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListTransactionsRequest>,
) -> Result<pb::ListTransactionsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let currency = wire::read_currency("currency_code", &request.currency_code)?;
    let now = billing.now(key.tenant).await?;
    let span = Span::read(request.start_time.as_ref(), request.end_time.as_ref(), now)?;
    // The page goes on in the time that was asked for, even where that ended with "now".
    let list = format!("transactions/{}/{}", key.tenant, currency.code());
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let books = billing.db.tenant(TenantClaim::of_key(&key));
    let after = cursor.map(|cursor| (cursor.key, cursor.id));
    let rows = recorded::of_time(&books, currency, span, after, size + 1).await?;
    let place = |one: &Recorded| Cursor { key: one.header.created_at, id: one.header.transaction };
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, place);
    let used: Vec<Uuid> =
        page.iter().flat_map(|one| &one.postings).map(|posting| posting.account).collect();
    let accounts = audit::accounts(&books, &used).await?;
    Ok(pb::ListTransactionsResponse {
        transactions: page.iter().map(|one| written(one, &accounts)).collect(),
        next_page_token,
    })
}

fn written(one: &Recorded, accounts: &HashMap<Uuid, AccountRow>) -> pb::LedgerTransaction {
    let header = &one.header;
    let currency = one.postings.first().map(|posting| posting.currency.clone());
    let postings = one.postings.iter().filter_map(|posting| {
        let account = accounts.get(&posting.account)?;
        Some(wire::ledger_posting(account, posting.minor_units))
    });
    pb::LedgerTransaction {
        transaction_id: TransactionId(header.transaction).to_string(),
        // Stored under the contract's numbers.
        kind: header.kind.into(),
        reference: header.reference.clone(),
        reverses_transaction_id: header
            .reverses
            .map(|reversed| TransactionId(reversed).to_string())
            .unwrap_or_default(),
        currency_code: currency.unwrap_or_default(),
        postings: postings.collect(),
        create_time: Some(convert::timestamp(plasma_kit::Timestamp(header.created_at))),
    }
}
