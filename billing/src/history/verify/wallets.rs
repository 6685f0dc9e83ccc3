//! Wallets: each movement after the one before, and the balance after the last.

use plasma_kit::db::StoreError;
use uuid::Uuid;

use super::{Audit, Defect, PAGE, SnapshotOf};
use crate::store::audit::{self, WalletEntry};

/// A wallet as its postings make it.
struct Wallet {
    account: Uuid,
    balance: i128,
    entries: i64,
}

impl Audit<'_> {
    pub(super) async fn wallets(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        let mut wallet: Option<Wallet> = None;
        let mut after = (Uuid::nil(), 0);
        loop {
            let page = audit::wallet_entries(books, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.account, last.version);
            let mut ended = Vec::new();
            for entry in &page {
                self.verified.wallet_entries += 1;
                if wallet.as_ref().is_none_or(|wallet| wallet.account != entry.account) {
                    let next = Wallet { account: entry.account, balance: 0, entries: 0 };
                    ended.extend(wallet.replace(next));
                }
                if let Some(wallet) = &mut wallet {
                    self.entry(books, wallet, entry);
                }
            }
            self.balances(books, &ended).await?;
        }
        let last: Vec<Wallet> = wallet.into_iter().collect();
        self.balances(books, &last).await?;
        for account in audit::balances_without_postings(books).await? {
            self.find(books, Defect::BalanceMissing(account));
        }
        Ok(())
    }

    fn entry(&mut self, books: &SnapshotOf<'_>, wallet: &mut Wallet, entry: &WalletEntry) {
        wallet.balance += i128::from(entry.minor_units);
        wallet.entries += 1;
        if i128::from(entry.balance) != wallet.balance || entry.version != wallet.entries {
            let (id, version) = (entry.transaction, entry.version);
            let (stated, right) = (entry.balance, wallet.balance);
            let defect = Defect::WrongStanding(id, wallet.account, version, stated, right);
            self.find(books, defect);
            // What follows is held against what this one says, so that one change is found once.
            wallet.balance = entry.balance.into();
            wallet.entries = entry.version;
        }
    }

    async fn balances(
        &mut self,
        books: &SnapshotOf<'_>,
        wallets: &[Wallet],
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = wallets.iter().map(|wallet| wallet.account).collect();
        let balances = audit::balances(books, &ids).await?;
        for wallet in wallets {
            let Some(balance) = balances.get(&wallet.account) else {
                self.find(books, Defect::BalanceMissing(wallet.account));
                continue;
            };
            if i128::from(balance.posted) != wallet.balance {
                let (account, right) = (wallet.account, wallet.balance);
                self.find(books, Defect::WrongBalance(account, balance.posted, right));
            }
            if balance.version != wallet.entries {
                let (account, entries) = (wallet.account, wallet.entries);
                self.find(books, Defect::WrongVersion(account, balance.version, entries));
            }
        }
        Ok(())
    }
}
