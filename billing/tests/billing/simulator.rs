//! Replays of charges under drafts, against a model that looks at each charge by itself.

use std::collections::BTreeMap;

use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::Code;

use crate::drafts::draft;
use crate::groups::{group, join};
use crate::harness::{Caller, World, metadata};
use crate::model::{Dice, seed};
use crate::offers::{
    bundle, for_group, for_pair, for_recipient, free, monthly, shared, time_pass, unlock,
};

type Who = (TenantId, UserId);

async fn simulate(key: &Caller, drafts: &[pb::PriceDraft]) -> pb::SimulatePricesResponse {
    let price_draft_ids = drafts.iter().map(|draft| draft.price_draft_id.clone()).collect();
    let request = pb::SimulatePricesRequest { price_draft_ids, ..Default::default() };
    key.pricing.clone().simulate_prices(request).await.unwrap().into_inner()
}

/// Every charge of the tenant.
async fn charges(key: &Caller) -> Vec<pb::Charge> {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListChargesRequest { page_size: 200, page_token };
        let page = key.statement.clone().list_charges(request).await.unwrap().into_inner();
        listed.extend(page.charges);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}

async fn a_draft_that_is_the_price_comes_to_what_was_paid(world: World) {
    let tenant = world.tenant(false, 1_234);
    let (bob, key) = (world.user(tenant), world.key(0, tenant));
    let price = shared(time_pass("EUR", 99, 60), 3_333);
    key.publish(price.clone()).await;
    for _ in 0..4 {
        let ann = world.user(tenant);
        key.credit(ann, "EUR", 1_000).await;
        let chat = world.chat((tenant, ann), (tenant, bob));
        let device = world.device(0, tenant, ann);
        for _ in 0..3 {
            device.buy(chat, &device.quote(chat).await).await.unwrap();
            world.pass_time(std::time::Duration::from_mins(2));
        }
    }
    let same = draft(&key, price).await.unwrap();
    let replay = simulate(&key, std::slice::from_ref(&same)).await;
    let [revenue] = &replay.revenue[..] else { panic!("{replay:?}") };
    assert_eq!((revenue.charges, revenue.amount_minor_units), (12, 12 * 99));
    assert_eq!(
        (
            revenue.simulated_charges,
            revenue.simulated_amount_minor_units,
            revenue.simulated_operator_minor_units,
            revenue.simulated_recipient_minor_units,
            revenue.simulated_platform_minor_units,
        ),
        (
            revenue.charges,
            revenue.amount_minor_units,
            revenue.operator_minor_units,
            revenue.recipient_minor_units,
            revenue.platform_minor_units,
        )
    );
    // 99 is 12 + 28 + 59: twelve times that, and not a part of the sum.
    assert_eq!(revenue.operator_minor_units, 12 * 12);
    assert_eq!(revenue.recipient_minor_units, 12 * 28);
    let touched = pb::SimulatedDraft {
        price_draft_id: same.price_draft_id.clone(),
        charges: 12,
        dearer_charges: 0,
        cheaper_charges: 0,
    };
    assert_eq!(replay.drafts, [touched]);
    // What was charged before the start, or at the end, is not of the time.
    let charges = charges(&key).await;
    let (newest, oldest) = (charges[0].create_time, charges[11].create_time);
    let ids = vec![same.price_draft_id.clone()];
    let ask = |start_time, end_time| {
        let price_draft_ids = ids.clone();
        pb::SimulatePricesRequest { price_draft_ids, start_time, end_time }
    };
    let replay = key.pricing.clone().simulate_prices(ask(oldest, newest)).await.unwrap();
    assert_eq!(replay.into_inner().revenue[0].charges, 11);
    for (start, end) in [(newest, oldest), (newest, newest)] {
        let refused = key.pricing.clone().simulate_prices(ask(start, end)).await.unwrap_err();
        assert_eq!(metadata(&refused, "field"), "start_time");
    }
    // Thirty days are what is replayed where nothing is said.
    let replay = simulate(&key, std::slice::from_ref(&same)).await;
    let (start, end) = (replay.start_time.unwrap(), replay.end_time.unwrap());
    assert_eq!(end.seconds - start.seconds, 30 * 24 * 3_600);
    let twin = draft(&key, free()).await.unwrap();
    let both = ids.iter().cloned().chain([twin.price_draft_id]).collect();
    let request = pb::SimulatePricesRequest { price_draft_ids: both, ..Default::default() };
    let refused = key.pricing.clone().simulate_prices(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(metadata(&refused, "field"), "price_draft_ids");
}

/// A world with charges at prices of every rule, and who is in which group.
struct Town {
    world: World,
    dice: Dice,
    home: TenantId,
    key: Caller,
    payers: Vec<Who>,
    recipients: Vec<UserId>,
    groups: Vec<String>,
    named: BTreeMap<Who, String>,
    everybody: BTreeMap<TenantId, String>,
    operator: i64,
}

impl Town {
    async fn new(world: World, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (home, away) = (world.tenant(false, 0), world.tenant(true, 0));
        let key = world.key(0, home);
        let payers = [home, home, away, away].map(|tenant| (tenant, world.user(tenant))).to_vec();
        let recipients: Vec<UserId> = (0..3).map(|_| world.user(home)).collect();
        let groups = vec![group(&key).await, group(&key).await];
        for payer in &payers {
            for code in ["EUR", "JPY"] {
                world.key(0, payer.0).credit(payer.1, code, 100_000_000).await;
            }
        }
        let operator = dice.between(0, 10_000);
        let (named, everybody) = (BTreeMap::new(), BTreeMap::new());
        Self { world, dice, home, key, payers, recipients, groups, named, everybody, operator }
    }

    /// A price of any mode for anybody.
    fn price(&mut self) -> pb::PublishPriceRequest {
        let (code, units) = (*self.dice.pick(&["EUR", "JPY"]), self.dice.between(1, 999));
        let price = match self.dice.below(6) {
            0 => free(),
            1 => unlock(code, units),
            2 => monthly(code, units, 1),
            3 => bundle(code, units, 5),
            _ => time_pass(code, units, 60),
        };
        let share = u32::try_from(self.dice.between(0, 10_000)).unwrap();
        let price = shared(price, share);
        let recipient = *self.dice.pick(&self.recipients);
        match self.dice.below(5) {
            0 => for_recipient(price, recipient),
            1 => for_group(price, &self.dice.pick(&self.groups).clone()),
            2 => for_pair(price, *self.dice.pick(&self.payers), recipient),
            _ => price,
        }
    }

    async fn charge(&mut self) {
        for _ in 0..25 {
            let price = self.price();
            self.key.publish(price).await;
            self.operator = self.dice.between(0, 10_000);
            self.world.set_terms(self.home, false, u32::try_from(self.operator).unwrap());
            self.regroup().await;
            for _ in 0..3 {
                let payer = *self.dice.pick(&self.payers);
                let recipient = *self.dice.pick(&self.recipients);
                let chat = self.world.chat(payer, (self.home, recipient));
                let device = self.world.device(self.dice.below(2), payer.0, payer.1);
                let request = pb::GetQuoteRequest { chat_id: chat.to_string() };
                // Until there is a default, not everybody has a price.
                let Ok(quote) = device.access.clone().get_quote(request).await else { continue };
                device.buy(chat, &quote.into_inner().quote.unwrap()).await.unwrap();
            }
        }
    }

    async fn regroup(&mut self) {
        let group = self.dice.pick(&self.groups).clone();
        let (tenant, user) = *self.dice.pick(&self.payers);
        if self.dice.one_in(3) {
            join(&self.key, &group, (tenant, None)).await.unwrap();
            self.everybody.insert(tenant, group);
        } else {
            join(&self.key, &group, (tenant, Some(user))).await.unwrap();
            self.named.insert((tenant, user), group);
        }
    }

    /// The rules for a payer and a recipient, the one that goes first before the others.
    fn rules(&self, charge: &pb::Charge) -> Vec<pb::PriceTarget> {
        let payer = self.payers.iter().find(|payer| payer.1.to_string() == charge.payer_user_id);
        let payer = *payer.unwrap();
        let none = pb::PriceTarget::default();
        let mut rules = vec![
            pb::PriceTarget {
                scope: pb::PriceScope::Pair.into(),
                recipient_user_id: charge.recipient_user_id.clone(),
                payer_user_id: charge.payer_user_id.clone(),
                payer_tenant_id: charge.payer_tenant_id.clone(),
                ..none.clone()
            },
            pb::PriceTarget {
                scope: pb::PriceScope::Recipient.into(),
                recipient_user_id: charge.recipient_user_id.clone(),
                ..none.clone()
            },
        ];
        if let Some(group) = self.named.get(&payer).or_else(|| self.everybody.get(&payer.0)) {
            let scope = pb::PriceScope::PayerGroup.into();
            let payer_group_id = group.clone();
            rules.push(pb::PriceTarget { scope, payer_group_id, ..none.clone() });
        }
        rules.push(pb::PriceTarget { scope: pb::PriceScope::TenantDefault.into(), ..none });
        rules
    }
}

/// What a replay should come to, charge by charge.
async fn expected(
    town: &Town,
    charges: &[pb::Charge],
    drafts: &[pb::PriceDraft],
) -> (Vec<pb::SimulatedRevenue>, Vec<pb::SimulatedDraft>) {
    let mut revenue = BTreeMap::<String, pb::SimulatedRevenue>::new();
    let mut touched: Vec<_> = drafts
        .iter()
        .map(|draft| pb::SimulatedDraft {
            price_draft_id: draft.price_draft_id.clone(),
            ..Default::default()
        })
        .collect();
    for charge in charges {
        let code = charge.currency_code.clone();
        let was = revenue.entry(code.clone()).or_default();
        was.currency_code.clone_from(&code);
        was.charges += 1;
        was.amount_minor_units += charge.amount_minor_units;
        was.operator_minor_units += charge.operator_minor_units;
        was.recipient_minor_units += charge.recipient_minor_units;
        was.platform_minor_units += charge.platform_minor_units;
        let request = pb::GetPriceRequest { price_id: charge.price_id.clone() };
        let price = town.key.pricing.clone().get_price(request).await.unwrap().into_inner();
        let winner = price.price.unwrap().definition.unwrap().target.unwrap().scope;
        let order = [4, 2, 3, 1];
        let rank = |scope| order.iter().position(|other| *other == scope).unwrap();
        let rules = town.rules(charge);
        let mut heard = rules.iter().filter(|rule| rank(rule.scope) <= rank(winner));
        let of = |draft: &pb::PriceDraft| draft.definition.clone().unwrap().target.unwrap();
        let winner = heard.find_map(|rule| drafts.iter().position(|draft| of(draft) == *rule));
        let (then, units, operator, recipient) = match winner {
            None => (
                code,
                charge.amount_minor_units,
                charge.operator_minor_units,
                charge.recipient_minor_units,
            ),
            Some(index) => {
                touched[index].charges += 1;
                let definition = drafts[index].definition.clone().unwrap();
                let Some(cost) = definition.terms.unwrap().amount().cloned() else {
                    touched[index].cheaper_charges += 1;
                    continue;
                };
                if cost.currency_code == code {
                    let (then, before) = (cost.minor_units, charge.amount_minor_units);
                    touched[index].dearer_charges += i64::from(then > before);
                    touched[index].cheaper_charges += i64::from(then < before);
                }
                let operator = cost.minor_units * town.operator / 10_000;
                let share = i64::from(definition.shares.unwrap().recipient_basis_points);
                let recipient = (cost.minor_units - operator) * share / 10_000;
                (cost.currency_code, cost.minor_units, operator, recipient)
            }
        };
        let sum = revenue.entry(then.clone()).or_default();
        sum.currency_code = then;
        sum.simulated_charges += 1;
        sum.simulated_amount_minor_units += units;
        sum.simulated_operator_minor_units += operator;
        sum.simulated_recipient_minor_units += recipient;
        sum.simulated_platform_minor_units += units - operator - recipient;
    }
    (revenue.into_values().collect(), touched)
}

async fn a_replay_is_the_sum_of_each_charge_made_again(world: World) {
    let seed = seed();
    println!("PLASMA_TEST_BILLING_SEED={seed}");
    let mut town = Town::new(world, seed).await;
    town.charge().await;
    let mut drafts: Vec<pb::PriceDraft> = Vec::new();
    for _ in 0..12 {
        let price = town.price();
        let target = price.definition.as_ref().unwrap().target.clone();
        if drafts.iter().all(|draft| draft.definition.as_ref().unwrap().target != target) {
            drafts.push(draft(&town.key, price).await.unwrap());
        }
    }
    let charges = charges(&town.key).await;
    assert!(charges.len() > 10, "{}", charges.len());
    let (revenue, touched) = expected(&town, &charges, &drafts).await;
    let replay = simulate(&town.key, &drafts).await;
    assert_eq!(replay.revenue, revenue);
    assert_eq!(replay.drafts, touched);
    // It changed nothing.
    assert_eq!(charges.len(), self::charges(&town.key).await.len());
    assert_eq!(simulate(&town.key, &drafts).await.revenue, replay.revenue);
}

crate::on_both_databases!(
    a_draft_that_is_the_price_comes_to_what_was_paid,
    a_replay_is_the_sum_of_each_charge_made_again,
);
