//! `plasma.billing.v1.PayoutService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::payout_service_server;
use tonic::{Request, Response, Status};

use super::{list_earnings, list_payouts, record_payout};
use crate::Billing;

/// Keeps what recipients earned and were paid.
#[derive(Debug, Clone)]
pub struct PayoutService {
    billing: Billing,
}

impl PayoutService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl payout_service_server::PayoutService for PayoutService {
    async fn list_earnings(
        &self,
        request: Request<pb::ListEarningsRequest>,
    ) -> Result<Response<pb::ListEarningsResponse>, Status> {
        Ok(Response::new(list_earnings::handle(&self.billing, &request).await?))
    }

    async fn record_payout(
        &self,
        request: Request<pb::RecordPayoutRequest>,
    ) -> Result<Response<pb::RecordPayoutResponse>, Status> {
        Ok(Response::new(record_payout::handle(&self.billing, &request).await?))
    }

    async fn list_payouts(
        &self,
        request: Request<pb::ListPayoutsRequest>,
    ) -> Result<Response<pb::ListPayoutsResponse>, Status> {
        Ok(Response::new(list_payouts::handle(&self.billing, &request).await?))
    }
}
