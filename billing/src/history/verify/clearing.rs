//! What platforms owe each other: the same on both sides.

use plasma_kit::db::StoreError;
use plasma_kit::ids::TenantId;
use plasma_proof::account_id;

use super::{Audit, Defect, SnapshotOf};
use crate::domain::ledger::Account;
use crate::store::audit;

impl Audit<'_> {
    pub(super) async fn clearing(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        for account in audit::clearing_accounts(books).await? {
            let peer = TenantId(account.owner);
            let mirror = if account.due_to().is_some() {
                Account::DueFrom(books.id())
            } else {
                Account::DueTo(books.id())
            };
            let other = account_id(peer.0, mirror.purpose(), mirror.owner(), &account.currency);
            let here = audit::sum(books, account.id).await?;
            let there = audit::sum(&books.peer(peer), other).await?;
            if here + there != 0 {
                let defect = Defect::ClearingDiffers(peer, here, account.currency, there);
                self.find(books, defect);
            }
        }
        Ok(())
    }
}
