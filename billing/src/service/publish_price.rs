//! `PricingService.PublishPrice`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{PriceId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::{decline, require_user};
use crate::Billing;
use crate::domain::price::{Mode, Price, PriceScope};
use crate::domain::split::BasisPoints;
use crate::error::{Error, Refusal};
use crate::store::prices;
use crate::wire::{self, AmountField};

/// How often a publisher that lost a version to a parallel one tries the next.
const ATTEMPTS: u32 = 128;

/// Publishes a new version of the price of a scope.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::PublishPriceRequest>,
) -> Result<pb::PublishPriceResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let draft = Draft::read(request).map_err(Error::from)?;
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = match draft.scope {
        PriceScope::TenantDefault => Ok(()),
        PriceScope::Recipient(user) => require_user(billing, key.tenant, user).await,
    };
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let caller = plasma_kit::Actor::Key(key).caller();
    let key = Key::new(caller, "PublishPrice", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let published = match known {
        Ok(()) => draft.publish(billing, claim.tx()).await,
        Err(error) => Err(error),
    };
    match published {
        Ok(price) => {
            let response = pb::PublishPriceResponse { price: Some(wire::price(&price)) };
            claim.commit(&response).await.map_err(Failure::from)?;
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}

/// A version without its number.
struct Draft {
    scope: PriceScope,
    mode: Mode,
    recipient_share: BasisPoints,
}

impl Draft {
    fn read(request: &pb::PublishPriceRequest) -> Result<Self, Refusal> {
        let recipient = UserId::checked_optional(&request.recipient_user_id);
        let invalid = |field, rule| Refusal::Invalid { field, rule };
        let scope = match (request.scope(), recipient) {
            (pb::PriceScope::TenantDefault, None) => PriceScope::TenantDefault,
            (pb::PriceScope::Recipient, Some(user)) => PriceScope::Recipient(user),
            (pb::PriceScope::TenantDefault, Some(_)) => {
                return Err(invalid("recipient_user_id", "must be empty with this scope"));
            }
            (pb::PriceScope::Recipient, None) => {
                return Err(invalid("recipient_user_id", "must be set with this scope"));
            }
            (pb::PriceScope::Unspecified, _) => return Err(invalid("scope", "must be set")),
        };
        let shares = request.shares.unwrap_or_default();
        let recipient_share = BasisPoints::new(shares.recipient_basis_points)
            .filter(|share| share.rest().get() == shares.platform_basis_points)
            .ok_or_else(|| invalid("shares", "must add up to 10,000 basis points"))?;
        Ok(Self { scope, mode: mode(request)?, recipient_share })
    }

    /// Inserts the next version. Parallel publishers wait for each other at its number.
    async fn publish(&self, billing: &Billing, tx: &TenantTx) -> Result<Price, Error> {
        for _ in 0..ATTEMPTS {
            let latest = prices::latest(tx, self.scope).await?;
            let now = billing.env.now();
            let price = Price {
                id: PriceId(billing.env.uuid()),
                scope: self.scope,
                version: latest.map_or(0, |latest| latest.version) + 1,
                mode: self.mode,
                recipient_share: self.recipient_share,
                // Versions follow each other in time too, whichever node's clock is ahead.
                created_at: latest.map_or(now, |latest| latest.created_at.max(now)),
                superseded_at: None,
            };
            if prices::insert(tx, &price).await? {
                return Ok(price);
            }
        }
        Err(StoreError::Conflict("other publishers were first".to_owned()).into())
    }
}

fn mode(request: &pb::PublishPriceRequest) -> Result<Mode, Refusal> {
    use pb::publish_price_request::Mode as Asked;
    match &request.mode {
        None => Err(Refusal::Invalid { field: "mode", rule: "must have one of its members set" }),
        Some(Asked::Free(pb::FreePrice {})) => Ok(Mode::Free),
        Some(Asked::OneTimeUnlock(price)) => {
            let field = AmountField {
                itself: "one_time_unlock.amount",
                currency: "one_time_unlock.amount.currency_code",
                number: "one_time_unlock.amount.minor_units",
            };
            Ok(Mode::OneTimeUnlock(wire::read_money(field, price.amount.as_ref())?))
        }
        Some(Asked::TimePass(price)) => {
            let field = AmountField {
                itself: "time_pass.amount",
                currency: "time_pass.amount.currency_code",
                number: "time_pass.amount.minor_units",
            };
            let duration = convert::span(&price.duration.unwrap_or_default());
            Ok(Mode::TimePass(wire::read_money(field, price.amount.as_ref())?, duration))
        }
    }
}
