//! `plasma.billing.v1.WalletService`.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::wallet_service_server;
use tonic::{Request, Response, Status};

use super::{credit_wallet, debit_wallet, get_wallet, list_wallet_entries};
use crate::Billing;

/// Keeps the money of a platform's users in hosted wallets.
#[derive(Debug, Clone)]
pub struct WalletService {
    billing: Billing,
}

impl WalletService {
    /// Serves from a node's billing.
    pub fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[tonic::async_trait]
impl wallet_service_server::WalletService for WalletService {
    async fn credit_wallet(
        &self,
        request: Request<pb::CreditWalletRequest>,
    ) -> Result<Response<pb::CreditWalletResponse>, Status> {
        Ok(Response::new(credit_wallet::handle(&self.billing, &request).await?))
    }

    async fn debit_wallet(
        &self,
        request: Request<pb::DebitWalletRequest>,
    ) -> Result<Response<pb::DebitWalletResponse>, Status> {
        Ok(Response::new(debit_wallet::handle(&self.billing, &request).await?))
    }

    async fn get_wallet(
        &self,
        request: Request<pb::GetWalletRequest>,
    ) -> Result<Response<pb::GetWalletResponse>, Status> {
        Ok(Response::new(get_wallet::handle(&self.billing, &request).await?))
    }

    async fn list_wallet_entries(
        &self,
        request: Request<pb::ListWalletEntriesRequest>,
    ) -> Result<Response<pb::ListWalletEntriesResponse>, Status> {
        Ok(Response::new(list_wallet_entries::handle(&self.billing, &request).await?))
    }
}
