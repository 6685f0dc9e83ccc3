//! Price versions, quotes, and the guard that no one pays another price than the one shown.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{PriceId, UserId};

use super::money::Money;
use super::split::BasisPoints;

/// What access costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Free,
    /// One payment for ever.
    OneTimeUnlock(Money),
    /// One payment for a time.
    TimePass(Money, Duration),
}

impl Mode {
    /// What is to be paid; none where access is free.
    pub fn money(&self) -> Option<Money> {
        match *self {
            Self::Free => None,
            Self::OneTimeUnlock(money) | Self::TimePass(money, _) => Some(money),
        }
    }

    /// When access that begins at `start` ends; never where `None`.
    pub fn expiry(&self, start: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Free | Self::OneTimeUnlock(_) => None,
            Self::TimePass(_, duration) => Some(start.plus(*duration)),
        }
    }
}

/// Which rule of a price list a version belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceScope {
    /// Every user without a price of its own.
    TenantDefault,
    /// One recipient; goes before the tenant's default.
    Recipient(UserId),
}

/// One immutable version of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Its id.
    pub id: PriceId,
    /// Which rule it belongs to.
    pub scope: PriceScope,
    /// Number within its scope, from 1.
    pub version: i64,
    /// What access costs.
    pub mode: Mode,
    /// The recipient's share of what the operator leaves; the platform's is the rest.
    pub recipient_share: BasisPoints,
    /// When it was published.
    pub created_at: Timestamp,
    /// When the next version superseded it.
    pub superseded_at: Option<Timestamp>,
}

/// Where a quote comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// The tenant's policy is free: there is no price.
    TenantIsFree,
    /// A price version that is in force.
    Priced(Price),
}

impl Quote {
    /// The price version, where there is one.
    pub fn price_id(&self) -> Option<PriceId> {
        match self {
            Self::TenantIsFree => None,
            Self::Priced(price) => Some(price.id),
        }
    }

    /// What access costs.
    pub fn mode(&self) -> Mode {
        match self {
            Self::TenantIsFree => Mode::Free,
            Self::Priced(price) => price.mode,
        }
    }

    /// Whether this is exactly what the payer saw and accepted: the version and the amount.
    pub fn is(&self, accepted: &Accepted) -> bool {
        self.price_id() == accepted.price_id && self.mode().money() == accepted.money
    }
}

/// The price that a payer saw and accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The quote's price version, where it had one.
    pub price_id: Option<PriceId>,
    /// The quote's amount; none where it was free.
    pub money: Option<Money>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::PriceId;

    use super::{Accepted, Mode, Price, PriceScope, Quote};
    use crate::domain::money::{Currency, Money};
    use crate::domain::split::BasisPoints;

    fn money(code: &str, minor_units: i64) -> Money {
        Money::new(Currency::parse(code).unwrap(), minor_units).unwrap()
    }

    fn quote(mode: Mode) -> Quote {
        Quote::Priced(Price {
            id: PriceId(Uuid::from_u128(1)),
            scope: PriceScope::TenantDefault,
            version: 1,
            mode,
            recipient_share: BasisPoints::new(5_000).unwrap(),
            created_at: Timestamp(0),
            superseded_at: None,
        })
    }

    #[test]
    fn only_the_very_price_and_amount_are_accepted() {
        let quote = quote(Mode::OneTimeUnlock(money("EUR", 500)));
        let (this, other) = (PriceId(Uuid::from_u128(1)), PriceId(Uuid::from_u128(2)));
        let accepted = |price_id, money| Accepted { price_id, money };
        assert!(quote.is(&accepted(Some(this), Some(money("EUR", 500)))));
        assert!(!quote.is(&accepted(Some(other), Some(money("EUR", 500)))));
        assert!(!quote.is(&accepted(Some(this), Some(money("EUR", 501)))));
        assert!(!quote.is(&accepted(Some(this), Some(money("USD", 500)))));
        assert!(!quote.is(&accepted(Some(this), None)));
        assert!(!quote.is(&accepted(None, None)));
        assert!(Quote::TenantIsFree.is(&accepted(None, None)));
        assert!(!Quote::TenantIsFree.is(&accepted(Some(this), None)));
    }

    #[test]
    fn only_a_time_pass_ends() {
        let start = Timestamp(10);
        let pass = Mode::TimePass(money("EUR", 1), Duration::from_micros(5));
        assert_eq!(pass.expiry(start), Some(Timestamp(15)));
        assert_eq!(Mode::OneTimeUnlock(money("EUR", 1)).expiry(start), None);
        assert_eq!(Mode::Free.expiry(start), None);
    }
}
