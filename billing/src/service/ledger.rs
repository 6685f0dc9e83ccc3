//! `plasma.billing.v1.LedgerService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::ledger_service_server;
use tonic::{Request, Response, Status};

use super::{get_charge_proof, get_checkpoint, list_transactions};
use crate::Billing;

/// Shows and proves a tenant's ledger.
#[derive(Debug, Clone)]
pub struct LedgerService {
    billing: Billing,
}

impl LedgerService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl ledger_service_server::LedgerService for LedgerService {
    async fn list_transactions(
        &self,
        request: Request<pb::ListTransactionsRequest>,
    ) -> Result<Response<pb::ListTransactionsResponse>, Status> {
        Ok(Response::new(list_transactions::handle(&self.billing, &request).await?))
    }

    async fn get_charge_proof(
        &self,
        request: Request<pb::GetChargeProofRequest>,
    ) -> Result<Response<pb::GetChargeProofResponse>, Status> {
        Ok(Response::new(get_charge_proof::handle(&self.billing, &request).await?))
    }

    async fn get_checkpoint(
        &self,
        request: Request<pb::GetCheckpointRequest>,
    ) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        Ok(Response::new(get_checkpoint::handle(&self.billing, &request).await?))
    }
}
