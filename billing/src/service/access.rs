//! `plasma.billing.v1.AccessService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::access_service_server;
use tonic::{Request, Response, Status};

use super::{get_quote, list_passes, purchase_access};
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
}
