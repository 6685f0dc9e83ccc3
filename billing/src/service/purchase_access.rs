//! `AccessService.PurchaseAccess`.

use plasma_kit::Actor;
use plasma_kit::actor::{self, DeviceActor};
use plasma_kit::idempotency::Key;
use plasma_kit::ids::ChatId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::error::{Error, Object, Refusal};
use crate::purchase::Deal;
use crate::{Billing, Purchase};

/// Buys access to a chat at the price accepted.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::PurchaseAccessRequest>,
) -> Result<pb::PurchaseAccessResponse, Status> {
    let device = actor::device(request)?;
    let request = request.get_ref();
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "PurchaseAccess", &request.request_id, request);
    let deal = match deal(billing, device, request).await {
        Ok(deal) => Ok(deal),
        // Not something to remember: it says the same of the same request by itself.
        Err(Error::Refused(refusal @ Refusal::Invalid { .. })) => {
            return Err(Error::Refused(refusal).into());
        }
        Err(Error::Refused(refusal)) => Err(refusal),
        Err(Error::Failed(failure)) => return Err((*failure).into()),
    };
    billing.sell_once(key, device.tenant, deal).await
}

/// Asks who is in the chat and on what terms, before the transaction, which waits for nobody.
async fn deal(
    billing: &Billing,
    device: DeviceActor,
    request: &pb::PurchaseAccessRequest,
) -> Result<Deal, Error> {
    let chat = ChatId::checked(&request.chat_id);
    let parties = billing.chats.parties(device.tenant, device.user, chat).await?;
    let parties = parties.ok_or(Refusal::NotFound(Object::Chat))?;
    if parties.closed {
        return Err(Refusal::ChatClosed.into());
    }
    let purchase = Purchase {
        chat,
        payer_tenant: device.tenant,
        payer_user: device.user,
        recipient_tenant: parties.recipient_tenant,
        recipient_user: parties.recipient_user,
        accepted: request.accepted_price.clone().unwrap_or_default(),
        extend: request.extend,
    };
    billing.deal(&purchase).await
}
