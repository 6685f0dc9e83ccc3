//! Random operations against an in-memory model, with every invariant checked after each.
//!
//! `PLASMA_TEST_BILLING_OPERATIONS` sets how many (2,000), `PLASMA_TEST_BILLING_SEED` repeats a
//! run. Longer runs use a fresh world every 2,000 operations.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use crate::books::audit;
use crate::harness::{
    World, amount, credit, debit, for_recipient, fresh, purchase, reason, time_pass, unlock,
};

const PER_WORLD: u64 = 2_000;
const MAX: i64 = 1_000_000_000_000_000;
const CODES: [&str; 2] = ["EUR", "JPY"];

type Who = (TenantId, UserId);

/// Splitmix64: small, seeded, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).unwrap()
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.roll() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// What came of a call: its response, or its reason. Compared with what the model expects.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    /// The balance of a wallet after a movement.
    Moved(i64),
    /// A version of a price.
    Published(i64),
    /// The pass of this number in its chat, and whether it costs something.
    Opened {
        paid: i64,
    },
    Refused(&'static str),
}

#[derive(Clone)]
enum Request {
    Credit(Who, pb::CreditWalletRequest),
    Debit(Who, pb::DebitWalletRequest),
    Publish(TenantId, pb::PublishPriceRequest),
    Buy(Who, pb::PurchaseAccessRequest),
}

/// The bytes of an answer: a response or a status.
type Answer = Result<Vec<u8>, Vec<u8>>;

#[derive(Clone)]
struct PriceModel {
    id: String,
    /// Currency, minor units, seconds of a pass.
    cost: Option<(String, i64, Option<i64>)>,
    recipient_share: i64,
}

#[derive(Default)]
struct ChatModel {
    ends: Vec<Option<Timestamp>>,
    paid: Vec<i64>,
    closed: bool,
}

/// What billing should hold.
#[derive(Default)]
struct Model {
    free: HashMap<TenantId, bool>,
    operator: HashMap<TenantId, i64>,
    prices: HashMap<(TenantId, Option<UserId>), Vec<PriceModel>>,
    chats: HashMap<ChatId, ChatModel>,
    /// Sums of postings by tenant, purpose, owner, currency.
    accounts: BTreeMap<(Uuid, i16, Uuid, String), i64>,
    transactions: i64,
    charges: i64,
}

impl Model {
    fn post(&mut self, tenant: TenantId, purpose: i16, owner: Uuid, code: &str, minor_units: i64) {
        if minor_units != 0 {
            *self.accounts.entry((tenant.0, purpose, owner, code.to_owned())).or_default() +=
                minor_units;
        }
    }

    fn wallet(&self, who: Who, code: &str) -> Option<i64> {
        self.accounts.get(&(who.0.0, 1, who.1.0, code.to_owned())).copied()
    }

    fn move_money(&mut self, who: Who, code: &str, minor_units: i64) -> Outcome {
        let balance = self.wallet(who, code).unwrap_or_default() + minor_units;
        if balance < 0 {
            return Outcome::Refused("INSUFFICIENT_FUNDS");
        }
        if balance > MAX {
            return Outcome::Refused("LIMIT_REACHED");
        }
        self.post(who.0, 1, who.1.0, code, minor_units);
        self.post(who.0, 2, Uuid::nil(), code, -minor_units);
        self.transactions += 1;
        Outcome::Moved(balance)
    }

    fn quote(&self, (tenant, user): Who) -> Option<PriceModel> {
        if self.free[&tenant] {
            return Some(PriceModel { id: String::new(), cost: None, recipient_share: 0 });
        }
        let latest = |scope| self.prices.get(&(tenant, scope)).and_then(|prices| prices.last());
        latest(Some(user)).or_else(|| latest(None)).cloned()
    }

    fn buy(
        &mut self,
        chat: ChatId,
        payer: Who,
        recipient: Who,
        accepted: &pb::AcceptedPrice,
        now: Timestamp,
    ) -> Outcome {
        let state = &self.chats[&chat];
        if state.closed {
            return Outcome::Refused("CHAT_CLOSED");
        }
        if let Some(end) = state.ends.last()
            && end.is_none_or(|end| now < end)
        {
            return Outcome::Opened { paid: *state.paid.last().unwrap() };
        }
        let Some(price) = self.quote(recipient) else { return Outcome::Refused("PRICE_NOT_SET") };
        let asked = price.cost.as_ref().map(|(code, minor_units, _)| amount(code, *minor_units));
        if (&price.id, &asked) != (&accepted.price_id, &accepted.amount) {
            return Outcome::Refused("PRICE_CHANGED");
        }
        let Some((code, cost, seconds)) = price.cost.clone() else {
            self.open(chat, None, 0);
            return Outcome::Opened { paid: 0 };
        };
        let wallets: Vec<&str> =
            CODES.into_iter().filter(|code| self.wallet(payer, code).is_some()).collect();
        if !wallets.is_empty() && !wallets.contains(&code.as_str()) {
            return Outcome::Refused("CURRENCY_MISMATCH");
        }
        if self.wallet(payer, &code).unwrap_or_default() < cost {
            return Outcome::Refused("PAYMENT_REQUIRED");
        }
        self.pay(payer, recipient, &code, cost, &price);
        let end = seconds.map(|seconds| now.plus(Duration::from_secs(seconds.unsigned_abs())));
        self.open(chat, end, cost);
        Outcome::Opened { paid: cost }
    }

    fn open(&mut self, chat: ChatId, end: Option<Timestamp>, paid: i64) {
        let state = self.chats.get_mut(&chat).unwrap();
        state.ends.push(end);
        state.paid.push(paid);
    }

    fn pay(&mut self, payer: Who, recipient: Who, code: &str, cost: i64, price: &PriceModel) {
        let home = recipient.0;
        let operator = cost * self.operator[&home] / 10_000;
        let earned = (cost - operator) * price.recipient_share / 10_000;
        self.post(payer.0, 1, payer.1.0, code, -cost);
        self.transactions += 1;
        if payer.0 != home {
            self.post(payer.0, 6, home.0, code, cost);
            self.post(home, 7, payer.0.0, code, -cost);
            self.transactions += 1;
        }
        self.post(home, 3, recipient.1.0, code, earned);
        self.post(home, 4, Uuid::nil(), code, cost - operator - earned);
        self.post(home, 5, Uuid::nil(), code, operator);
        self.charges += 1;
    }
}

/// The world, its model, and what was asked before.
struct Run {
    world: World,
    dice: Dice,
    model: Model,
    users: Vec<Who>,
    chats: Vec<(ChatId, Who, Who)>,
    asked: Vec<(Request, Answer)>,
    counts: BTreeMap<String, u64>,
}

impl Run {
    fn new(world: World, seed: u64) -> Self {
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

    async fn step(&mut self, n: u64) {
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
            3 => pb::PublishPriceRequest {
                mode: Some(pb::publish_price_request::Mode::Free(pb::FreePrice {})),
                ..unlock(code, minor_units)
            },
            // Never a multiple of the clock's steps, so that nothing ends at the very moment.
            4..=5 => time_pass(code, minor_units, 3_600),
            _ => time_pass(code, minor_units, 7 * 3_600),
        };
        let share = u32::try_from(share).unwrap();
        request.shares = Some(pb::Shares {
            recipient_basis_points: share,
            platform_basis_points: 10_000 - share,
        });
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
            &pb::Quote {
                price_id: quoted.id.clone(),
                mode: Some(pb::quote::Mode::Free(pb::FreePrice {})),
            },
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
                let shares = request.shares.unwrap_or_default();
                let shares = Some(pb::Shares {
                    recipient_basis_points: 10_000 - shares.recipient_basis_points.min(9_999),
                    platform_basis_points: shares.recipient_basis_points.min(9_999),
                });
                if shares == request.shares {
                    return;
                }
                Request::Publish(tenant, pb::PublishPriceRequest { shares, ..request })
            }
            Request::Buy(who, mut request) => {
                request.accepted_price = Some(pb::AcceptedPrice {
                    price_id: String::new(),
                    amount: Some(amount("EUR", 123_456_789)),
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
        let (world, model) = (&self.world, &mut self.model);
        match request.clone() {
            Request::Credit(who, request) => {
                let response = world.key(node, who.0).wallet.credit_wallet(request).await;
                read(response, |response: &pb::CreditWalletResponse| {
                    moved(response.wallet.as_ref())
                })
            }
            Request::Debit(who, request) => {
                let response = world.key(node, who.0).wallet.debit_wallet(request).await;
                read(response, |response: &pb::DebitWalletResponse| moved(response.wallet.as_ref()))
            }
            Request::Publish(tenant, request) => {
                let response = world.key(node, tenant).pricing.publish_price(request).await;
                read(response, |response: &pb::PublishPriceResponse| {
                    let price = response.price.clone().unwrap();
                    remember(model, tenant, &price);
                    Outcome::Published(price.version)
                })
            }
            Request::Buy(who, request) => {
                let mut access = world.device(node, who.0, who.1).access;
                read(
                    access.purchase_access(request).await,
                    |response: &pb::PurchaseAccessResponse| {
                        let paid = response.pass.as_ref().unwrap().amount.clone();
                        Outcome::Opened { paid: paid.map_or(0, |amount| amount.minor_units) }
                    },
                )
            }
        }
    }

    /// Compares every account, and counts what there is one of.
    async fn check(&self, n: u64) {
        let conn = self.world.nodes[0].db.for_migrations();
        let sql = "SELECT a.tenant_id, a.purpose, a.owner_id, a.currency, \
                   CAST(COALESCE(SUM(p.minor_units), 0) AS BIGINT) AS posted \
                   FROM ledger_accounts a LEFT JOIN ledger_postings p \
                   ON p.tenant_id = a.tenant_id AND p.account_id = a.id \
                   GROUP BY a.tenant_id, a.purpose, a.owner_id, a.currency";
        let statement = Statement::from_string(conn.get_database_backend(), sql);
        let rows = conn.query_all_raw(statement).await.unwrap();
        let stored: BTreeMap<(Uuid, i16, Uuid, String), i64> = rows
            .iter()
            .map(|row| {
                let key = (
                    row.try_get("", "tenant_id").unwrap(),
                    row.try_get("", "purpose").unwrap(),
                    row.try_get("", "owner_id").unwrap(),
                    row.try_get("", "currency").unwrap(),
                );
                (key, row.try_get("", "posted").unwrap())
            })
            .collect();
        assert_eq!(stored, self.model.accounts, "after operation {n}");
        let passes: usize = self.model.chats.values().map(|chat| chat.ends.len()).sum();
        for (table, expected) in [
            ("passes", i64::try_from(passes).unwrap()),
            ("charges", self.model.charges),
            ("ledger_transactions", self.model.transactions),
        ] {
            let stored = self.world.count(&format!("SELECT COUNT(*) FROM {table}")).await;
            assert_eq!(stored, expected, "{table} after operation {n}");
        }
        audit(&self.world).await;
    }
}

fn moved(wallet: Option<&pb::Wallet>) -> Outcome {
    Outcome::Moved(wallet.unwrap().balance.as_ref().unwrap().minor_units)
}

/// Keeps a version that the server numbered, unless it is known.
fn remember(model: &mut Model, tenant: TenantId, price: &pb::Price) {
    use plasma_kit::ids::Id;
    let scope = (!price.recipient_user_id.is_empty())
        .then(|| UserId::parse(&price.recipient_user_id).unwrap());
    let cost = match price.mode.clone().unwrap() {
        pb::price::Mode::Free(_) => None,
        pb::price::Mode::OneTimeUnlock(price) => price.amount.map(|amount| (amount, None)),
        pb::price::Mode::TimePass(price) => {
            let seconds = price.duration.map(|duration| duration.seconds);
            price.amount.map(|amount| (amount, seconds))
        }
    };
    let versions = model.prices.entry((tenant, scope)).or_default();
    if usize::try_from(price.version).unwrap() > versions.len() {
        versions.push(PriceModel {
            id: price.price_id.clone(),
            cost: cost.map(|(amount, seconds)| (amount.currency_code, amount.minor_units, seconds)),
            recipient_share: i64::from(price.shares.unwrap().recipient_basis_points),
        });
    }
}

fn read<R: prost::Message>(
    response: Result<tonic::Response<R>, tonic::Status>,
    outcome: impl FnOnce(&R) -> Outcome,
) -> (Answer, Result<Outcome, String>) {
    match response {
        Ok(response) => {
            let response = response.into_inner();
            (Ok(response.encode_to_vec()), Ok(outcome(&response)))
        }
        Err(status) => (Err(status.details().to_vec()), Err(reason(&status))),
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn seed() -> u64 {
    setting("PLASMA_TEST_BILLING_SEED")
        .unwrap_or_else(|| u64::from_be_bytes(plasma_kit::Env::system().random()))
}

async fn run(first: World, another: impl AsyncFn() -> World) {
    let (seed, operations) = (seed(), setting("PLASMA_TEST_BILLING_OPERATIONS").unwrap_or(2_000));
    println!("PLASMA_TEST_BILLING_SEED={seed} PLASMA_TEST_BILLING_OPERATIONS={operations}");
    let mut world = Some(first);
    let mut counts = BTreeMap::<String, u64>::new();
    for (round, start) in (0..operations).step_by(usize::try_from(PER_WORLD).unwrap()).enumerate() {
        let world = match world.take() {
            Some(world) => world,
            None => another().await,
        };
        let mut run = Run::new(world, seed.wrapping_add(round as u64));
        for n in start..operations.min(start + PER_WORLD) {
            run.step(n).await;
        }
        for (name, count) in run.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    println!("{counts:?}");
    // A run that never got to these would prove little.
    if operations >= PER_WORLD {
        for name in ["moved", "published", "opened", "again", "PRICE_CHANGED", "PAYMENT_REQUIRED"] {
            assert!(counts.get(name).copied().unwrap_or_default() >= 3, "{name}: {counts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_the_model_on_sqlite() {
    run(World::sqlite().await, World::sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_the_model_on_postgres() {
    match World::postgres().await {
        Some(world) => run(world, async || World::postgres().await.unwrap()).await,
        None => eprintln!("skipped: PLASMA_TEST_POSTGRES is not set"),
    }
}
