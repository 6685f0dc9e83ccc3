//! What our books say of what a provider did otherwise than it was asked.

use plasma_kit::Env;
use plasma_kit::ids::TransactionId;

use crate::domain::external::Operation;
use crate::domain::ledger::{Account, Header, Kind, Posting, Transaction};
use crate::error::Error;
use crate::store::{Write, ledger};

/// Posts that the provider has taken `difference` minor units more than our books say (less, where
/// it is below 0), so that the clearing account is what the provider's books are. What it is for,
/// people must find out: until then it is in suspense.
pub(super) async fn difference(
    books: &impl Write,
    env: &Env,
    operation: &Operation,
    difference: i64,
) -> Result<(), Error> {
    let header = Header {
        id: TransactionId(env.uuid()),
        kind: Kind::ExternalDifference,
        external_id: operation.id.to_string(),
        reference: operation.obligation.clone(),
        reverses: None,
        created_at: env.now(),
    };
    let postings = vec![
        Posting::new(Account::ExternalClearing, -difference),
        Posting::new(Account::Suspense, difference),
    ];
    let transaction = Transaction::new(header, operation.money.currency(), postings)?;
    Ok(ledger::post(books, &transaction).await?)
}
