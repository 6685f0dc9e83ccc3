//! What the RPCs of subscriptions share: whose a caller may see, and how one is written.

use plasma_kit::Actor;
use plasma_kit::db::{TenantClaim, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ChatId, SubscriptionId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use prost::Message;
use tonic::Status;

use super::decline;
use crate::Billing;
use crate::domain::pass::Party;
use crate::domain::subscription::Subscription;
use crate::error::{Error, Object, Refusal};
use crate::store::{BooksOf, subscriptions};
use crate::subscription::{Decision, decide, price_change, price_of};
use crate::wire;

/// The subscription that a payer has in a chat.
pub(super) async fn live(
    billing: &Billing,
    payer: Party,
    chat: ChatId,
) -> Result<Option<pb::Subscription>, Error> {
    let scope = billing.db.tenant(TenantClaim::operator());
    let live = subscriptions::live(&scope, chat).await?;
    match live.filter(|subscription| subscription.payer == payer) {
        Some(subscription) => Ok(Some(written(billing, &subscription).await?)),
        None => Ok(None),
    }
}

/// One subscription that a caller may see: a device its own user's, a platform those to its users.
pub(super) async fn visible(
    billing: &Billing,
    actor: &Actor,
    id: SubscriptionId,
) -> Result<Subscription, Error> {
    let found = match actor {
        Actor::Device(device) => {
            let scope = billing.db.tenant(TenantClaim::operator());
            let payer = Party { tenant: device.tenant, user: device.user };
            subscriptions::of_payer(&scope, payer, id).await?
        }
        Actor::Key(key) => {
            subscriptions::get(&billing.db.tenant(TenantClaim::of_key(key)), id).await?
        }
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            return Err(Failure::principal_not_allowed().into());
        }
    };
    found.ok_or_else(|| Refusal::NotFound(Object::Subscription).into())
}

/// Writes a subscription as it stands, with what its payer is asked about.
pub(super) async fn written(
    billing: &Billing,
    subscription: &Subscription,
) -> Result<pb::Subscription, Error> {
    let seller = subscription.recipient.tenant;
    let home = billing.db.tenant(TenantClaim::of_peer(seller));
    let terms = billing.tenants.terms(seller).await?;
    let now = billing.now(seller).await?;
    let mine = price_of(&home, subscription).await?;
    let change = price_change(&home, subscription, terms.as_ref(), now).await?;
    Ok(wire::subscription(subscription, &mine.definition.terms, change.as_ref()))
}

/// Takes a decision about a subscription once for the request's key.
pub(super) async fn change<R: Message + Default>(
    billing: &Billing,
    actor: Actor,
    key: Key,
    (id, decision): (&str, Decision),
    response: impl FnOnce(pb::Subscription) -> R,
) -> Result<R, Status> {
    let known = visible(billing, &actor, SubscriptionId::checked(id)).await;
    let own = match &actor {
        Actor::Device(device) => TenantClaim::of_device(device),
        Actor::Key(key) => TenantClaim::of_key(key),
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            return Err(Failure::principal_not_allowed().into());
        }
    };
    let db = billing.db.tenant(own);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let decided = match known {
        Ok(subscription) => weigh(billing, claim.tx(), &subscription, decision).await,
        Err(error) => Err(error),
    };
    match decided {
        Ok(subscription) => {
            let response = response(subscription);
            claim.commit(&response).await.map_err(Failure::from)?;
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}

async fn weigh(
    billing: &Billing,
    tx: &TenantTx,
    subscription: &Subscription,
    decision: Decision,
) -> Result<pb::Subscription, Error> {
    let seller = subscription.recipient.tenant;
    let terms = billing.tenants.terms(seller).await?;
    let now = billing.now(seller).await?;
    let home = BooksOf::party(tx, seller);
    let after = decide(&home, subscription.id, decision, (terms.as_ref(), now)).await?;
    let mine = price_of(&home, &after).await?;
    let change = price_change(&home, &after, terms.as_ref(), now).await?;
    Ok(wire::subscription(&after, &mine.definition.terms, change.as_ref()))
}
