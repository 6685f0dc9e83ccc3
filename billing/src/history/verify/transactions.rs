//! Each transaction by itself: its postings, its accounts, its place in the history.

use std::collections::HashMap;

use plasma_kit::db::StoreError;
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, Id, TransactionId};
use plasma_proof::account_id;
use uuid::Uuid;

use super::{Audit, Defect, PAGE, SnapshotOf};
use crate::domain::ledger::Kind;
use crate::store::audit::{self, AccountRow, Place};
use crate::store::recorded::{self, Recorded};

/// How long a transaction may wait to be folded, in seconds.
const WAIT_MAX: i64 = 600;

impl Audit<'_> {
    pub(super) async fn transactions(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        let mut after = Uuid::nil();
        loop {
            let page = recorded::page(books, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.header.transaction;
            self.page(books, &page).await?;
        }
        for orphan in audit::postings_without_transaction(books).await? {
            self.find(books, Defect::PostingsWithoutTransaction(orphan));
        }
        for orphan in audit::waiting_without_transaction(books).await? {
            self.find(books, Defect::WaitsWithoutTransaction(orphan));
        }
        Ok(())
    }

    async fn page(&mut self, books: &SnapshotOf<'_>, page: &[Recorded]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = page.iter().map(|one| one.header.transaction).collect();
        let places = audit::places(books, &ids).await?;
        let mut used: Vec<Uuid> =
            page.iter().flat_map(|one| &one.postings).map(|posting| posting.account).collect();
        used.sort_unstable();
        used.dedup();
        let accounts = audit::accounts(books, &used).await?;
        for one in page {
            self.verified.transactions += 1;
            self.postings(books, one, &accounts);
            self.place(books, one, places.get(&one.header.transaction));
        }
        self.charges_of(books, page, &accounts).await
    }

    fn postings(
        &mut self,
        books: &SnapshotOf<'_>,
        one: &Recorded,
        accounts: &HashMap<Uuid, AccountRow>,
    ) {
        let id = TransactionId(one.header.transaction);
        let fits = |(line, posting): (i16, &plasma_proof::Posting)| {
            posting.line == line
                && posting.created_at == one.header.created_at
                && posting.currency == one.postings[0].currency
        };
        if one.postings.is_empty() || !(1_i16..).zip(&one.postings).all(fits) {
            self.find(books, Defect::Malformed(id));
        }
        match one.postings.iter().map(|posting| i128::from(posting.minor_units)).sum() {
            0 => {}
            sum => self.find(books, Defect::Unbalanced(id, sum)),
        }
        for posting in &one.postings {
            let is_right = accounts.get(&posting.account).is_some_and(|account| {
                let (tenant, code) = (books.id().0, &account.currency);
                *code == posting.currency
                    && account_id(tenant, account.purpose, account.owner, code) == posting.account
            });
            if !is_right {
                self.find(books, Defect::WrongAccount(id, posting.line, posting.account));
            }
        }
    }

    fn place(&mut self, books: &SnapshotOf<'_>, one: &Recorded, place: Option<&Place>) {
        let id = TransactionId(one.header.transaction);
        let Some(place) = place else {
            return self.find(books, Defect::NotInHistory(id));
        };
        if let Some((number, entry)) = place.folded {
            if self.seals.entry(one) != entry {
                self.find(books, Defect::Changed(id, number));
            }
            if place.waits_since.is_some() {
                self.find(books, Defect::FoldedTwice(id));
            }
        } else if let Some(since) = place.waits_since {
            let waited = self.now.seconds() - Timestamp(since).seconds();
            if waited > WAIT_MAX {
                self.find(books, Defect::Waiting(id, waited));
            }
        }
    }

    /// The charges that transactions post are there, in the books of whom is paid.
    async fn charges_of(
        &mut self,
        books: &SnapshotOf<'_>,
        page: &[Recorded],
        accounts: &HashMap<Uuid, AccountRow>,
    ) -> Result<(), StoreError> {
        for one in page.iter().filter(|one| one.header.kind == Kind::AccessCharge.number()) {
            let mut owed = one.postings.iter().filter_map(|posting| accounts.get(&posting.account));
            let peer = owed.find_map(AccountRow::due_to);
            let home = books.peer(peer.unwrap_or(books.id()));
            let charge = ChargeId::parse(&one.header.reference);
            let is_there = match charge {
                Some(charge) => audit::has_charge(&home, charge).await?,
                None => false,
            };
            if !is_there {
                let id = TransactionId(one.header.transaction);
                self.find(books, Defect::ChargeGone(id, one.header.reference.clone()));
            }
        }
        Ok(())
    }
}
