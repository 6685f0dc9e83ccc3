//! Price versions: whom a price is for, what it says, and from when on.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{PayerGroupId, PriceId, UserId};

use super::calendar::Period;
use super::money::Money;
use super::pass::Party;
use super::split::BasisPoints;

/// How a subscription is charged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recurrence {
    /// How long one period is.
    pub period: Period,
    /// How long access goes on where a renewal is not covered.
    pub grace: Duration,
}

/// What access costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Free,
    /// One payment for ever.
    OneTimeUnlock(Money),
    /// One payment for a time.
    TimePass(Money, Duration),
    /// One payment for each period.
    Subscription(Money, Recurrence),
    /// One payment for a number of messages of the payer.
    MessageBundle(Money, u32),
}

impl Mode {
    /// What is to be paid; none where access is free.
    pub fn money(&self) -> Option<Money> {
        match *self {
            Self::Free => None,
            Self::OneTimeUnlock(money)
            | Self::TimePass(money, _)
            | Self::Subscription(money, _)
            | Self::MessageBundle(money, _) => Some(money),
        }
    }
}

/// Free access before the first payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// How long it lasts.
    pub duration: Duration,
    /// Whether the first payment is taken by itself at its end.
    pub converts: bool,
}

/// What access costs, and how it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceTerms {
    /// What it costs.
    pub mode: Mode,
    /// What comes free before; never with [`Mode::Free`].
    pub trial: Option<Trial>,
}

/// Whom a price is for. The first that fits wins, in the order of [`PriceTarget::precedence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PriceTarget {
    /// Everybody for whom there is no other rule.
    TenantDefault,
    /// Chats with one recipient.
    Recipient(UserId),
    /// Payers of one group.
    PayerGroup(PayerGroupId),
    /// One payer and one recipient.
    Pair {
        /// Who pays.
        payer: Party,
        /// Who is paid for.
        recipient: UserId,
    },
}

impl PriceTarget {
    /// Where the rule stands among those that fit: the greater goes first.
    pub fn precedence(&self) -> u8 {
        match self {
            Self::TenantDefault => 0,
            Self::PayerGroup(_) => 1,
            Self::Recipient(_) => 2,
            Self::Pair { .. } => 3,
        }
    }

    /// Whether it is for this payer, who is in `group`, and this recipient.
    pub fn fits(&self, payer: Party, group: Option<PayerGroupId>, recipient: UserId) -> bool {
        match *self {
            Self::TenantDefault => true,
            Self::Recipient(user) => user == recipient,
            Self::PayerGroup(named) => group == Some(named),
            Self::Pair { payer: named, recipient: user } => named == payer && user == recipient,
        }
    }
}

/// All that a price says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceDefinition {
    /// Whom it is for.
    pub target: PriceTarget,
    /// What access costs.
    pub terms: PriceTerms,
    /// The recipient's share of what the operator leaves; the platform's is the rest.
    pub recipient_share: BasisPoints,
    /// How long subscribers of an older version may go without accepting this dearer one; for ever
    /// where `None`.
    pub consent: Option<Duration>,
}

/// One immutable version of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Its id.
    pub id: PriceId,
    /// Number within its target, from 1, as published.
    pub version: i64,
    /// All that it says.
    pub definition: PriceDefinition,
    /// When it was published.
    pub created_at: Timestamp,
    /// When it takes effect.
    pub effective_at: Timestamp,
}

impl Price {
    /// What access costs.
    pub fn mode(&self) -> Mode {
        self.definition.terms.mode
    }

    /// The trial that it offers.
    pub fn trial(&self) -> Option<Trial> {
        self.definition.terms.trial
    }

    /// Whether a subscriber of `older` has this price from the next renewal on without being asked:
    /// the same currency and period, and not dearer.
    pub fn reaches_subscribers_of(&self, older: &Self) -> bool {
        match (older.mode(), self.mode()) {
            (Mode::Subscription(before, old), Mode::Subscription(now, new)) => {
                old.period == new.period
                    && before.currency() == now.currency()
                    && now.minor_units() <= before.minor_units()
            }
            _ => false,
        }
    }

    /// When subscribers of an older version lose it unless they accept this one; never where
    /// `None`.
    pub fn consent_deadline(&self) -> Option<Timestamp> {
        self.definition.consent.map(|time| self.effective_at.plus(time))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{PayerGroupId, PriceId, TenantId, UserId};

    use super::{Mode, Period, Price, PriceDefinition, PriceTarget, PriceTerms, Recurrence};
    use crate::domain::money::{Currency, Money};
    use crate::domain::pass::Party;
    use crate::domain::split::BasisPoints;

    fn monthly(code: &str, minor_units: i64, months: u8) -> Price {
        let money = Money::new(Currency::parse(code).unwrap(), minor_units).unwrap();
        let recurrence = Recurrence { period: Period::Months(months), grace: Duration::ZERO };
        Price {
            id: PriceId(Uuid::from_u128(1)),
            version: 1,
            definition: PriceDefinition {
                target: PriceTarget::TenantDefault,
                terms: PriceTerms { mode: Mode::Subscription(money, recurrence), trial: None },
                recipient_share: BasisPoints::new(5_000).unwrap(),
                consent: Some(Duration::from_micros(5)),
            },
            created_at: Timestamp(0),
            effective_at: Timestamp(10),
        }
    }

    #[test]
    fn the_rule_that_says_most_goes_first() {
        let user = UserId(Uuid::from_u128(1));
        let payer = Party { tenant: TenantId(Uuid::from_u128(2)), user };
        let rules = [
            PriceTarget::Pair { payer, recipient: user },
            PriceTarget::Recipient(user),
            PriceTarget::PayerGroup(PayerGroupId(Uuid::from_u128(3))),
            PriceTarget::TenantDefault,
        ];
        assert!(rules.windows(2).all(|pair| pair[0].precedence() > pair[1].precedence()));
    }

    #[test]
    fn only_what_costs_no_more_reaches_subscribers_unasked() {
        let mine = monthly("EUR", 500, 1);
        assert!(monthly("EUR", 499, 1).reaches_subscribers_of(&mine));
        assert!(monthly("EUR", 500, 1).reaches_subscribers_of(&mine));
        assert!(!monthly("EUR", 501, 1).reaches_subscribers_of(&mine));
        assert!(!monthly("USD", 400, 1).reaches_subscribers_of(&mine));
        assert!(!monthly("EUR", 400, 2).reaches_subscribers_of(&mine));
        let mut free = mine;
        free.definition.terms.mode = Mode::Free;
        assert!(!free.reaches_subscribers_of(&mine));
        assert_eq!(mine.consent_deadline(), Some(Timestamp(15)));
    }
}
