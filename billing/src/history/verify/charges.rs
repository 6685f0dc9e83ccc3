//! Charges: each is posted, and divided as it says.

use plasma_kit::db::StoreError;
use plasma_kit::ids::TransactionId;
use plasma_proof::account_id;
use uuid::Uuid;

use super::{Audit, Defect, PAGE, SnapshotOf};
use crate::domain::ledger::{Account, Kind};
use crate::store::audit::{self, ChargeRow};
use crate::store::recorded::{self, Recorded};

impl Audit<'_> {
    pub(super) async fn charges(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        let mut after = Uuid::nil();
        loop {
            let page = audit::charges(books, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id.0;
            for charge in &page {
                self.charge(books, charge).await?;
            }
        }
    }

    async fn charge(
        &mut self,
        books: &SnapshotOf<'_>,
        charge: &ChargeRow,
    ) -> Result<(), StoreError> {
        self.verified.charges += 1;
        let kind = Kind::AccessCharge.number();
        let external_id = charge.obligation.external_id();
        let home = recorded::find(books, kind, &external_id).await?;
        let Some(home) = home.filter(|found| found.header.reference == charge.id.to_string())
        else {
            self.find(books, Defect::ChargeNotPosted(charge.id));
            return Ok(());
        };
        if !divides(&home, charge) {
            let transaction = TransactionId(home.header.transaction);
            self.find(books, Defect::WrongSplit(charge.id, transaction));
        }
        if charge.payer_tenant == books.id() {
            return Ok(());
        }
        let payers = books.peer(charge.payer_tenant);
        match recorded::find(&payers, kind, &external_id).await? {
            None => self.find(books, Defect::ChargeNotPosted(charge.id)),
            Some(paid) => {
                let owed = posted(&paid, Account::DueTo(books.id()), &charge.currency);
                if owed != charge.minor_units {
                    let transaction = TransactionId(paid.header.transaction);
                    self.find(books, Defect::WrongSplit(charge.id, transaction));
                }
            }
        }
        Ok(())
    }
}

/// Whether a transaction posts the three parts of a charge, and takes the whole from one account.
fn divides(home: &Recorded, charge: &ChargeRow) -> bool {
    let parts = [
        (Account::RecipientEarnings(charge.recipient), charge.recipient_part),
        (Account::PlatformRevenue, charge.platform_part),
        (Account::OperatorShare, charge.operator_part),
    ];
    let in_parts =
        parts.iter().all(|(account, part)| posted(home, *account, &charge.currency) == *part);
    let from: Vec<i64> = home.postings.iter().map(|posting| posting.minor_units).collect();
    let taken = from.iter().filter(|minor_units| **minor_units < 0);
    in_parts && taken.eq([&-charge.minor_units])
}

/// What a transaction posts on an account of its books.
fn posted(recorded: &Recorded, account: Account, currency: &str) -> i64 {
    let tenant = recorded.header.tenant;
    let id = account_id(tenant, account.purpose(), account.owner(), currency);
    let on_it = recorded.postings.iter().filter(|posting| posting.account == id);
    on_it.fold(0, |sum, posting| sum.saturating_add(posting.minor_units))
}
