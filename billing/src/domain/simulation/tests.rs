//! The replay against one that looks at each charge by itself.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use plasma_kit::ids::{PayerGroupId, TenantId, UserId};

use super::{Charged, Revenue, Simulation, Touched};
use crate::domain::money::{Currency, Money};
use crate::domain::pass::Party;
use crate::domain::price::{Mode, PriceDefinition, PriceTarget, PriceTerms};
use crate::domain::split::{BasisPoints, Split};

const OPERATOR: u32 = 1_234;

fn points(value: u32) -> BasisPoints {
    BasisPoints::new(value).unwrap()
}

fn money(code: &str, minor_units: i64) -> Money {
    Money::new(Currency::parse(code).unwrap(), minor_units).unwrap()
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n + 1))
}

fn group(n: u128) -> PayerGroupId {
    PayerGroupId(Uuid::from_u128(n + 100))
}

fn payer(n: u128) -> Party {
    Party { tenant: TenantId(Uuid::from_u128(n % 2 + 1)), user: user(n) }
}

fn definition(target: PriceTarget, price: Option<Money>, share: u32) -> PriceDefinition {
    let mode = price.map_or(Mode::Free, Mode::OneTimeUnlock);
    PriceDefinition {
        target,
        terms: PriceTerms { mode, trial: None },
        recipient_share: points(share),
        consent: None,
    }
}

fn times(split: Split, charges: i64) -> Split {
    (1..charges).fold(split, |sum, _| sum.plus(split))
}

#[test]
fn each_charge_is_divided_by_itself() {
    let draft = definition(PriceTarget::TenantDefault, Some(money("EUR", 99)), 5_000);
    let mut simulation = Simulation::new(points(1_000), vec![draft]).unwrap();
    simulation.replay(&Charged {
        payer: payer(0),
        group: None,
        recipient: user(5),
        precedence: 0,
        money: money("EUR", 100),
        charges: 1_000,
        split: times(Split::of(100, points(1_000), points(5_000)), 1_000),
    });
    let (_, revenue) = simulation.revenue().next().unwrap();
    let simulated = revenue.simulated;
    // 99 is 9 + 45 + 45: of the sum of all, the operator would have 9,900.
    assert_eq!(
        (simulated.operator, simulated.recipient, simulated.platform),
        (9_000, 45_000, 45_000)
    );
    assert_eq!((simulated.charges, simulated.amount()), (1_000, 99_000));
    let touched = simulation.drafts().next().unwrap();
    assert_eq!(touched, Touched { charges: 1_000, dearer: 0, cheaper: 1_000 });
}

#[test]
fn two_drafts_of_one_target_are_no_replay() {
    let draft = definition(PriceTarget::Recipient(user(1)), None, 0);
    let other = definition(PriceTarget::Recipient(user(2)), None, 0);
    assert!(Simulation::new(points(0), vec![draft, other]).is_some());
    assert!(Simulation::new(points(0), vec![draft, other, draft]).is_none());
}

fn target() -> impl Strategy<Value = PriceTarget> {
    prop_oneof![
        Just(PriceTarget::TenantDefault),
        (0_u128..3).prop_map(|n| PriceTarget::Recipient(user(n))),
        (0_u128..3).prop_map(|n| PriceTarget::PayerGroup(group(n))),
        (0_u128..3, 0_u128..3)
            .prop_map(|(n, m)| PriceTarget::Pair { payer: payer(n), recipient: user(m) }),
    ]
}

fn price() -> impl Strategy<Value = Money> {
    (prop_oneof![Just("EUR"), Just("JPY")], 1_i64..400).prop_map(|(code, units)| money(code, units))
}

prop_compose! {
    fn charged()(
        who in 0_u128..3,
        group_number in prop::option::of(0_u128..3),
        recipient in 0_u128..3,
        precedence in 0_u8..4,
        money in price(),
        charges in 1_i64..6,
        operator in 0_u32..=10_000,
        share in 0_u32..=10_000,
    ) -> Charged {
        let split = Split::of(money.minor_units(), points(operator), points(share));
        Charged {
            payer: payer(who),
            group: group_number.map(group),
            recipient: user(recipient),
            precedence,
            money,
            charges,
            split: times(split, charges),
        }
    }
}

/// The index of the draft that counts for a charge, said in another way than the code does.
fn draft_of(charged: &Charged, drafts: &[PriceDefinition]) -> Option<usize> {
    let rules = [
        PriceTarget::Pair { payer: charged.payer, recipient: charged.recipient },
        PriceTarget::Recipient(charged.recipient),
        PriceTarget::PayerGroup(charged.group.unwrap_or(PayerGroupId(Uuid::nil()))),
        PriceTarget::TenantDefault,
    ];
    let mut heard = rules.iter().take(4 - usize::from(charged.precedence));
    heard.find_map(|rule| drafts.iter().position(|draft| draft.target == *rule))
}

proptest! {
    #[test]
    fn a_replay_is_as_if_each_charge_were_made_again(
        asked in prop::collection::vec((target(), prop::option::of(price()), 0_u32..=10_000), 0..6),
        charges in prop::collection::vec(charged(), 0..12),
    ) {
        let mut drafts: Vec<PriceDefinition> = Vec::new();
        for (target, price, share) in asked {
            if drafts.iter().all(|draft| draft.target != target) {
                drafts.push(definition(target, price, share));
            }
        }
        let mut simulation = Simulation::new(points(OPERATOR), drafts.clone()).unwrap();
        let mut expected = BTreeMap::<Currency, Revenue>::new();
        let mut touched = vec![Touched::default(); drafts.len()];
        for one in &charges {
            simulation.replay(one);
            let was = expected.entry(one.money.currency()).or_default();
            was.actual.charges += i128::from(one.charges);
            was.actual.operator += i128::from(one.split.operator());
            was.actual.recipient += i128::from(one.split.recipient());
            was.actual.platform += i128::from(one.split.platform());
            let Some(index) = draft_of(one, &drafts) else {
                was.simulated.charges += i128::from(one.charges);
                was.simulated.operator += i128::from(one.split.operator());
                was.simulated.recipient += i128::from(one.split.recipient());
                was.simulated.platform += i128::from(one.split.platform());
                continue;
            };
            for _ in 0..one.charges {
                touched[index].charges += 1;
                let Some(price) = drafts[index].terms.mode.money() else {
                    touched[index].cheaper += 1;
                    continue;
                };
                if price.currency() == one.money.currency() {
                    let (then, before) = (price.minor_units(), one.money.minor_units());
                    touched[index].dearer += i128::from(then > before);
                    touched[index].cheaper += i128::from(then < before);
                }
                let units = price.minor_units();
                let operator = units * i64::from(OPERATOR) / 10_000;
                let share = i64::from(drafts[index].recipient_share.get());
                let recipient = (units - operator) * share / 10_000;
                let then = expected.entry(price.currency()).or_default();
                then.simulated.charges += 1;
                then.simulated.operator += i128::from(operator);
                then.simulated.recipient += i128::from(recipient);
                then.simulated.platform += i128::from(units - operator - recipient);
            }
        }
        prop_assert_eq!(simulation.revenue().collect::<BTreeMap<_, _>>(), expected);
        prop_assert_eq!(simulation.drafts().collect::<Vec<_>>(), touched);
    }
}
