//! What a user has in its platform's own wallet, to be shown.

use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;

use crate::Billing;
use crate::domain::money::Currency;
use crate::store::wallets::Balance;

impl Billing {
    /// Asks a tenant's own wallet what a user has; `None` where the tenant's wallets are hosted.
    /// Fails with `UNAVAILABLE` where it does not answer.
    pub(crate) async fn own_wallet(
        &self,
        tenant: TenantId,
        user: UserId,
        currency: Currency,
    ) -> Result<Option<Balance>, Failure> {
        let Some(link) = self.wallet_link(tenant).await? else { return Ok(None) };
        let Some(partner_user_id) = self.tenants.partner_user_id(tenant, user).await? else {
            return Ok(Some(Balance::default()));
        };
        let currency_code = currency.code().to_owned();
        let request = pb::GetBalanceRequest { partner_user_id, currency_code };
        let answer = link.get_balance(request).await.map_err(|silence| {
            tracing::warn!(%tenant, silence.cause, "a wallet did not show a balance");
            let unavailable = Failure::unavailable();
            match silence.retry_after {
                Some(wait) => unavailable.retry_after(wait),
                None => unavailable,
            }
        })?;
        let units = |amount: Option<pb::Amount>| amount.map_or(0, |amount| amount.minor_units);
        let (posted, available) = (units(answer.balance), units(answer.available));
        Ok(Some(Balance { posted, available }))
    }
}
