//! Accounts without a floor: their kept balances, and that all books add up to 0.

use plasma_kit::db::StoreError;
use uuid::Uuid;

use super::{Audit, Defect, PAGE, SnapshotOf};
use crate::store::audit;

impl Audit<'_> {
    pub(super) async fn accounts(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        let mut after = Uuid::nil();
        loop {
            let page = audit::account_page(books, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = *last;
            self.verified.accounts += page.len() as u64;
            let posted = audit::posted_and_folded(books, &page).await?;
            for (account, sums) in posted {
                if i128::from(sums.kept) != sums.folded {
                    self.find(books, Defect::WrongFolded(account, sums.kept, sums.folded));
                }
            }
            for (account, sums) in audit::paid_out(books, &page).await? {
                if i128::from(sums.kept) != sums.posted {
                    self.find(books, Defect::WrongPaidOut(account, sums.kept, sums.posted));
                }
            }
        }
        for payout in audit::payouts_not_posted(books).await? {
            self.find(books, Defect::PayoutNotPosted(payout));
        }
        for (currency, sum) in audit::totals(books).await? {
            if sum != 0 {
                self.find(books, Defect::BooksUnbalanced(currency, sum));
            }
        }
        Ok(())
    }
}
