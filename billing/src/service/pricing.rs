//! `plasma.billing.v1.PricingService`.

mod add_payer;
mod create_payer_group;
mod create_price_draft;
mod delete_payer_group;
mod delete_price_draft;
mod explain_price;
mod get_price;
mod get_price_draft;
mod list_payer_groups;
mod list_payers;
mod list_price_drafts;
mod list_prices;
mod publish_price;
mod publish_price_draft;
mod remove_payer;
mod simulate_prices;
mod update_price_draft;
mod withdraw_price;
mod written;

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::pricing_service_server;
use tonic::{Request, Response, Status};

use crate::Billing;

/// Keeps a tenant's price list.
#[derive(Debug, Clone)]
pub struct PricingService {
    billing: Billing,
}

impl PricingService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl pricing_service_server::PricingService for PricingService {
    async fn publish_price(
        &self,
        request: Request<pb::PublishPriceRequest>,
    ) -> Result<Response<pb::PublishPriceResponse>, Status> {
        Ok(Response::new(publish_price::handle(&self.billing, &request).await?))
    }

    async fn get_price(
        &self,
        request: Request<pb::GetPriceRequest>,
    ) -> Result<Response<pb::GetPriceResponse>, Status> {
        Ok(Response::new(get_price::handle(&self.billing, &request).await?))
    }

    async fn list_prices(
        &self,
        request: Request<pb::ListPricesRequest>,
    ) -> Result<Response<pb::ListPricesResponse>, Status> {
        Ok(Response::new(list_prices::handle(&self.billing, &request).await?))
    }

    async fn explain_price(
        &self,
        request: Request<pb::ExplainPriceRequest>,
    ) -> Result<Response<pb::ExplainPriceResponse>, Status> {
        Ok(Response::new(explain_price::handle(&self.billing, &request).await?))
    }

    async fn withdraw_price(
        &self,
        request: Request<pb::WithdrawPriceRequest>,
    ) -> Result<Response<pb::WithdrawPriceResponse>, Status> {
        Ok(Response::new(withdraw_price::handle(&self.billing, &request).await?))
    }

    async fn create_price_draft(
        &self,
        request: Request<pb::CreatePriceDraftRequest>,
    ) -> Result<Response<pb::CreatePriceDraftResponse>, Status> {
        Ok(Response::new(create_price_draft::handle(&self.billing, &request).await?))
    }

    async fn update_price_draft(
        &self,
        request: Request<pb::UpdatePriceDraftRequest>,
    ) -> Result<Response<pb::UpdatePriceDraftResponse>, Status> {
        Ok(Response::new(update_price_draft::handle(&self.billing, &request).await?))
    }

    async fn get_price_draft(
        &self,
        request: Request<pb::GetPriceDraftRequest>,
    ) -> Result<Response<pb::GetPriceDraftResponse>, Status> {
        Ok(Response::new(get_price_draft::handle(&self.billing, &request).await?))
    }

    async fn list_price_drafts(
        &self,
        request: Request<pb::ListPriceDraftsRequest>,
    ) -> Result<Response<pb::ListPriceDraftsResponse>, Status> {
        Ok(Response::new(list_price_drafts::handle(&self.billing, &request).await?))
    }

    async fn delete_price_draft(
        &self,
        request: Request<pb::DeletePriceDraftRequest>,
    ) -> Result<Response<pb::DeletePriceDraftResponse>, Status> {
        Ok(Response::new(delete_price_draft::handle(&self.billing, &request).await?))
    }

    async fn publish_price_draft(
        &self,
        request: Request<pb::PublishPriceDraftRequest>,
    ) -> Result<Response<pb::PublishPriceDraftResponse>, Status> {
        Ok(Response::new(publish_price_draft::handle(&self.billing, &request).await?))
    }

    async fn simulate_prices(
        &self,
        request: Request<pb::SimulatePricesRequest>,
    ) -> Result<Response<pb::SimulatePricesResponse>, Status> {
        Ok(Response::new(simulate_prices::handle(&self.billing, &request).await?))
    }

    async fn create_payer_group(
        &self,
        request: Request<pb::CreatePayerGroupRequest>,
    ) -> Result<Response<pb::CreatePayerGroupResponse>, Status> {
        Ok(Response::new(create_payer_group::handle(&self.billing, &request).await?))
    }

    async fn list_payer_groups(
        &self,
        request: Request<pb::ListPayerGroupsRequest>,
    ) -> Result<Response<pb::ListPayerGroupsResponse>, Status> {
        Ok(Response::new(list_payer_groups::handle(&self.billing, &request).await?))
    }

    async fn delete_payer_group(
        &self,
        request: Request<pb::DeletePayerGroupRequest>,
    ) -> Result<Response<pb::DeletePayerGroupResponse>, Status> {
        Ok(Response::new(delete_payer_group::handle(&self.billing, &request).await?))
    }

    async fn add_payer(
        &self,
        request: Request<pb::AddPayerRequest>,
    ) -> Result<Response<pb::AddPayerResponse>, Status> {
        Ok(Response::new(add_payer::handle(&self.billing, &request).await?))
    }

    async fn remove_payer(
        &self,
        request: Request<pb::RemovePayerRequest>,
    ) -> Result<Response<pb::RemovePayerResponse>, Status> {
        Ok(Response::new(remove_payer::handle(&self.billing, &request).await?))
    }

    async fn list_payers(
        &self,
        request: Request<pb::ListPayersRequest>,
    ) -> Result<Response<pb::ListPayersResponse>, Status> {
        Ok(Response::new(list_payers::handle(&self.billing, &request).await?))
    }
}
