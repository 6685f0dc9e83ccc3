//! Requests to billing's services and what came of them.

use plasma_kit::ids::{Id, TenantId, UserId};
use plasma_proto::billing::v1 as pb;

use super::expected::{Model, Outcome, PriceModel, Who};
use crate::harness::{World, reason};

#[derive(Clone)]
pub(super) enum Request {
    Credit(Who, pb::CreditWalletRequest),
    Debit(Who, pb::DebitWalletRequest),
    Publish(TenantId, pb::PublishPriceRequest),
    Buy(Who, pb::PurchaseAccessRequest),
}

/// The bytes of an answer: a response or a status.
pub(super) type Answer = Result<Vec<u8>, Vec<u8>>;

/// Sends a request to a node, and notes in the model what the server numbered.
pub(super) async fn send(
    world: &World,
    model: &mut Model,
    node: usize,
    request: &Request,
) -> (Answer, Result<Outcome, String>) {
    match request.clone() {
        Request::Credit(who, request) => {
            let response = world.key(node, who.0).wallet.credit_wallet(request).await;
            read(response, |response: &pb::CreditWalletResponse| moved(response.wallet.as_ref()))
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
            read(access.purchase_access(request).await, |response: &pb::PurchaseAccessResponse| {
                let paid = response.pass.as_ref().unwrap().amount.clone();
                Outcome::Opened { paid: paid.map_or(0, |amount| amount.minor_units) }
            })
        }
    }
}

fn moved(wallet: Option<&pb::Wallet>) -> Outcome {
    Outcome::Moved(wallet.unwrap().balance.as_ref().unwrap().minor_units)
}

/// Keeps a version that the server numbered, unless it is known.
fn remember(model: &mut Model, tenant: TenantId, price: &pb::Price) {
    let definition = price.definition.clone().unwrap();
    let (target, terms) = (definition.target.unwrap(), definition.terms.unwrap());
    let scope = (!target.recipient_user_id.is_empty())
        .then(|| UserId::parse(&target.recipient_user_id).unwrap());
    let seconds = match terms.mode.as_ref().unwrap() {
        pb::price_terms::Mode::TimePass(price) => Some(price.duration.unwrap().seconds),
        _ => None,
    };
    let versions = model.prices.entry((tenant, scope)).or_default();
    if usize::try_from(price.version).unwrap() > versions.len() {
        versions.push(PriceModel {
            id: price.price_id.clone(),
            cost: terms
                .amount()
                .cloned()
                .map(|amount| (amount.currency_code, amount.minor_units, seconds)),
            recipient_share: i64::from(definition.shares.unwrap().recipient_basis_points),
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
