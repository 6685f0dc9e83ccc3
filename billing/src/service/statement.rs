//! `plasma.billing.v1.StatementService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::statement_service_server;
use tonic::{Request, Response, Status};

use super::{get_statement, list_charges};
use crate::Billing;

/// Accounts for a tenant's money.
#[derive(Debug, Clone)]
pub struct StatementService {
    billing: Billing,
}

impl StatementService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl statement_service_server::StatementService for StatementService {
    async fn get_statement(
        &self,
        request: Request<pb::GetStatementRequest>,
    ) -> Result<Response<pb::GetStatementResponse>, Status> {
        Ok(Response::new(get_statement::handle(&self.billing, &request).await?))
    }

    async fn list_charges(
        &self,
        request: Request<pb::ListChargesRequest>,
    ) -> Result<Response<pb::ListChargesResponse>, Status> {
        Ok(Response::new(list_charges::handle(&self.billing, &request).await?))
    }
}
