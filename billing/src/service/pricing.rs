//! `plasma.billing.v1.PricingService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::pricing_service_server;
use tonic::{Request, Response, Status};

use super::{explain_price, get_price, list_prices, publish_price};
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
}
