//! Refunds: what each part of a charge gives back, and what that posts to whose books.

use plasma_kit::Timestamp;
use plasma_kit::ids::{RefundId, TenantId, TransactionId};

use super::charge::Charge;
use super::ledger::{Account, Header, Kind, Posting, Standing, Transaction, Unbalanced};
use super::split::Split;

/// Money of one charge that is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// What was paid.
    pub charge: Charge,
    /// What each part gives back.
    pub given: Split,
    /// What of the charge has been given back with this refund.
    pub refunded: Split,
    /// Its number among the refunds of the charge, from 1.
    pub ordinal: i64,
    /// Whether access ended with it.
    pub ended_access: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Refund {
    /// The transactions of the refund: those of the charge the other way, with the parts that are
    /// given back, in the order of the tenants. `reverses` are the charge's own in the same books.
    pub fn transactions(
        &self,
        ids: [TransactionId; 2],
        reverses: impl Fn(TenantId) -> Option<TransactionId>,
        wallet: Standing,
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        let returned = Posting::on_wallet(self.charge.payer.user, self.given.sum(), wallet);
        self.books(ids, reverses, returned)
    }

    /// The same where the payer's own wallet paid: its clearing account stands where the wallet
    /// stands.
    pub fn external_transactions(
        &self,
        ids: [TransactionId; 2],
        reverses: impl Fn(TenantId) -> Option<TransactionId>,
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        let returned = Posting::new(Account::ExternalClearing, self.given.sum());
        self.books(ids, reverses, returned)
    }

    fn books(
        &self,
        ids: [TransactionId; 2],
        reverses: impl Fn(TenantId) -> Option<TransactionId>,
        returned: Posting,
    ) -> Result<Vec<(TenantId, Transaction)>, Unbalanced> {
        let Charge { payer, recipient, .. } = self.charge;
        let (amount, home) = (self.given.sum(), recipient.tenant);
        let parts = [
            (Account::RecipientEarnings(recipient.user), self.given.recipient()),
            (Account::PlatformRevenue, self.given.platform()),
            (Account::OperatorShare, self.given.operator()),
        ];
        let parts = parts
            .into_iter()
            .filter(|(_, part)| *part != 0)
            .map(|(account, part)| Posting::new(account, -part));
        let transaction = |id, tenant, postings| {
            let header = Header {
                id,
                kind: Kind::Refund,
                external_id: self.id.to_string(),
                reference: self.charge.id.to_string(),
                reverses: reverses(tenant),
                created_at: self.created_at,
            };
            Transaction::new(header, self.charge.money.currency(), postings)
        };
        if payer.tenant == home {
            let postings = std::iter::once(returned).chain(parts).collect();
            return Ok(vec![(home, transaction(ids[0], home, postings)?)]);
        }
        let owed = Posting::new(Account::DueTo(home), -amount);
        let due = Posting::new(Account::DueFrom(payer.tenant), amount);
        let divided = std::iter::once(due).chain(parts).collect();
        let mut both = vec![
            (payer.tenant, transaction(ids[0], payer.tenant, vec![returned, owed])?),
            (home, transaction(ids[1], home, divided)?),
        ];
        both.sort_by_key(|(tenant, _)| *tenant);
        Ok(both)
    }
}

/// What is left of a charge's parts after the refunds before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remainder {
    left: Split,
}

impl Remainder {
    /// What is left of `charged` after `refunded` of it; `None` where more was given back than a part
    /// had, which no refund does.
    pub fn of(charged: Split, refunded: Split) -> Option<Self> {
        Some(Self { left: charged.less(refunded)? })
    }

    /// What is left, in minor units.
    pub fn minor_units(self) -> i64 {
        self.left.sum()
    }

    /// Divides a refund of `amount` among the parts, in proportion to what is left of each: the
    /// operator's and the recipient's are rounded down, the platform gives the rest, and what the
    /// platform does not have comes from the recipient and then from the operator. `None` where
    /// `amount` is not above 0 or more than is left.
    pub fn give_back(self, amount: i64) -> Option<Split> {
        let whole = self.left.sum();
        if amount <= 0 || amount > whole {
            return None;
        }
        let share = |part: i64| {
            let share = i128::from(part) * i128::from(amount) / i128::from(whole);
            i64::try_from(share).expect("a share is no more than its part")
        };
        let mut operator = share(self.left.operator());
        let mut recipient = share(self.left.recipient());
        let platform = (amount - operator - recipient).min(self.left.platform());
        let mut missing = amount - operator - recipient - platform;
        let more = missing.min(self.left.recipient() - recipient);
        recipient += more;
        missing -= more;
        operator += missing;
        Some(Split::from_parts(operator, recipient, platform))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Remainder;
    use crate::domain::split::{BasisPoints, Split};

    const NOTHING: Split = Split::from_parts(0, 0, 0);

    #[test]
    fn a_whole_refund_reverses_the_split() {
        let charged = Split::from_parts(99, 720, 180);
        let left = Remainder::of(charged, NOTHING).unwrap();
        assert_eq!(left.give_back(999), Some(charged));
        assert_eq!(left.give_back(1_000), None);
        assert_eq!(left.give_back(0), None);
        assert_eq!(left.give_back(-1), None);
    }

    #[test]
    fn no_part_gives_back_more_than_it_has() {
        let left = Remainder::of(Split::from_parts(1, 1, 0), NOTHING).unwrap();
        assert_eq!(left.give_back(1), Some(Split::from_parts(0, 1, 0)));
    }

    proptest! {
        /// Prices from 1 to 10,000, random shares, and any sequence of partial refunds.
        #[test]
        fn all_refunds_of_a_charge_add_up_to_its_parts(
            amount in 1_i64..=10_000,
            operator in 0_u32..=10_000,
            recipient in 0_u32..=10_000,
            steps in prop::collection::vec(1_i64..=10_000, 0..20),
        ) {
            let points = |value| BasisPoints::new(value).unwrap();
            let charged = Split::of(amount, points(operator), points(recipient));
            let mut refunded = NOTHING;
            let mut all: Vec<i64> = steps;
            all.push(amount);
            for step in all {
                let left = Remainder::of(charged, refunded).unwrap();
                let step = step.min(left.minor_units());
                if step == 0 {
                    break;
                }
                let given = left.give_back(step).unwrap();
                prop_assert_eq!(given.sum(), step);
                prop_assert!(given.operator() >= 0 && given.recipient() >= 0 && given.platform() >= 0);
                refunded = refunded.plus(given);
            }
            prop_assert_eq!(refunded, charged);
        }
    }
}
