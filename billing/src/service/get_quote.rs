//! `AccessService.GetQuote`.

use plasma_kit::actor;
use plasma_kit::ids::ChatId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::subscribed;
use crate::Billing;
use crate::domain::pass::Party;
use crate::error::{Error, Object, Refusal};

/// Tells what renewing or opening access to a chat costs the caller now.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetQuoteRequest>,
) -> Result<pb::GetQuoteResponse, Error> {
    let device = actor::device(request)?;
    let chat = ChatId::checked(&request.get_ref().chat_id);
    let parties = billing.chats.parties(device.tenant, device.user, chat).await?;
    let parties = parties.ok_or(Refusal::NotFound(Object::Chat))?;
    let payer = (device.tenant, device.user);
    let quote = billing.quote(payer, (parties.recipient_tenant, parties.recipient_user)).await?;
    let pass = billing.active_pass(chat).await?;
    let payer = Party { tenant: device.tenant, user: device.user };
    let subscription = subscribed::live(billing, payer, chat).await?;
    Ok(pb::GetQuoteResponse { quote: Some(quote), pass, subscription })
}
