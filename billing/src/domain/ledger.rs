//! Double entry: accounts of a tenant's books, postings, and transactions that add up to 0.

use uuid::Uuid;

use plasma_kit::Timestamp;
use plasma_kit::ids::{TenantId, TransactionId, UserId};

use super::money::Currency;

/// An account of a tenant's books; with the tenant and a currency it names one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user's money. The one kind with a floor, and so with a kept balance.
    Wallet(UserId),
    /// What the platform holds outside for its users.
    Funding,
    /// What a recipient earned.
    RecipientEarnings(UserId),
    /// What the platform earned.
    PlatformRevenue,
    /// What the operator earned.
    OperatorShare,
    /// What is owed to another platform.
    DueTo(TenantId),
    /// What another platform owes.
    DueFrom(TenantId),
    /// What was taken through the platform's own wallet. It stands where the payer's wallet stands
    /// for hosted money, and has no floor: the provider has.
    ExternalClearing,
    /// What the platform's own wallet did otherwise than it was asked.
    Suspense,
}

impl Account {
    /// The stored number of the account's purpose: that of the contract's `AccountPurpose`.
    pub fn purpose(self) -> i16 {
        match self {
            Self::Wallet(_) => 1,
            Self::Funding => 2,
            Self::RecipientEarnings(_) => 3,
            Self::PlatformRevenue => 4,
            Self::OperatorShare => 5,
            Self::DueTo(_) => 6,
            Self::DueFrom(_) => 7,
            Self::ExternalClearing => 20,
            Self::Suspense => 21,
        }
    }

    /// Whose it is: a user, a peer platform, or nil for the tenant itself.
    pub fn owner(self) -> Uuid {
        match self {
            Self::Wallet(user) | Self::RecipientEarnings(user) => user.0,
            Self::DueTo(peer) | Self::DueFrom(peer) => peer.0,
            Self::Funding
            | Self::PlatformRevenue
            | Self::OperatorShare
            | Self::ExternalClearing
            | Self::Suspense => Uuid::nil(),
        }
    }

    /// The account's id, made from all that identifies it ([`plasma_proof::account_id`]).
    pub fn id(self, tenant: TenantId, currency: Currency) -> Uuid {
        plasma_proof::account_id(tenant.0, self.purpose(), self.owner(), currency.code())
    }

    fn has_floor(self) -> bool {
        matches!(self, Self::Wallet(_))
    }
}

/// What a wallet holds after a movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The balance, in minor units.
    pub balance: i64,
    /// The movement's number within the wallet, from 1.
    pub version: i64,
}

/// One line of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    account: Account,
    minor_units: i64,
    standing: Option<Standing>,
}

impl Posting {
    /// A line on an account without a floor.
    pub fn new(account: Account, minor_units: i64) -> Self {
        Self { account, minor_units, standing: None }
    }

    /// A line on a wallet, with what the wallet holds after it.
    pub fn on_wallet(user: UserId, minor_units: i64, standing: Standing) -> Self {
        Self { account: Account::Wallet(user), minor_units, standing: Some(standing) }
    }

    /// The account.
    pub fn account(&self) -> Account {
        self.account
    }

    /// Signed minor units; never 0.
    pub fn minor_units(&self) -> i64 {
        self.minor_units
    }

    /// What the wallet holds after it; on wallets only.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }
}

/// What a transaction is for. With the external id it is unique in a tenant's books, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A platform added money; the external id is its request.
    Credit,
    /// A platform took money out; the external id is its request.
    Debit,
    /// Access to a chat was paid; the external id is the obligation.
    AccessCharge,
    /// A charge was given back, wholly or in part; the external id is the refund.
    Refund,
    /// A recipient was paid what it earned; the external id is the platform's request.
    Payout,
    /// The payer's own wallet took more or less than it was asked; the external id is the
    /// operation. No wallet of ours moves.
    ExternalDifference,
}

impl Kind {
    /// The stored number: that of the contract's `WalletEntryKind`.
    pub fn number(self) -> i16 {
        match self {
            Self::Credit => 1,
            Self::Debit => 2,
            Self::AccessCharge => 3,
            Self::Refund => 4,
            Self::Payout => 20,
            Self::ExternalDifference => 31,
        }
    }
}

/// What a transaction says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its id.
    pub id: TransactionId,
    /// What it is for.
    pub kind: Kind,
    /// What makes it unique among its kind.
    pub external_id: String,
    /// A reference for people: the platform's own, or the charge.
    pub reference: String,
    /// The transaction that it takes back, wholly or in part.
    pub reverses: Option<TransactionId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why postings are not a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    /// The postings do not add up to 0.
    #[error("the postings add up to {0} instead of 0")]
    Sum(i128),
    /// There is no posting, or one of 0.
    #[error("a posting is missing or 0")]
    Empty,
    /// A wallet's posting lacks its standing.
    #[error("a wallet's posting has no standing")]
    NoStanding,
}

/// A transaction in one tenant's books and one currency, checked: its postings add up to 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    header: Header,
    currency: Currency,
    postings: Vec<Posting>,
}

impl Transaction {
    /// Checks postings and makes a transaction of them.
    pub fn new(
        header: Header,
        currency: Currency,
        postings: Vec<Posting>,
    ) -> Result<Self, Unbalanced> {
        if postings.is_empty() || postings.iter().any(|posting| posting.minor_units == 0) {
            return Err(Unbalanced::Empty);
        }
        if postings.iter().any(|posting| posting.account.has_floor() && posting.standing.is_none())
        {
            return Err(Unbalanced::NoStanding);
        }
        match postings.iter().map(|posting| i128::from(posting.minor_units)).sum() {
            0 => Ok(Self { header, currency, postings }),
            sum => Err(Unbalanced::Sum(sum)),
        }
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The currency of every posting.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The lines.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{TenantId, TransactionId, UserId};

    use super::{Account, Currency, Header, Kind, Posting, Standing, Transaction, Unbalanced};

    fn transaction(postings: Vec<Posting>) -> Result<Transaction, Unbalanced> {
        let header = Header {
            id: TransactionId(Uuid::from_u128(1)),
            kind: Kind::Credit,
            external_id: "one".to_owned(),
            reference: String::new(),
            reverses: None,
            created_at: Timestamp(0),
        };
        Transaction::new(header, Currency::parse("EUR").unwrap(), postings)
    }

    #[test]
    fn a_transaction_needs_lines_that_are_not_nothing() {
        assert_eq!(transaction(Vec::new()), Err(Unbalanced::Empty));
        let zero = Posting::new(Account::Funding, 0);
        assert_eq!(transaction(vec![zero]), Err(Unbalanced::Empty));
    }

    #[test]
    fn a_wallet_is_not_posted_to_without_its_balance() {
        let user = UserId(Uuid::from_u128(2));
        let funding = Posting::new(Account::Funding, -5);
        let bare = Posting::new(Account::Wallet(user), 5);
        assert_eq!(transaction(vec![funding, bare]), Err(Unbalanced::NoStanding));
        let standing = Standing { balance: 5, version: 1 };
        assert!(transaction(vec![funding, Posting::on_wallet(user, 5, standing)]).is_ok());
    }

    #[test]
    fn sums_do_not_wrap_around() {
        let lines = vec![
            Posting::new(Account::Funding, i64::MAX),
            Posting::new(Account::PlatformRevenue, i64::MAX),
            Posting::new(Account::OperatorShare, 2),
        ];
        assert!(matches!(transaction(lines), Err(Unbalanced::Sum(_))));
    }

    #[test]
    fn an_accounts_id_depends_on_all_that_identifies_it() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (euro, yen) = (Currency::parse("EUR").unwrap(), Currency::parse("JPY").unwrap());
        let ids = [
            Account::Wallet(UserId(one)).id(TenantId(one), euro),
            Account::Wallet(UserId(two)).id(TenantId(one), euro),
            Account::Wallet(UserId(one)).id(TenantId(two), euro),
            Account::Wallet(UserId(one)).id(TenantId(one), yen),
            Account::RecipientEarnings(UserId(one)).id(TenantId(one), euro),
            Account::DueTo(TenantId(one)).id(TenantId(one), euro),
            Account::DueFrom(TenantId(one)).id(TenantId(one), euro),
            Account::Funding.id(TenantId(one), euro),
        ];
        let different: std::collections::HashSet<Uuid> = ids.into_iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(ids[0], Account::Wallet(UserId(one)).id(TenantId(one), euro));
    }

    proptest! {
        #[test]
        fn only_what_adds_up_to_0_is_a_transaction(
            amounts in prop::collection::vec(-1_000_i64..=1_000, 1..6),
            balanced in any::<bool>(),
        ) {
            let mut amounts: Vec<i64> = amounts.into_iter().filter(|amount| *amount != 0).collect();
            let sum: i64 = amounts.iter().sum();
            if balanced && sum != 0 {
                amounts.push(-sum);
            }
            let zero = amounts.iter().sum::<i64>() == 0 && !amounts.is_empty();
            let lines = amounts.into_iter().map(|amount| Posting::new(Account::Funding, amount));
            prop_assert_eq!(transaction(lines.collect()).is_ok(), zero);
        }
    }
}
