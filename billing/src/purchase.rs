//! The one way in which access to a chat is sold, be it while a chat is opened or later.
//!
//! A debt is (chat, number of the pass). Its pass is inserted first: a parallel purchase of the
//! same chat waits at that unique key, and then finds the pass that won or takes the place of one
//! that was refused. Only then does money move, in one statement that enforces the wallet's floor.
//! Pass, charge and postings, in one platform's books or in two, are one database transaction.

use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ChargeId, ChatId, PassId, TenantId, TransactionId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::Status;

use crate::Billing;
use crate::access;
use crate::domain::charge::Charge;
use crate::domain::money::Money;
use crate::domain::pass::{Obligation, Party, Pass};
use crate::domain::price::{Accepted, Price, Quote};
use crate::domain::split::{BasisPoints, Split};
use crate::error::{Error, Refusal, Shortfall};
use crate::ports::Terms;
use crate::service;
use crate::store::{BooksOf, charges, ledger, passes, wallets};
use crate::wire;

/// How often a purchase begins again after a parallel one whose pass has already ended.
const ATTEMPTS: u32 = 16;

/// Who buys access to which chat, at which price.
#[derive(Debug, Clone, PartialEq)]
pub struct Purchase {
    /// The chat. It exists, and both users are its members.
    pub chat: ChatId,
    /// The payer's platform, whose wallet pays.
    pub payer_tenant: TenantId,
    /// The payer.
    pub payer_user: UserId,
    /// The recipient's platform, whose price list counts.
    pub recipient_tenant: TenantId,
    /// The recipient.
    pub recipient_user: UserId,
    /// The price that the payer saw.
    pub accepted: pb::AcceptedPrice,
}

/// A purchase with all that is asked elsewhere, so that the transaction waits for nobody.
pub(crate) struct Deal {
    chat: ChatId,
    payer: Party,
    recipient: Party,
    accepted: Accepted,
    terms: Option<Terms>,
}

/// A pass that opens the chat, and whether it is new.
struct Sold {
    pass: Pass,
    new: bool,
}

/// Refuses an accepted price that no price can be, for a caller that stores something before it
/// buys. Fails with `INVALID_ARGUMENT` (`accepted_price`).
pub fn check_accepted(accepted: &pb::AcceptedPrice) -> Result<(), Failure> {
    wire::read_accepted(accepted).map(drop).map_err(Failure::from)
}

impl Billing {
    /// Buys access to a chat. While a pass is in force nothing is charged and that pass is the
    /// answer, so that a retry is safe for as long as what it bought lasts; a caller that may
    /// retry for longer uses [`Billing::purchase_once`].
    ///
    /// Fails with `PAYMENT_REQUIRED`, `PRICE_CHANGED`, `CURRENCY_MISMATCH`, `PRICE_NOT_SET`,
    /// `INVALID_ARGUMENT` (`accepted_price`), `NOT_FOUND` (the recipient's tenant).
    pub async fn purchase(&self, purchase: Purchase) -> Result<pb::Pass, Failure> {
        let deal = self.deal(&purchase).await?;
        if let Some(pass) = self.pass_in_force(deal.chat).await? {
            return Ok(wire::pass(&pass));
        }
        let tx = self.payer_db(&purchase).begin().await?;
        match self.sell(&tx, &deal).await {
            Ok(sold) => {
                tx.commit().await?;
                self.announce(&sold).await;
                Ok(wire::pass(&sold.pass))
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error.into())
            }
        }
    }

    /// Buys access to a chat once for a request: for a day, the same request has the same answer,
    /// even after the pass that it bought has ended. Fails as [`Billing::purchase`] does, and with
    /// `IDEMPOTENCY_KEY_REUSED`.
    pub async fn purchase_once(&self, key: Key, purchase: Purchase) -> Result<pb::Pass, Status> {
        let deal = self.deal(&purchase).await?;
        let response = self.sell_once(key, purchase.payer_tenant, Ok(deal)).await?;
        response.pass.ok_or_else(|| Failure::internal().into())
    }

    /// Sells once for a request, or repeats what came of it. `deal` may be a refusal that was known
    /// before; a replay goes first.
    pub(crate) async fn sell_once(
        &self,
        key: Key,
        payer: TenantId,
        deal: Result<Deal, Refusal>,
    ) -> Result<pb::PurchaseAccessResponse, Status> {
        let db = self.db.tenant(TenantClaim::of_peer(payer));
        let claim = match idempotency::begin(&db, &self.env, &self.secrets, key).await? {
            Begun::Replay(replay) => return replay.answer(),
            Begun::Fresh(claim) => claim,
        };
        let sold = match deal {
            Ok(deal) => self.sell(claim.tx(), &deal).await,
            Err(refusal) => Err(refusal.into()),
        };
        let sold = match sold {
            Ok(sold) => sold,
            Err(error) => return service::decline(claim, error).await,
        };
        let response = pb::PurchaseAccessResponse { pass: Some(wire::pass(&sold.pass)) };
        claim.commit(&response).await.map_err(Failure::from)?;
        self.announce(&sold).await;
        Ok(response)
    }

    /// Reads a purchase and asks for the terms of the recipient's platform.
    pub(crate) async fn deal(&self, purchase: &Purchase) -> Result<Deal, Error> {
        Ok(Deal {
            chat: purchase.chat,
            payer: Party { tenant: purchase.payer_tenant, user: purchase.payer_user },
            recipient: Party { tenant: purchase.recipient_tenant, user: purchase.recipient_user },
            accepted: wire::read_accepted(&purchase.accepted)?,
            terms: self.tenants.terms(purchase.recipient_tenant).await?,
        })
    }

    fn payer_db(&self, purchase: &Purchase) -> plasma_kit::TenantDb {
        self.db.tenant(TenantClaim::of_peer(purchase.payer_tenant))
    }

    /// Tells caches that a pass is new.
    async fn announce(&self, sold: &Sold) {
        if sold.new {
            self.events.emit(Event::ChatChanged(sold.pass.obligation.chat)).await;
        }
    }

    /// Sells in the transaction of the payer's tenant. What it refuses leaves nothing behind.
    async fn sell(&self, tx: &TenantTx, deal: &Deal) -> Result<Sold, Error> {
        let home = BooksOf::party(tx, deal.recipient.tenant);
        for _ in 0..ATTEMPTS {
            let now = self.env.now();
            let latest = passes::latest(tx, deal.chat).await?;
            if let Some(pass) = latest.filter(|pass| pass.in_force(now)) {
                return Ok(Sold { pass, new: false });
            }
            let quote = access::quote(&home, deal.terms, Some(deal.recipient.user)).await?;
            if !quote.is(&deal.accepted) {
                return Err(Refusal::PriceChanged(Box::new(quote)).into());
            }
            let (pass, charge) = self.draw_up(deal, &quote, latest.as_ref(), now)?;
            if !passes::insert(tx, &pass).await? {
                continue;
            }
            if let Some(charge) = charge {
                self.collect(tx, &charge, pass.id).await?;
            }
            changes::record(tx, &self.env, Change::Chat(deal.chat)).await?;
            return Ok(Sold { pass, new: true });
        }
        Err(StoreError::Conflict("other purchases of the chat were first".to_owned()).into())
    }

    /// Draws up the pass, and the charge where there is something to pay.
    fn draw_up(
        &self,
        deal: &Deal,
        quote: &Quote,
        latest: Option<&Pass>,
        now: Timestamp,
    ) -> Result<(Pass, Option<Charge>), Error> {
        let obligation = Obligation::after(deal.chat, latest);
        let charge = match (quote, quote.mode().money()) {
            (Quote::Priced(price), Some(money)) => {
                Some(self.charge(deal, price, money, obligation, now)?)
            }
            (Quote::Priced(_) | Quote::TenantIsFree, _) => None,
        };
        let pass = Pass {
            id: PassId(self.env.uuid()),
            obligation,
            payer: deal.payer,
            paid: charge.as_ref().map(|charge| (charge.money, charge.id)),
            start: now,
            expire: quote.mode().expiry(now),
        };
        Ok((pass, charge))
    }

    fn charge(
        &self,
        deal: &Deal,
        price: &Price,
        money: Money,
        obligation: Obligation,
        now: Timestamp,
    ) -> Result<Charge, Error> {
        let operator = deal.terms.map_or(0, |terms| terms.operator_share_basis_points);
        let operator = BasisPoints::new(operator).ok_or_else(|| {
            StoreError::Inconsistent(format!("the operator's share is {operator} basis points"))
        })?;
        Ok(Charge {
            id: ChargeId(self.env.uuid()),
            obligation,
            price: price.id,
            payer: deal.payer,
            recipient: deal.recipient,
            money,
            split: Split::of(money.minor_units(), operator, price.recipient_share),
            created_at: now,
        })
    }

    /// Takes the money and posts it. Where the wallet does not cover it, takes back the pass that
    /// was inserted for it.
    async fn collect(&self, tx: &TenantTx, charge: &Charge, pass: PassId) -> Result<(), Error> {
        let Some(standing) = wallets::withdraw(tx, charge.payer.user, charge.money).await? else {
            passes::withdraw(tx, pass).await?;
            return Err(uncovered(tx, charge.payer.user, charge.money).await?.into());
        };
        let ids = [TransactionId(self.env.uuid()), TransactionId(self.env.uuid())];
        for (tenant, transaction) in charge.transactions(ids, standing)? {
            ledger::post(&BooksOf::party(tx, tenant), &transaction).await?;
        }
        charges::insert(&BooksOf::party(tx, charge.recipient.tenant), charge).await?;
        Ok(())
    }
}

/// Why a payer's wallets did not cover a price.
async fn uncovered(tx: &TenantTx, payer: UserId, required: Money) -> Result<Refusal, StoreError> {
    let wallets = wallets::currencies(tx, payer).await?;
    if !wallets.is_empty() && !wallets.contains(&required.currency()) {
        return Ok(Refusal::CurrencyMismatch { price: required.currency(), wallets });
    }
    let balance = wallets::get(tx, payer, required.currency()).await?.unwrap_or_default();
    Ok(Refusal::PaymentRequired(Shortfall { required, available: balance.available }))
}
