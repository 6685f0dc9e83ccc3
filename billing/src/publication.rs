//! The one way in which a price is published, be it directly or from a draft.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::db::{Scope, StoreError, TenantDb, TenantTx};
use plasma_kit::ids::{PriceId, TenantId};

use crate::Billing;
use crate::domain::pass::Party;
use crate::domain::price::{Price, PriceDefinition, PriceTarget};
use crate::error::{Error, Object, Refusal};
use crate::service::require_user;
use crate::store::payer_groups;
use crate::store::prices::{self, Listed};

/// How often a publisher that lost a version to a parallel one tries the next.
const ATTEMPTS: u32 = 128;

/// How far ahead a price may take effect.
const AHEAD_MAX: Duration = Duration::from_hours(2 * 366 * 24);

/// A price that is to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Publication {
    definition: PriceDefinition,
    from: Option<Timestamp>,
    now: Timestamp,
}

impl Publication {
    /// Reads from when on it is to be in force: at once where `from` is past or missing.
    pub(crate) fn new(
        definition: PriceDefinition,
        from: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        check_moment(from, now)?;
        Ok(Self { definition, from: from.filter(|from| *from > now), now })
    }

    /// Stores it as the next version of its target.
    pub(crate) async fn publish(self, billing: &Billing, tx: &TenantTx) -> Result<Listed, Error> {
        let Self { definition, from, now } = self;
        for _ in 0..ATTEMPTS {
            let (version, in_force_since) = prices::latest(tx, &definition.target, now).await?;
            // Versions follow each other in time too, whichever node's clock is ahead: one that is
            // in force at once was made when it took effect.
            let at_once = now.max(in_force_since);
            let price = Price {
                id: PriceId(billing.env.uuid()),
                version: version + 1,
                definition,
                created_at: from.map_or(at_once, |_| now),
                effective_at: from.unwrap_or(at_once),
            };
            if prices::insert(tx, &price).await? {
                let listed = prices::get(tx, price.id).await?;
                return listed.ok_or_else(|| {
                    StoreError::Inconsistent("a price that was inserted is gone".to_owned()).into()
                });
            }
        }
        Err(StoreError::Conflict("other publishers were first".to_owned()).into())
    }
}

/// Refuses a moment that is too far ahead for a price to take effect.
pub(crate) fn check_moment(from: Option<Timestamp>, now: Timestamp) -> Result<(), Refusal> {
    if from.is_some_and(|from| from > now.plus(AHEAD_MAX)) {
        let rule = "must be at most 2 years ahead";
        return Err(Refusal::Invalid { field: "effective_time", rule });
    }
    Ok(())
}

/// Refuses a target that names nobody of the tenant. A payer of another platform is taken as named:
/// who that platform's users are is not the caller's to learn.
pub(crate) async fn check_target(
    billing: &Billing,
    books: &TenantDb,
    target: &PriceTarget,
) -> Result<(), Error> {
    match *target {
        PriceTarget::TenantDefault => Ok(()),
        PriceTarget::Recipient(user) => require_user(billing, books.tenant(), user).await,
        PriceTarget::PayerGroup(group) => match payer_groups::get(books, group).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::NotFound(Object::PayerGroup).into()),
        },
        PriceTarget::Pair { payer, recipient } => {
            require_user(billing, books.tenant(), recipient).await?;
            require_payer(billing, books.tenant(), payer).await
        }
    }
}

/// Refuses a payer who is said to be the tenant's and is not.
pub(crate) async fn require_payer(
    billing: &Billing,
    own: TenantId,
    payer: Party,
) -> Result<(), Error> {
    if payer.tenant == own { require_user(billing, own, payer.user).await } else { Ok(()) }
}
