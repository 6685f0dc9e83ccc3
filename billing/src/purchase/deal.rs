//! A purchase with all that is asked elsewhere, so that its transaction waits for nobody.

use plasma_kit::Timestamp;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::ChatId;

use super::Purchase;
use crate::Billing;
use crate::access;
use crate::domain::pass::{Obligation, Party, Pass};
use crate::domain::quote::Accepted;
use crate::domain::sale::Sale;
use crate::domain::subscription::RENEWAL_SLACK;
use crate::error::{Error, Refusal};
use crate::external::reserve::{Debt, Funding};
use crate::ports::Terms;
use crate::store::passes;
use crate::wire;

/// What is bought, by whom, when, and on what terms.
pub(crate) struct Deal {
    pub(crate) chat: ChatId,
    pub(crate) payer: Party,
    pub(crate) recipient: Party,
    pub(crate) accepted: Accepted,
    pub(crate) extend: bool,
    pub(crate) terms: Option<Terms>,
    /// The time at the recipient's platform.
    pub(crate) now: Timestamp,
    /// The pass in force that makes the purchase needless.
    pub(crate) suffices: Option<Pass>,
}

impl Billing {
    /// Reads a purchase, asks for the terms of the recipient's platform, and has a renewal that is
    /// due go before the purchase.
    pub(crate) async fn deal(&self, purchase: &Purchase) -> Result<Deal, Error> {
        let recipient = Party { tenant: purchase.recipient_tenant, user: purchase.recipient_user };
        let now = self.now(recipient.tenant).await?;
        let scope = self.db.tenant(TenantClaim::operator());
        let mut latest = passes::latest(&scope, purchase.chat).await?;
        let ends_soon = |pass: &Pass| !pass.in_force(now.plus(RENEWAL_SLACK));
        if latest.is_some_and(|pass| pass.subscription.is_some() && ends_soon(&pass))
            && self.renew_chat(purchase.chat).await?
        {
            latest = passes::latest(&scope, purchase.chat).await?;
        }
        Ok(Deal {
            chat: purchase.chat,
            payer: Party { tenant: purchase.payer_tenant, user: purchase.payer_user },
            recipient,
            accepted: wire::read_accepted(&purchase.accepted)?,
            extend: purchase.extend,
            terms: self.tenants.terms(recipient.tenant).await?,
            now,
            suffices: latest.filter(|pass| pass.suffices(now)),
        })
    }

    /// Has the price set aside at the payer's own wallet, where the payer has one and there is
    /// something to pay. Refuses as the sale itself would.
    pub(super) async fn set_aside(&self, deal: &Deal) -> Result<Funding, Error> {
        if self.wallet_link(deal.payer.tenant).await?.is_none() {
            return Ok(Funding::Hosted);
        }
        let scope = self.db.tenant(TenantClaim::operator());
        let latest = passes::latest(&scope, deal.chat).await?;
        let suffices = latest.filter(|pass| pass.suffices(deal.now));
        if suffices.is_some() && !deal.extend {
            return Ok(Funding::Sold);
        }
        let home = self.db.tenant(TenantClaim::of_peer(deal.recipient.tenant));
        let parties = (Some(deal.payer), Some(deal.recipient.user));
        let quote = access::quote(&home, deal.terms.as_ref(), parties, deal.now).await?;
        if !quote.is(&deal.accepted) {
            return Err(Refusal::PriceChanged(Box::new(quote)).into());
        }
        let sale = Sale::of(quote.terms(), deal.accepted.trial, suffices.as_ref(), deal.now)
            .map_err(Refusal::Unsold)?;
        let Some(money) = sale.pays else { return Ok(Funding::Sold) };
        let obligation = Obligation::after(deal.chat, latest.as_ref()).external_id();
        self.reserve(Debt { payer: deal.payer, obligation, money }).await
    }
}
