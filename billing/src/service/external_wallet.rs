//! `plasma.billing.v1.ExternalWalletService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::external_wallet_service_server;
use tonic::{Request, Response, Status};

use super::{
    get_reconciliation, get_wallet_provider, list_external_operations, list_reconciliations,
    remove_wallet_provider, set_wallet_provider, start_reconciliation,
};
use crate::Billing;

/// Connects platforms' own wallets.
#[derive(Debug, Clone)]
pub struct ExternalWalletService {
    billing: Billing,
}

impl ExternalWalletService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl external_wallet_service_server::ExternalWalletService for ExternalWalletService {
    async fn set_wallet_provider(
        &self,
        request: Request<pb::SetWalletProviderRequest>,
    ) -> Result<Response<pb::SetWalletProviderResponse>, Status> {
        Ok(Response::new(set_wallet_provider::handle(&self.billing, &request).await?))
    }

    async fn get_wallet_provider(
        &self,
        request: Request<pb::GetWalletProviderRequest>,
    ) -> Result<Response<pb::GetWalletProviderResponse>, Status> {
        Ok(Response::new(get_wallet_provider::handle(&self.billing, &request).await?))
    }

    async fn remove_wallet_provider(
        &self,
        request: Request<pb::RemoveWalletProviderRequest>,
    ) -> Result<Response<pb::RemoveWalletProviderResponse>, Status> {
        Ok(Response::new(remove_wallet_provider::handle(&self.billing, &request).await?))
    }

    async fn list_external_operations(
        &self,
        request: Request<pb::ListExternalOperationsRequest>,
    ) -> Result<Response<pb::ListExternalOperationsResponse>, Status> {
        Ok(Response::new(list_external_operations::handle(&self.billing, &request).await?))
    }

    async fn start_reconciliation(
        &self,
        request: Request<pb::StartReconciliationRequest>,
    ) -> Result<Response<pb::StartReconciliationResponse>, Status> {
        Ok(Response::new(start_reconciliation::handle(&self.billing, &request).await?))
    }

    async fn list_reconciliations(
        &self,
        request: Request<pb::ListReconciliationsRequest>,
    ) -> Result<Response<pb::ListReconciliationsResponse>, Status> {
        Ok(Response::new(list_reconciliations::handle(&self.billing, &request).await?))
    }

    async fn get_reconciliation(
        &self,
        request: Request<pb::GetReconciliationRequest>,
    ) -> Result<Response<pb::GetReconciliationResponse>, Status> {
        Ok(Response::new(get_reconciliation::handle(&self.billing, &request).await?))
    }
}
