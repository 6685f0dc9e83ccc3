//! `plasma.billing.v1.StatementService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::statement_service_server;
use tonic::{Request, Response, Status};

use super::{export_csv, get_revenue, get_statement, list_charges};
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

    async fn get_revenue(
        &self,
        request: Request<pb::GetRevenueRequest>,
    ) -> Result<Response<pb::GetRevenueResponse>, Status> {
        Ok(Response::new(get_revenue::handle(&self.billing, &request).await?))
    }

    type ExportCsvStream = export_csv::Chunks;

    async fn export_csv(
        &self,
        request: Request<pb::ExportCsvRequest>,
    ) -> Result<Response<Self::ExportCsvStream>, Status> {
        Ok(Response::new(export_csv::handle(&self.billing, &request).await?))
    }
}
