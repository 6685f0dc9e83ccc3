//! What a payer gets for a price: the access that is sold, before there is a pass.

use std::time::Duration;

use plasma_kit::Timestamp;

use super::money::Money;
use super::pass::{Bundle, Pass};
use super::price::{Mode, PriceTerms, Recurrence};

/// How far ahead passes for a time may reach.
pub const AHEAD_MAX: Duration = Duration::from_hours(10 * 365 * 24);

/// The greatest number of messages that bundles of a chat may hold unspent.
pub const MESSAGES_MAX: u32 = 10_000_000;

/// Why nothing is sold although the price is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsold {
    /// The pass in force cannot be extended at this price.
    NotExtendable,
    /// More would be bought than anybody may have ahead.
    TooFarAhead,
}

/// Access that is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// What is paid now; none where it is free or a trial.
    pub pays: Option<Money>,
    /// Whether it is the payer's trial.
    pub trial: bool,
    /// The subscription that begins with it.
    pub subscribes: Option<Recurrence>,
    /// The payer's messages, where they are counted.
    pub bundle: Option<Bundle>,
    /// When access begins.
    pub start: Timestamp,
    /// When access ends; never where `None`, and by the period's end where it is a subscription's.
    pub expire: Option<Timestamp>,
}

impl Sale {
    /// Decides what `terms` sell at `now` to a payer whose chat is open by `extends`, or by nothing.
    /// With a trial nothing is paid.
    pub fn of(
        terms: PriceTerms,
        takes_trial: bool,
        extends: Option<&Pass>,
        now: Timestamp,
    ) -> Result<Self, Unsold> {
        let trial = terms.trial.filter(|_| takes_trial);
        if let Some(trial) = trial {
            let subscribes = match terms.mode {
                Mode::Subscription(_, recurrence) if trial.converts => Some(recurrence),
                _ => None,
            };
            let expire = Some(now.plus(trial.duration));
            return Ok(Self {
                pays: None,
                trial: true,
                subscribes,
                bundle: None,
                start: now,
                expire,
            });
        }
        let start = extends.map_or(Ok(now), |pass| begin_after(pass, terms.mode, now))?;
        let plain = Self {
            pays: terms.mode.money(),
            trial: false,
            subscribes: None,
            bundle: None,
            start,
            expire: None,
        };
        match terms.mode {
            Mode::Free | Mode::OneTimeUnlock(_) => Ok(plain),
            Mode::TimePass(_, duration) => {
                let expire = start.plus(duration);
                if expire > now.plus(AHEAD_MAX) && extends.is_some() {
                    return Err(Unsold::TooFarAhead);
                }
                Ok(Self { expire: Some(expire), ..plain })
            }
            Mode::Subscription(_, recurrence) => Ok(Self { subscribes: Some(recurrence), ..plain }),
            Mode::MessageBundle(_, messages) => {
                let left = extends
                    .and_then(|pass| pass.bundle)
                    .map_or(0, |bundle| bundle.messages - bundle.spent);
                // The bundles before the latest are not counted: the bound is a brake, not a sum.
                if left.saturating_add(messages) > MESSAGES_MAX {
                    return Err(Unsold::TooFarAhead);
                }
                Ok(Self { bundle: Some(Bundle { messages, spent: 0 }), ..plain })
            }
        }
    }
}

/// When access begins that is added to a pass in force.
fn begin_after(pass: &Pass, mode: Mode, now: Timestamp) -> Result<Timestamp, Unsold> {
    match (mode, pass.bundle, pass.expire, pass.subscription) {
        (Mode::TimePass(..), None, Some(end), None) => Ok(end),
        (Mode::MessageBundle(..), Some(_), _, None) => Ok(now),
        _ => Err(Unsold::NotExtendable),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plasma_kit::Timestamp;

    use super::{AHEAD_MAX, Sale, Unsold};
    use crate::domain::calendar::Period;
    use crate::domain::money::{Currency, Money};
    use crate::domain::pass::Bundle;
    use crate::domain::pass::tests::pass;
    use crate::domain::price::{Mode, PriceTerms, Recurrence, Trial};

    const NOW: Timestamp = Timestamp(100);

    fn money() -> Money {
        Money::new(Currency::parse("EUR").unwrap(), 500).unwrap()
    }

    fn terms(mode: Mode) -> PriceTerms {
        PriceTerms { mode, trial: None }
    }

    fn time_pass(micros: u64) -> PriceTerms {
        terms(Mode::TimePass(money(), Duration::from_micros(micros)))
    }

    #[test]
    fn only_a_time_pass_ends() {
        let sold = Sale::of(time_pass(5), false, None, NOW).unwrap();
        assert_eq!((sold.start, sold.expire), (NOW, Some(Timestamp(105))));
        let sold = Sale::of(terms(Mode::OneTimeUnlock(money())), false, None, NOW).unwrap();
        assert_eq!((sold.expire, sold.pays), (None, Some(money())));
        let sold = Sale::of(terms(Mode::Free), false, None, NOW).unwrap();
        assert_eq!((sold.expire, sold.pays), (None, None));
    }

    #[test]
    fn a_time_pass_is_added_where_the_one_in_force_ends() {
        let sold = Sale::of(time_pass(5), false, Some(&pass(Some(130))), NOW).unwrap();
        assert_eq!((sold.start, sold.expire), (Timestamp(130), Some(Timestamp(135))));
        let ahead = pass(Some(NOW.plus(AHEAD_MAX).0));
        assert_eq!(Sale::of(time_pass(5), false, Some(&ahead), NOW), Err(Unsold::TooFarAhead));
    }

    #[test]
    fn what_does_not_end_or_is_of_another_kind_cannot_be_extended() {
        let endless = pass(None);
        for mode in [Mode::Free, Mode::OneTimeUnlock(money()), Mode::MessageBundle(money(), 1)] {
            let sold = Sale::of(terms(mode), false, Some(&endless), NOW);
            assert_eq!(sold, Err(Unsold::NotExtendable), "{mode:?}");
        }
        assert_eq!(Sale::of(time_pass(5), false, Some(&endless), NOW), Err(Unsold::NotExtendable));
        let mut bundle = pass(None);
        bundle.bundle = Some(Bundle { messages: 3, spent: 1 });
        assert_eq!(Sale::of(time_pass(5), false, Some(&bundle), NOW), Err(Unsold::NotExtendable));
        let more = Sale::of(terms(Mode::MessageBundle(money(), 2)), false, Some(&bundle), NOW);
        assert_eq!(more.unwrap().bundle, Some(Bundle { messages: 2, spent: 0 }));
    }

    #[test]
    fn a_trial_is_free_and_only_one_that_converts_subscribes() {
        let recurrence = Recurrence { period: Period::Months(1), grace: Duration::ZERO };
        for converts in [true, false] {
            let trial = Trial { duration: Duration::from_micros(7), converts };
            let offer =
                PriceTerms { mode: Mode::Subscription(money(), recurrence), trial: Some(trial) };
            let sold = Sale::of(offer, true, None, NOW).unwrap();
            assert_eq!((sold.pays, sold.trial, sold.expire), (None, true, Some(Timestamp(107))));
            assert_eq!(sold.subscribes.is_some(), converts);
            let forgone = Sale::of(offer, false, None, NOW).unwrap();
            assert_eq!((forgone.pays, forgone.trial), (Some(money()), false));
            assert_eq!(forgone.subscribes, Some(recurrence));
        }
    }
}
