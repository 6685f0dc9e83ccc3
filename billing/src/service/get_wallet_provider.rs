//! `ExternalWalletService.GetWalletProvider`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::external::wire;
use crate::store::external::providers;

/// Gets how the tenant's own wallet is called, without the secret.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetWalletProviderRequest>,
) -> Result<pb::GetWalletProviderResponse, Error> {
    let key = actor::key(request)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let provider = providers::load(&db, &billing.secrets).await?;
    let provider = provider.ok_or(Refusal::NotFound(Object::WalletProvider))?;
    Ok(pb::GetWalletProviderResponse { settings: Some(wire::wallet_provider(&provider)) })
}
