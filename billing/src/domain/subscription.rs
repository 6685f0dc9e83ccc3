//! Subscriptions: which period is due when, what follows from a payment or a refusal, and at which
//! price a period is renewed.
//!
//! A paid period has a number, from 0, and begins by the calendar, counted from the anchor. While a
//! subscription is past due its access goes on for the price's grace, and what is owed is charged
//! period by period as soon as the wallet covers it. Who returns after a lapse begins anew.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChatId, PriceId, SubscriptionId};

use super::calendar::{Zone, period_start};
use super::pass::Party;
use super::price::{Mode, Price, Recurrence};

/// Into how many attempts a grace is divided.
const ATTEMPTS_IN_GRACE: u32 = 8;
/// The least time between two attempts by themselves; a credit of the wallet does not wait for it.
const RETRY_MIN: Duration = Duration::from_mins(15);

/// How long a subscription's pass outlasts what it is for, so that a renewal that is a moment late
/// closes no chat.
pub const RENEWAL_SLACK: Duration = Duration::from_mins(5);

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// In a trial that a charge follows.
    Trialing,
    /// Paid.
    Active,
    /// A renewal was not covered.
    PastDue {
        /// When access ends unless it is paid.
        grace_end: Timestamp,
        /// When it is tried again by itself.
        retry_at: Timestamp,
    },
    /// Ended for want of payment.
    Lapsed(Timestamp),
    /// Ended otherwise.
    Ended(Timestamp),
}

impl State {
    /// Whether anything will still be charged.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::PastDue { .. })
    }
}

/// One paid period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidPeriod {
    /// Its number since the anchor, from 0.
    pub number: u32,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
}

/// Access to a chat that is charged for again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The chat.
    pub chat: ChatId,
    /// Who pays.
    pub payer: Party,
    /// Whose price it is.
    pub recipient: Party,
    /// The price version that it renews at.
    pub price: PriceId,
    /// The dearer version that the payer accepted.
    pub accepted: Option<PriceId>,
    /// Where the calendar is read.
    pub zone: Zone,
    /// Where it stands.
    pub state: State,
    /// When the period 0 begins.
    pub anchor: Timestamp,
    /// The number of the period that is paid next.
    pub next_period: u32,
    /// When that period begins, and is due: when the period or trial that runs ends.
    pub period_end: Timestamp,
    /// How many periods were paid.
    pub periods_paid: i64,
    /// Whether it ends with the period that runs.
    pub cancel_at_period_end: bool,
    /// When it was bought.
    pub created_at: Timestamp,
}

/// At which price a period is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// At this version.
    At(Price),
    /// Access has become free.
    Free,
    /// Not at all: the payer did not accept the price that replaced the old one.
    NotAccepted,
}

impl Subscription {
    /// When something is to be done for it; `None` once it has ended.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Trialing | State::Active => Some(self.period_end),
            State::PastDue { grace_end, retry_at } => Some(retry_at.min(grace_end)),
            State::Lapsed(_) | State::Ended(_) => None,
        }
    }

    /// The period that is due, at the recurrence of the price that it is renewed at. `None` past the
    /// calendar's last year.
    ///
    /// Another recurrence than before counts from the end of the period that ran.
    pub fn period_due(&self, recurs: Recurrence, as_before: bool) -> Option<(Self, PaidPeriod)> {
        let mut rebased = self.clone();
        if !as_before {
            rebased.anchor = self.period_end;
            rebased.next_period = 0;
        }
        let number = rebased.next_period;
        let end = period_start(rebased.anchor, &self.zone, recurs.period, number.checked_add(1)?)?;
        Some((rebased, PaidPeriod { number, start: self.period_end, end }))
    }

    /// After a period was paid, at the price of `version`.
    #[must_use]
    pub fn paid(mut self, period: PaidPeriod, version: PriceId) -> Self {
        self.state = State::Active;
        self.next_period = period.number + 1;
        self.period_end = period.end;
        self.periods_paid += 1;
        self.price = version;
        self.accepted = self.accepted.filter(|accepted| *accepted != version);
        self
    }

    /// After the wallet did not cover what is due at `now`.
    #[must_use]
    pub fn refused(mut self, grace: Duration, now: Timestamp) -> Self {
        let grace_end = match self.state {
            State::PastDue { grace_end, .. } => grace_end,
            // Counted from now where nobody tried before: nothing told the payer until now.
            _ => self.period_end.max(now).plus(grace),
        };
        self.state = if now >= grace_end {
            State::Lapsed(now)
        } else {
            let pause = (grace / ATTEMPTS_IN_GRACE).max(RETRY_MIN);
            State::PastDue { grace_end, retry_at: now.plus(pause).min(grace_end) }
        };
        self
    }

    /// After it was cancelled: at once where the period that would be left is not paid.
    #[must_use]
    pub fn cancelled(mut self, now: Timestamp) -> Self {
        match self.state {
            State::PastDue { .. } => self.state = State::Ended(now),
            State::Trialing | State::Active => self.cancel_at_period_end = true,
            State::Lapsed(_) | State::Ended(_) => {}
        }
        self
    }

    /// While it cannot be used, through no fault of its payer: periods count from `until` on, and
    /// what was past due is due then.
    #[must_use]
    pub fn paused_until(mut self, until: Timestamp) -> Self {
        if matches!(self.state, State::PastDue { .. }) {
            self.state = State::Active;
        }
        self.anchor = until;
        self.next_period = 0;
        self.period_end = until;
        self
    }

    /// At which price the period that is due is renewed, where `mine` is the version that the payer
    /// has and `current` the one in force for new payers when the period began.
    pub fn renewal(&self, mine: &Price, current: &Price) -> Renewal {
        if current.id == mine.id || current.reaches_subscribers_of(mine) {
            return Renewal::At(*current);
        }
        match current.mode() {
            Mode::Free => Renewal::Free,
            Mode::Subscription(..) if self.accepted == Some(current.id) => Renewal::At(*current),
            _ if current.consent_deadline().is_some_and(|end| self.period_end >= end) => {
                Renewal::NotAccepted
            }
            _ => Renewal::At(*mine),
        }
    }

    /// Whether a version is one that the payer is to be asked about.
    pub fn asks_about(mine: &Price, current: &Price) -> bool {
        current.id != mine.id
            && matches!(current.mode(), Mode::Subscription(..))
            && !current.reaches_subscribers_of(mine)
    }
}
