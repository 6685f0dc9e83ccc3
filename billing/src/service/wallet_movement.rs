//! What `CreditWallet` and `DebitWallet` share: all but the direction.

use plasma_kit::actor::KeyActor;
use plasma_kit::db::{Scope, TenantClaim, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::UserId;
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use prost::Message;
use tonic::Status;

use super::{decline, require_user};
use crate::Billing;
use crate::error::Error;
use crate::movement::{self, Direction, Order};
use crate::store::wallets::{self, Balance};
use crate::wire::{self, AmountField};

/// A platform's request to move money.
pub(super) struct Asked<'a> {
    pub(super) direction: Direction,
    pub(super) key: Key,
    pub(super) request_id: &'a str,
    pub(super) user_id: &'a str,
    pub(super) amount: Option<&'a pb::Amount>,
    pub(super) reference: &'a str,
}

/// Moves money once for the request's key, and answers with the wallet and the transaction.
pub(super) async fn answer<R: Message + Default>(
    billing: &Billing,
    actor: KeyActor,
    asked: Asked<'_>,
    response: impl FnOnce(pb::Wallet, String) -> R,
) -> Result<R, Status> {
    let field = AmountField {
        itself: "amount",
        currency: "amount.currency_code",
        number: "amount.minor_units",
    };
    let order = Order {
        direction: asked.direction,
        user: UserId::checked(asked.user_id),
        money: wire::read_money(field, asked.amount).map_err(Error::from)?,
        request_id: asked.request_id,
        reference: asked.reference,
        now: billing.now(actor.tenant).await?,
    };
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = require_user(billing, actor.tenant, order.user).await;
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, asked.key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let moved = match known {
        Ok(()) => make(billing, claim.tx(), order).await,
        Err(error) => Err(error),
    };
    match moved {
        Ok((wallet, transaction)) => {
            let response = response(wallet, transaction);
            claim.commit(&response).await.map_err(Failure::from)?;
            // What was waiting for the money.
            billing.due.notify_one();
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}

async fn make(
    billing: &Billing,
    tx: &TenantTx,
    order: Order<'_>,
) -> Result<(pb::Wallet, String), Error> {
    let (user, currency) = (order.user, order.money.currency());
    let moved = movement::make(tx, &billing.env, order).await?;
    let now = wallets::get(tx, user, currency).await?.unwrap_or_default();
    // The balance is that of the movement, which a late retry repeats; what is held is held now.
    let held = now.posted - now.available;
    let balance = moved.standing.balance;
    let after = Balance { posted: balance, available: balance - held };
    let wallet = wire::wallet(tx.tenant(), user, currency, Some(after));
    Ok((wallet, moved.transaction.to_string()))
}
