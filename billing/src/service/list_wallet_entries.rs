//! `WalletService.ListWalletEntries`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::wallet_owner;
use crate::Billing;
use crate::domain::money::Currency;
use crate::error::Error;
use crate::store::wallets::{self, Entry};
use crate::wire;

/// Lists the movements of a user's wallet, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListWalletEntriesRequest>,
) -> Result<pb::ListWalletEntriesResponse, Error> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let currency = wire::read_currency("currency_code", &request.currency_code)?;
    let owner = wallet_owner(billing, actor, &request.user_id).await?;
    let list = format!("entries/{}/{}/{}", owner.claim.tenant(), owner.user, currency.code());
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(owner.claim);
    let rows = wallets::entries(&db, owner.user, currency, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, Entry::cursor);
    let entries = page.into_iter().map(|entry| written(entry, currency)).collect();
    Ok(pb::ListWalletEntriesResponse { entries, next_page_token })
}

fn written(entry: Entry, currency: Currency) -> pb::WalletEntry {
    pb::WalletEntry {
        transaction_id: entry.transaction.to_string(),
        // Stored under the contract's numbers.
        kind: entry.kind.into(),
        currency_code: currency.code().to_owned(),
        minor_units: entry.minor_units,
        balance_after_minor_units: entry.standing.balance,
        reference: entry.reference,
        create_time: Some(convert::timestamp(entry.created_at)),
    }
}
