//! Random operations on a world and its model.

use std::collections::BTreeMap;
use std::time::Duration;

use plasma_kit::ids::ChatId;
use plasma_proto::billing::v1 as pb;

use super::dice::Dice;
use super::exchange::{self, Answer, Request};
use super::expected::{CODES, ChatModel, MAX, Model, Outcome, PriceModel, Who};
use crate::harness::{World, amount, credit, debit, fresh, purchase};
use crate::offers::{for_recipient, free, shared, time_pass, unlock};

/// The world, its model, and what was asked before.
pub(super) struct Run {
    pub(super) world: World,
    pub(super) dice: Dice,
    pub(super) model: Model,
    pub(super) users: Vec<Who>,
    pub(super) chats: Vec<(ChatId, Who, Who)>,
    pub(super) asked: Vec<(Request, Answer)>,
    pub(super) counts: BTreeMap<String, u64>,
}

impl Run {
    pub(super) fn new(world: World, seed: u64) -> Self {
        let mut model = Model::default();
        let (mut users, mut chats) = (Vec::new(), Vec::new());
        for operator in [0, 1_000, 3_333] {
            let tenant = world.tenant(false, operator);
            model.free.insert(tenant, false);
            model.operator.insert(tenant, i64::from(operator));
            users.extend((0..3).map(|_| (tenant, world.user(tenant))));
        }
        for (n, one) in users.iter().enumerate() {
            for two in &users[n + 1..] {
                let chat = world.chat(*one, *two);
                model.chats.insert(chat, ChatModel::default());
                chats.push((chat, *one, *two));
            }
        }
        let (asked, counts) = (Vec::new(), BTreeMap::new());
        Self { world, dice: Dice(seed), model, users, chats, asked, counts }
    }

    pub(super) async fn step(&mut self, n: u64) {
        match self.dice.below(20) {
            0..=4 => self.move_money(true).await,
            5..=6 => self.move_money(false).await,
            7..=13 => self.buy().await,
            14..=15 => self.publish().await,
            16 => self.change_policy(),
            17 => self.world.pass_time(Duration::from_mins(25)),
            _ => self.ask_again().await,
        }
        self.check(n).await;
    }

    async fn move_money(&mut self, into: bool) {
        let who = *self.dice.pick(&self.users.clone());
        let code = *self.dice.pick(&CODES);
        // Now and then as much as a wallet holds at most.
        let minor_units = if self.dice.one_in(80) { MAX } else { self.dice.between(1, 900) };
        let signed = if into { minor_units } else { -minor_units };
        let expected = self.model.move_money(who, code, signed);
        let request = if into {
            Request::Credit(who, credit(&fresh("credit"), who.1, code, minor_units))
        } else {
            Request::Debit(who, debit(&fresh("debit"), who.1, code, minor_units))
        };
        self.ask(request, expected).await;
    }

    async fn publish(&mut self) {
        let (tenant, user) = *self.dice.pick(&self.users.clone());
        let code = *self.dice.pick(&CODES);
        let (minor_units, share) = (self.dice.between(1, 2_000), self.dice.between(0, 10_000));
        let mut request = match self.dice.below(8) {
            0..=2 => unlock(code, minor_units),
            3 => free(),
            // Never a multiple of the clock's steps, so that nothing ends at the very moment.
            4..=5 => time_pass(code, minor_units, 3_600),
            _ => time_pass(code, minor_units, 7 * 3_600),
        };
        request = shared(request, u32::try_from(share).unwrap());
        let scope = self.dice.one_in(2).then_some(user);
        if let Some(user) = scope {
            request = for_recipient(request, user);
        }
        let version = self.model.prices.get(&(tenant, scope)).map_or(0, Vec::len) + 1;
        let expected = Outcome::Published(i64::try_from(version).unwrap());
        self.ask(Request::Publish(tenant, request), expected).await;
    }

    fn change_policy(&mut self) {
        let (tenant, _) = *self.dice.pick(&self.users.clone());
        if self.dice.one_in(2) {
            let free = self.dice.one_in(5);
            let operator = self.dice.between(0, 10_000);
            self.model.free.insert(tenant, free);
            self.model.operator.insert(tenant, operator);
            self.world.set_terms(tenant, free, u32::try_from(operator).unwrap());
        } else {
            let (chat, one, two) = *self.dice.pick(&self.chats.clone());
            let closed = self.dice.one_in(5);
            self.model.chats.get_mut(&chat).unwrap().closed = closed;
            self.world.set_chat(chat, one, two, closed);
        }
    }

    async fn buy(&mut self) {
        let index = self.dice.below(self.chats.len());
        let (_, one, two) = self.chats[index];
        if self.model.chats[&self.chats[index].0].ends.last() == Some(&None) {
            // Open for ever: another chat of the two takes its place, now and then.
            if self.dice.one_in(2) {
                self.chats[index].0 = self.world.chat(one, two);
                self.model.chats.insert(self.chats[index].0, ChatModel::default());
            }
        }
        let chat = self.chats[index].0;
        let (payer, recipient) = if self.dice.one_in(2) { (one, two) } else { (two, one) };
        let quoted = self.model.quote(recipient).unwrap_or(PriceModel {
            id: String::new(),
            cost: None,
            recipient_share: 0,
        });
        let mut request = purchase(
            &fresh("buy"),
            chat,
            &pb::Quote { price_id: quoted.id.clone(), terms: free().definition.unwrap().terms },
        );
        let accepted = request.accepted_price.as_mut().unwrap();
        accepted.amount = quoted.cost.map(|(code, minor_units, _)| amount(&code, minor_units));
        if self.dice.one_in(4) {
            // A price that is not the one in force.
            match &mut accepted.amount {
                Some(amount) if self.dice.one_in(2) => amount.minor_units += 1,
                Some(_) => accepted.amount = None,
                none => *none = Some(amount("EUR", 1)),
            }
        }
        let accepted = accepted.clone();
        let expected = self.model.buy(chat, payer, recipient, &accepted, self.world.env.now());
        self.ask(Request::Buy(payer, request), expected).await;
    }

    /// Repeats an earlier request: the same answer, and no effect. Changed, it is refused.
    async fn ask_again(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let (request, answer) = self.dice.pick(&self.asked).clone();
        *self.counts.entry("again".to_owned()).or_default() += 1;
        if self.dice.one_in(2) {
            assert_eq!(self.send(&request).await.0, answer);
            return;
        }
        let changed = match request {
            Request::Credit(who, request) => Request::Credit(
                who,
                pb::CreditWalletRequest { reference: String::new(), ..request },
            ),
            Request::Debit(who, request) => {
                Request::Debit(who, pb::DebitWalletRequest { reference: String::new(), ..request })
            }
            Request::Publish(tenant, request) => {
                let shares = request.definition.as_ref().unwrap().shares.unwrap();
                let other = 10_000 - shares.recipient_basis_points;
                if other == shares.recipient_basis_points {
                    return;
                }
                Request::Publish(tenant, shared(request, other))
            }
            Request::Buy(who, mut request) => {
                request.accepted_price = Some(pb::AcceptedPrice {
                    price_id: String::new(),
                    amount: Some(amount("EUR", 123_456_789)),
                    trial: false,
                });
                Request::Buy(who, request)
            }
        };
        let (_, outcome) = self.send(&changed).await;
        assert_eq!(outcome, Err("IDEMPOTENCY_KEY_REUSED".to_owned()));
    }

    async fn ask(&mut self, request: Request, expected: Outcome) {
        let (answer, outcome) = self.send(&request).await;
        let name = match &expected {
            Outcome::Moved(_) => "moved",
            Outcome::Published(_) => "published",
            Outcome::Opened { paid: 0 } => "opened for free",
            Outcome::Opened { .. } => "opened",
            Outcome::Refused(reason) => reason,
        };
        *self.counts.entry(name.to_owned()).or_default() += 1;
        match (&expected, outcome) {
            (Outcome::Refused(expected), outcome) => {
                assert_eq!(outcome, Err((*expected).to_owned()));
            }
            (expected, Ok(outcome)) => assert_eq!(outcome, *expected),
            (expected, Err(reason)) => panic!("{reason} instead of {expected:?}"),
        }
        self.asked.push((request, answer));
    }

    /// Sends a request to one of the nodes.
    async fn send(&mut self, request: &Request) -> (Answer, Result<Outcome, String>) {
        let node = self.dice.below(2);
        exchange::send(&self.world, &mut self.model, node, request).await
    }
}
