//! Quotes, and the guard that no one pays another price than the one shown.

use plasma_kit::ids::PriceId;

use super::money::Money;
use super::price::{Mode, Price, PriceTerms};

/// What access costs a payer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// The tenant's policy is free: there is no price.
    TenantIsFree,
    /// A price version that is in force. Its trial is left out where this payer cannot have it.
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

    /// What access costs, and how it is paid.
    pub fn terms(&self) -> PriceTerms {
        match self {
            Self::TenantIsFree => PriceTerms { mode: Mode::Free, trial: None },
            Self::Priced(price) => price.definition.terms,
        }
    }

    /// The same quote for a payer who had a trial.
    #[must_use]
    pub fn without_trial(self) -> Self {
        match self {
            Self::TenantIsFree => self,
            Self::Priced(mut price) => {
                price.definition.terms.trial = None;
                Self::Priced(price)
            }
        }
    }

    /// Whether this is exactly what the payer saw and accepted: the version, the amount, and a trial
    /// only where there is one.
    pub fn is(&self, accepted: &Accepted) -> bool {
        let terms = self.terms();
        self.price_id() == accepted.price_id
            && terms.mode.money() == accepted.money
            && (!accepted.trial || terms.trial.is_some())
    }
}

/// The price that a payer saw and accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The quote's price version, where it had one.
    pub price_id: Option<PriceId>,
    /// The quote's amount; none where it was free.
    pub money: Option<Money>,
    /// Whether the payer takes the trial.
    pub trial: bool,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::PriceId;

    use super::{Accepted, Mode, Price, PriceTerms, Quote};
    use crate::domain::money::{Currency, Money};
    use crate::domain::price::{PriceDefinition, PriceTarget, Trial};
    use crate::domain::split::BasisPoints;

    fn money(code: &str, minor_units: i64) -> Money {
        Money::new(Currency::parse(code).unwrap(), minor_units).unwrap()
    }

    fn quote(trial: Option<Trial>) -> Quote {
        let terms = PriceTerms { mode: Mode::OneTimeUnlock(money("EUR", 500)), trial };
        Quote::Priced(Price {
            id: PriceId(Uuid::from_u128(1)),
            version: 1,
            definition: PriceDefinition {
                target: PriceTarget::TenantDefault,
                terms,
                recipient_share: BasisPoints::new(5_000).unwrap(),
                consent: None,
            },
            created_at: Timestamp(0),
            effective_at: Timestamp(0),
        })
    }

    #[test]
    fn only_the_very_price_and_amount_are_accepted() {
        let (this, other) = (PriceId(Uuid::from_u128(1)), PriceId(Uuid::from_u128(2)));
        let accepted = |price_id, money| Accepted { price_id, money, trial: false };
        let quote = quote(None);
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
    fn a_trial_is_accepted_where_it_is_offered_and_may_be_forgone() {
        let trial = Trial { duration: Duration::from_secs(1), converts: false };
        let accepted = |trial| Accepted {
            price_id: Some(PriceId(Uuid::from_u128(1))),
            money: Some(money("EUR", 500)),
            trial,
        };
        assert!(quote(Some(trial)).is(&accepted(true)));
        assert!(quote(Some(trial)).is(&accepted(false)));
        assert!(!quote(None).is(&accepted(true)));
    }
}
