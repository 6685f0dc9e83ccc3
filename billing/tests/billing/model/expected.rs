//! What billing should hold, and what it should answer.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use uuid::Uuid;

use crate::harness::amount;

/// Most that a wallet holds.
pub(super) const MAX: i64 = 1_000_000_000_000_000;
pub(super) const CODES: [&str; 2] = ["EUR", "JPY"];

pub(super) type Who = (TenantId, UserId);

/// What came of a call: its response, or its reason. Compared with what the model expects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
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
pub(super) struct PriceModel {
    pub(super) id: String,
    /// Currency, minor units, seconds of a pass.
    pub(super) cost: Option<(String, i64, Option<i64>)>,
    pub(super) recipient_share: i64,
}

#[derive(Default)]
pub(super) struct ChatModel {
    pub(super) ends: Vec<Option<Timestamp>>,
    pub(super) paid: Vec<i64>,
    pub(super) closed: bool,
}

/// What billing should hold.
#[derive(Default)]
pub(super) struct Model {
    pub(super) free: HashMap<TenantId, bool>,
    pub(super) operator: HashMap<TenantId, i64>,
    pub(super) prices: HashMap<(TenantId, Option<UserId>), Vec<PriceModel>>,
    pub(super) chats: HashMap<ChatId, ChatModel>,
    /// Sums of postings by tenant, purpose, owner, currency.
    pub(super) accounts: BTreeMap<(Uuid, i16, Uuid, String), i64>,
    pub(super) transactions: i64,
    pub(super) charges: i64,
}

impl Model {
    pub(super) fn post(
        &mut self,
        tenant: TenantId,
        purpose: i16,
        owner: Uuid,
        code: &str,
        minor_units: i64,
    ) {
        if minor_units != 0 {
            *self.accounts.entry((tenant.0, purpose, owner, code.to_owned())).or_default() +=
                minor_units;
        }
    }

    pub(super) fn wallet(&self, who: Who, code: &str) -> Option<i64> {
        self.accounts.get(&(who.0.0, 1, who.1.0, code.to_owned())).copied()
    }

    pub(super) fn move_money(&mut self, who: Who, code: &str, minor_units: i64) -> Outcome {
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

    pub(super) fn quote(&self, (tenant, user): Who) -> Option<PriceModel> {
        if self.free[&tenant] {
            return Some(PriceModel { id: String::new(), cost: None, recipient_share: 0 });
        }
        let latest = |scope| self.prices.get(&(tenant, scope)).and_then(|prices| prices.last());
        latest(Some(user)).or_else(|| latest(None)).cloned()
    }

    pub(super) fn buy(
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

    pub(super) fn open(&mut self, chat: ChatId, end: Option<Timestamp>, paid: i64) {
        let state = self.chats.get_mut(&chat).unwrap();
        state.ends.push(end);
        state.paid.push(paid);
    }

    pub(super) fn pay(
        &mut self,
        payer: Who,
        recipient: Who,
        code: &str,
        cost: i64,
        price: &PriceModel,
    ) {
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
