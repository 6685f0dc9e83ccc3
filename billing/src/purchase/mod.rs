//! The one way in which access to a chat is sold, be it while a chat is opened or later.

mod collect;
mod deal;
mod sell;

use plasma_kit::db::{TenantClaim, TenantDb};
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::Status;

use crate::domain::pass::Pass;
use crate::domain::price::PriceTerms;
use crate::domain::subscription::Subscription;
use crate::error::{Error, Refusal};
use crate::external::reserve::{Captured, Funding};
use crate::{Billing, service, wire};

pub(crate) use collect::collect;
pub(crate) use deal::Deal;
pub(crate) use sell::split;

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
    /// Whether to buy although a pass is in force.
    pub extend: bool,
}

/// A pass that opens the chat, and whether it is new.
pub(crate) struct Sold {
    pub(crate) pass: Pass,
    /// The subscription that began with it, and its terms.
    pub(crate) subscription: Option<(Subscription, PriceTerms)>,
    pub(crate) new: bool,
    /// What is now captured at the payer's own wallet.
    pub(crate) captured: Option<Captured>,
}

/// Refuses an accepted price that no price can be, for a caller that stores something before it
/// buys. Fails with `INVALID_ARGUMENT` (`accepted_price`).
pub fn check_accepted(accepted: &pb::AcceptedPrice) -> Result<(), Failure> {
    wire::read_accepted(accepted).map(drop).map_err(Failure::from)
}

impl Billing {
    /// Buys access to a chat. While a pass is in force nothing is charged and that pass is the
    /// answer, so that a retry is safe for as long as what it bought lasts; a caller that may
    /// retry for longer, or that extends a pass, uses [`Billing::purchase_once`].
    ///
    /// Fails with `PAYMENT_REQUIRED`, `PRICE_CHANGED`, `CURRENCY_MISMATCH`, `PRICE_NOT_SET`,
    /// `INVALID_ARGUMENT` (`accepted_price`), `NOT_FOUND` (the recipient's tenant).
    pub async fn purchase(&self, purchase: Purchase) -> Result<pb::Pass, Failure> {
        let deal = self.deal(&Purchase { extend: false, ..purchase }).await?;
        if let Some(pass) = &deal.suffices {
            return Ok(wire::pass(pass));
        }
        let funding = self.set_aside(&deal).await?;
        let sold = self.sell_now(&deal, &funding).await;
        let (sold, captured) = match sold {
            Ok(mut sold) => {
                let captured = sold.captured.take();
                (Ok(sold), captured)
            }
            Err(error) => (Err(error), None),
        };
        self.close(funding, captured);
        let sold = sold?;
        self.announce(&sold).await;
        Ok(wire::pass(&sold.pass))
    }

    async fn sell_now(&self, deal: &Deal, funding: &Funding) -> Result<Sold, Error> {
        let tx = self.db.tenant(TenantClaim::of_peer(deal.payer.tenant)).begin().await?;
        match self.sell(&tx, deal, funding).await {
            Ok(sold) => {
                tx.commit().await?;
                Ok(sold)
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    /// Buys access to a chat once for a request: for a day, the same request has the same answer,
    /// even after the pass that it bought has ended. Fails as [`Billing::purchase`] does, and with
    /// `NOT_EXTENDABLE`, `LIMIT_REACHED`, `IDEMPOTENCY_KEY_REUSED`.
    pub async fn purchase_once(&self, key: Key, purchase: Purchase) -> Result<pb::Pass, Status> {
        let deal = self.deal(&purchase).await.map_err(Failure::from)?;
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
        let own_wallet = self.wallet_link(payer).await?.is_some();
        if own_wallet && let Some(replay) = idempotency::find(&db, &self.secrets, &key).await? {
            return replay.answer();
        }
        // Before the transaction, which waits for nobody; a refusal is weighed within the claim.
        let (deal, funding) = match deal {
            Ok(deal) => match self.set_aside(&deal).await {
                Ok(funding) => (Ok(deal), funding),
                Err(Error::Refused(refusal)) => (Err(refusal), Funding::Hosted),
                Err(Error::Failed(failure)) => return Err((*failure).into()),
            },
            Err(refusal) => (Err(refusal), Funding::Hosted),
        };
        let mut captured = None;
        let response = self.sell_in_claim(key, &db, (deal, &funding), &mut captured).await;
        self.close(funding, captured);
        response
    }

    /// Sells in the transaction of a claimed request. `captured` is what a committed sale marked.
    async fn sell_in_claim(
        &self,
        key: Key,
        db: &TenantDb,
        (deal, funding): (Result<Deal, Refusal>, &Funding),
        captured: &mut Option<Captured>,
    ) -> Result<pb::PurchaseAccessResponse, Status> {
        let claim = match idempotency::begin(db, &self.env, &self.secrets, key).await? {
            Begun::Replay(replay) => return replay.answer(),
            Begun::Fresh(claim) => claim,
        };
        let sold = match deal {
            Ok(deal) => self.sell(claim.tx(), &deal, funding).await,
            Err(refusal) => Err(refusal.into()),
        };
        let mut sold = match sold {
            Ok(sold) => sold,
            Err(error) => return service::decline(claim, error).await,
        };
        let subscription = sold.subscription.as_ref();
        let subscription =
            subscription.map(|(begun, terms)| wire::subscription(begun, terms, None));
        let response =
            pb::PurchaseAccessResponse { pass: Some(wire::pass(&sold.pass)), subscription };
        claim.commit(&response).await.map_err(Failure::from)?;
        *captured = sold.captured.take();
        self.announce(&sold).await;
        Ok(response)
    }

    /// Tells caches that a pass is new.
    async fn announce(&self, sold: &Sold) {
        if sold.new {
            self.events.emit(Event::ChatChanged(sold.pass.obligation.chat)).await;
        }
    }
}
