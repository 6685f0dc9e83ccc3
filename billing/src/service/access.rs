//! `plasma.billing.v1.AccessService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::access_service_server;
use tonic::{Request, Response, Status};

use super::{
    accept_price_change, cancel_subscription, get_quote, get_subscription, list_passes,
    list_refunds, list_subscriptions, purchase_access, refund_charge, undo_cancellation,
};
use crate::Billing;

/// Sells access to chats.
#[derive(Debug, Clone)]
pub struct AccessService {
    billing: Billing,
}

impl AccessService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl access_service_server::AccessService for AccessService {
    async fn get_quote(
        &self,
        request: Request<pb::GetQuoteRequest>,
    ) -> Result<Response<pb::GetQuoteResponse>, Status> {
        Ok(Response::new(get_quote::handle(&self.billing, &request).await?))
    }

    async fn purchase_access(
        &self,
        request: Request<pb::PurchaseAccessRequest>,
    ) -> Result<Response<pb::PurchaseAccessResponse>, Status> {
        Ok(Response::new(purchase_access::handle(&self.billing, &request).await?))
    }

    async fn list_passes(
        &self,
        request: Request<pb::ListPassesRequest>,
    ) -> Result<Response<pb::ListPassesResponse>, Status> {
        Ok(Response::new(list_passes::handle(&self.billing, &request).await?))
    }

    async fn get_subscription(
        &self,
        request: Request<pb::GetSubscriptionRequest>,
    ) -> Result<Response<pb::GetSubscriptionResponse>, Status> {
        Ok(Response::new(get_subscription::handle(&self.billing, &request).await?))
    }

    async fn list_subscriptions(
        &self,
        request: Request<pb::ListSubscriptionsRequest>,
    ) -> Result<Response<pb::ListSubscriptionsResponse>, Status> {
        Ok(Response::new(list_subscriptions::handle(&self.billing, &request).await?))
    }

    async fn cancel_subscription(
        &self,
        request: Request<pb::CancelSubscriptionRequest>,
    ) -> Result<Response<pb::CancelSubscriptionResponse>, Status> {
        Ok(Response::new(cancel_subscription::handle(&self.billing, &request).await?))
    }

    async fn undo_cancellation(
        &self,
        request: Request<pb::UndoCancellationRequest>,
    ) -> Result<Response<pb::UndoCancellationResponse>, Status> {
        Ok(Response::new(undo_cancellation::handle(&self.billing, &request).await?))
    }

    async fn accept_price_change(
        &self,
        request: Request<pb::AcceptPriceChangeRequest>,
    ) -> Result<Response<pb::AcceptPriceChangeResponse>, Status> {
        Ok(Response::new(accept_price_change::handle(&self.billing, &request).await?))
    }

    async fn refund_charge(
        &self,
        request: Request<pb::RefundChargeRequest>,
    ) -> Result<Response<pb::RefundChargeResponse>, Status> {
        Ok(Response::new(refund_charge::handle(&self.billing, &request).await?))
    }

    async fn list_refunds(
        &self,
        request: Request<pb::ListRefundsRequest>,
    ) -> Result<Response<pb::ListRefundsResponse>, Status> {
        Ok(Response::new(list_refunds::handle(&self.billing, &request).await?))
    }
}
