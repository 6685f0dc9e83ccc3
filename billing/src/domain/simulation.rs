//! What the charges of a time would have come to, had drafts of prices been in force.

use std::collections::BTreeMap;

use plasma_kit::ids::{PayerGroupId, UserId};

use super::money::{Currency, Money};
use super::pass::Party;
use super::price::{PriceDefinition, PriceTarget};
use super::split::{BasisPoints, Split};

/// Charges of one payer and one recipient at one price, and what they came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// Who paid.
    pub payer: Party,
    /// The group that the payer is in now.
    pub group: Option<PayerGroupId>,
    /// Who was paid for.
    pub recipient: UserId,
    /// What [`PriceTarget::precedence`] the price has that was charged.
    pub precedence: u8,
    /// What each of them cost.
    pub money: Money,
    /// How many there were.
    pub charges: i64,
    /// All of them, divided as they were.
    pub split: Split,
}

/// What charges came to. Wide enough for every charge there can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many charges.
    pub charges: i128,
    /// The operator's part of them, in minor units.
    pub operator: i128,
    /// The recipients' part.
    pub recipient: i128,
    /// The platform's part.
    pub platform: i128,
}

impl Sum {
    /// What was paid.
    pub fn amount(&self) -> i128 {
        self.operator + self.recipient + self.platform
    }

    fn add(&mut self, charges: i64, times: i64, split: Split) {
        let times = i128::from(times);
        self.charges += i128::from(charges);
        self.operator += i128::from(split.operator()) * times;
        self.recipient += i128::from(split.recipient()) * times;
        self.platform += i128::from(split.platform()) * times;
    }
}

/// Charges of one currency, as they were and under the drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revenue {
    /// As they were.
    pub actual: Sum,
    /// As they would have been.
    pub simulated: Sum,
}

/// How many charges a draft would have touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Touched {
    /// All of them.
    pub charges: i128,
    /// Those at a higher amount of the same currency.
    pub dearer: i128,
    /// Those at a lower amount of the same currency, or free.
    pub cheaper: i128,
}

/// A replay under some drafts.
#[derive(Debug, Clone)]
pub struct Simulation {
    operator: BasisPoints,
    drafts: Vec<(PriceDefinition, Touched)>,
    revenue: BTreeMap<Currency, Revenue>,
}

impl Simulation {
    /// Begins a replay under drafts of different targets, with the operator's share of charges
    /// under them. `None` where two drafts have the same target.
    pub fn new(operator: BasisPoints, drafts: Vec<PriceDefinition>) -> Option<Self> {
        let twice = |index: usize, target: &PriceTarget| {
            drafts[..index].iter().any(|other| other.target == *target)
        };
        if drafts.iter().enumerate().any(|(index, draft)| twice(index, &draft.target)) {
            return None;
        }
        let drafts = drafts.into_iter().map(|draft| (draft, Touched::default())).collect();
        Some(Self { operator, drafts, revenue: BTreeMap::new() })
    }

    /// Replays charges. Of the drafts that fit, the one whose rule goes first counts, unless the
    /// rule that was charged goes before it. Each charge becomes one at the draft's price, or none
    /// where the draft is free, and is divided by itself; others stay as they were.
    pub fn replay(&mut self, charged: &Charged) {
        let Self { operator, drafts, revenue } = self;
        let count = i128::from(charged.charges);
        let of_currency = revenue.entry(charged.money.currency()).or_default();
        of_currency.actual.add(charged.charges, 1, charged.split);
        let fitting = drafts.iter_mut().filter(|(draft, _)| {
            draft.target.precedence() >= charged.precedence
                && draft.target.fits(charged.payer, charged.group, charged.recipient)
        });
        let Some((draft, touched)) = fitting.max_by_key(|(draft, _)| draft.target.precedence())
        else {
            of_currency.simulated.add(charged.charges, 1, charged.split);
            return;
        };
        touched.charges += count;
        let Some(money) = draft.terms.mode.money() else {
            touched.cheaper += count;
            return;
        };
        if money.currency() == charged.money.currency() {
            let (before, then) = (charged.money.minor_units(), money.minor_units());
            touched.dearer += if then > before { count } else { 0 };
            touched.cheaper += if then < before { count } else { 0 };
        }
        let split = Split::of(money.minor_units(), *operator, draft.recipient_share);
        let of_currency = revenue.entry(money.currency()).or_default();
        of_currency.simulated.add(charged.charges, charged.charges, split);
    }

    /// What it came to, by currency in the order of the codes.
    pub fn revenue(&self) -> impl Iterator<Item = (Currency, Revenue)> {
        self.revenue.iter().map(|(currency, revenue)| (*currency, *revenue))
    }

    /// What each draft touched, in the order in which they were given.
    pub fn drafts(&self) -> impl Iterator<Item = Touched> {
        self.drafts.iter().map(|(_, touched)| *touched)
    }
}

#[cfg(test)]
mod tests;
