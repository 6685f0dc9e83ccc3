//! `WalletService.GetWallet`.

use plasma_kit::actor;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::wallet_owner;
use crate::Billing;
use crate::error::Error;
use crate::store::wallets;
use crate::wire;

/// Gets a user's wallet.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetWalletRequest>,
) -> Result<pb::GetWalletResponse, Error> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let currency = wire::read_currency("currency_code", &request.currency_code)?;
    let owner = wallet_owner(billing, actor, &request.user_id).await?;
    if let Some(balance) = billing.own_wallet(owner.claim.tenant(), owner.user, currency).await? {
        let wallet = wire::wallet(owner.claim.tenant(), owner.user, currency, Some(balance));
        // It is the platform's, and has no id here.
        let wallet = pb::Wallet { wallet_id: String::new(), ..wallet };
        return Ok(pb::GetWalletResponse { wallet: Some(wallet) });
    }
    let db = billing.db.tenant(owner.claim);
    let balance = wallets::get(&db, owner.user, currency).await?;
    let wallet = wire::wallet(owner.claim.tenant(), owner.user, currency, balance);
    Ok(pb::GetWalletResponse { wallet: Some(wallet) })
}
