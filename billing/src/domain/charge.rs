//! A charge for access, and what it posts to whose books.

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChargeId, PriceId, TenantId, TransactionId};

use super::ledger::{Account, Header, Kind, Posting, Standing, Transaction, Unbalanced};
use super::money::Money;
use super::pass::{Obligation, Party};
use super::split::Split;

/// One payment for access, with its split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// The debt that it pays.
    pub obligation: Obligation,
    /// The price version.
    pub price: PriceId,
    /// Who pays.
    pub payer: Party,
    /// Who is paid for.
    pub recipient: Party,
    /// What is paid.
    pub money: Money,
    /// How it is divided.
    pub split: Split,
    /// When it was charged.
    pub created_at: Timestamp,
}

impl Charge {
    /// The transactions of the charge, each with the tenant in whose books it belongs, in the order
    /// of the tenants, which is the order of locks. `wallet` is what the payer's wallet holds
    /// after it.
    ///
    /// Within one platform the wallet pays the three parts. Between platforms the payer's books
    /// owe the whole to the recipient's platform, whose books are owed it and divide it.
    pub fn transactions(
        &self,
        ids: [TransactionId; 2],
        wallet: Standing,
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        let paid = Posting::on_wallet(self.payer.user, -self.money.minor_units(), wallet);
        self.books(ids, paid)
    }

    /// The same where the payer's own wallet pays: its clearing account stands where the wallet
    /// stands.
    pub fn external_transactions(
        &self,
        ids: [TransactionId; 2],
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        self.books(ids, Posting::new(Account::ExternalClearing, -self.money.minor_units()))
    }

    fn books(
        &self,
        ids: [TransactionId; 2],
        paid: Posting,
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        let (amount, home) = (self.money.minor_units(), self.recipient.tenant);
        let parts = [
            (Account::RecipientEarnings(self.recipient.user), self.split.recipient()),
            (Account::PlatformRevenue, self.split.platform()),
            (Account::OperatorShare, self.split.operator()),
        ];
        let parts = parts
            .into_iter()
            .filter(|(_, part)| *part != 0)
            .map(|(account, part)| Posting::new(account, part));
        if self.payer.tenant == home {
            let postings = std::iter::once(paid).chain(parts).collect();
            return Ok(vec![(home, self.transaction(ids[0], postings)?)]);
        }
        let owed = Posting::new(Account::DueTo(home), amount);
        let due = Posting::new(Account::DueFrom(self.payer.tenant), -amount);
        let divided = std::iter::once(due).chain(parts).collect();
        let mut both = vec![
            (self.payer.tenant, self.transaction(ids[0], vec![paid, owed])?),
            (home, self.transaction(ids[1], divided)?),
        ];
        both.sort_by_key(|(tenant, _)| *tenant);
        Ok(both)
    }

    fn transaction(
        &self,
        id: TransactionId,
        postings: Vec<Posting>,
    ) -> Result<Transaction, Unbalanced> {
        let header = Header {
            id,
            kind: Kind::AccessCharge,
            external_id: self.obligation.external_id(),
            reference: self.id.to_string(),
            reverses: None,
            created_at: self.created_at,
        };
        Transaction::new(header, self.money.currency(), postings)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{ChargeId, ChatId, PriceId, TenantId, TransactionId, UserId};

    use super::{Account, Charge, Obligation, Party, Split, Standing};
    use crate::domain::money::{Currency, Money};
    use crate::domain::split::BasisPoints;

    const WALLET: Standing = Standing { balance: 0, version: 1 };

    fn charge(payer: u128, recipient: u128, amount: i64, operator: u32, share: u32) -> Charge {
        let party = |tenant, user| Party {
            tenant: TenantId(Uuid::from_u128(tenant)),
            user: UserId(Uuid::from_u128(user)),
        };
        let points = |value| BasisPoints::new(value).unwrap();
        Charge {
            id: ChargeId(Uuid::from_u128(1)),
            obligation: Obligation { chat: ChatId(Uuid::from_u128(2)), ordinal: 1 },
            price: PriceId(Uuid::from_u128(3)),
            payer: party(payer, 4),
            recipient: party(recipient, 5),
            money: Money::new(Currency::parse("EUR").unwrap(), amount).unwrap(),
            split: Split::of(amount, points(operator), points(share)),
            created_at: Timestamp(0),
        }
    }

    fn ids() -> [TransactionId; 2] {
        [TransactionId(Uuid::from_u128(6)), TransactionId(Uuid::from_u128(7))]
    }

    #[test]
    fn between_platforms_one_owes_what_the_other_is_owed() {
        for (payer, recipient) in [(1, 2), (2, 1)] {
            let books = charge(payer, recipient, 500, 1_000, 8_000).transactions(ids(), WALLET);
            let books = books.unwrap();
            assert!(books[0].0 < books[1].0, "books are locked in the order of their tenants");
            let (payer, recipient) =
                (TenantId(Uuid::from_u128(payer)), TenantId(Uuid::from_u128(recipient)));
            let posted = |tenant, account| -> i64 {
                let (_, book) = books.iter().find(|(owner, _)| *owner == tenant).unwrap();
                book.postings()
                    .iter()
                    .filter(|posting| posting.account() == account)
                    .map(super::Posting::minor_units)
                    .sum()
            };
            assert_eq!(posted(payer, Account::DueTo(recipient)), 500);
            assert_eq!(posted(recipient, Account::DueFrom(payer)), -500);
            assert_eq!(posted(recipient, Account::OperatorShare), 50);
            assert_eq!(posted(recipient, Account::PlatformRevenue), 90);
        }
    }

    proptest! {
        #[test]
        fn every_charge_balances_in_every_book(
            recipient in 1_u128..=2,
            amount in 1_i64..=10_000,
            operator in 0_u32..=10_000,
            share in 0_u32..=10_000,
        ) {
            let books = charge(1, recipient, amount, operator, share).transactions(ids(), WALLET);
            prop_assert_eq!(books.unwrap().len(), usize::try_from(recipient).unwrap());
        }
    }
}
