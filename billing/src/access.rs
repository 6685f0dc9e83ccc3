//! What access costs, and which pass is in force: the questions that messaging asks too.

use plasma_kit::db::{Scope, TenantClaim};
use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;

use crate::Billing;
use crate::domain::pass::Pass;
use crate::domain::price::Quote;
use crate::error::{Error, Object, Refusal};
use crate::ports::Terms;
use crate::store::{passes, prices};
use crate::wire;

impl Billing {
    /// Quotes what it costs a payer now to reach a recipient. The recipient's platform prices.
    ///
    /// Fails with `NOT_FOUND` (the recipient's tenant), `PRICE_NOT_SET`.
    pub async fn quote(
        &self,
        payer: (TenantId, UserId),
        recipient: (TenantId, UserId),
    ) -> Result<pb::Quote, Failure> {
        // No rule looks at the payer yet; those of payer groups and pairs will.
        let _ = payer;
        let (tenant, user) = recipient;
        let terms = self.tenants.terms(tenant).await?;
        let books = self.db.tenant(TenantClaim::of_peer(tenant));
        Ok(wire::quote(&quote(&books, terms, Some(user)).await?))
    }

    /// The pass that opens a chat now, as the contract writes it. The caller has shown that the
    /// chat is its own to ask about.
    pub async fn active_pass(&self, chat: ChatId) -> Result<Option<pb::Pass>, Failure> {
        Ok(self.pass_in_force(chat).await?.as_ref().map(wire::pass))
    }

    /// The pass that opens a chat now, with its expiry as a moment to compare with: one look-up by
    /// a unique index on (chat, number of the pass).
    pub async fn pass_in_force(&self, chat: ChatId) -> Result<Option<Pass>, Failure> {
        // A chat may belong to two tenants, and either may keep its latest pass.
        let scope = self.db.tenant(TenantClaim::operator());
        let latest = passes::latest(&scope, chat).await?;
        Ok(latest.filter(|pass| pass.in_force(self.env.now())))
    }
}

/// The quote in force for a recipient, or for nobody in particular, in the books of its tenant.
pub(crate) async fn quote(
    books: &impl Scope,
    terms: Option<Terms>,
    recipient: Option<UserId>,
) -> Result<Quote, Error> {
    if terms.ok_or(Refusal::NotFound(Object::Tenant))?.free {
        return Ok(Quote::TenantIsFree);
    }
    let price = prices::in_force(books, recipient).await?;
    Ok(Quote::Priced(price.ok_or(Refusal::PriceNotSet)?))
}
