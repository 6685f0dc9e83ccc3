//! The time at a platform: the real one, or that of a sandbox's own clock, which can be moved.
//!
//! A clock is not set to its target but moved there: it stands still at every moment at which
//! something is due until that is done ([`Work`]), so that what a year brings comes in its order.
//! Any node moves it, one at a time; another goes on where one failed.

mod advance;

use async_trait::async_trait;
use plasma_kit::Timestamp;
use plasma_kit::db::{TenantClaim, TenantTx};
use plasma_kit::ids::TenantId;
use plasma_kit::status::Failure;

pub use advance::advance_until;

use crate::Billing;
use crate::domain::clock::{Clock, Unmoved};
use crate::error::{Error, Object, Refusal};
use crate::store::{clocks, subscriptions};

/// What time brings at a platform.
#[async_trait]
pub trait Work: Send + Sync {
    /// The earliest moment later than `after` and not later than `until` at which something will
    /// be due at a tenant; `None` where nothing will.
    async fn next_due(
        &self,
        tenant: TenantId,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, Failure>;

    /// Does all that is due at a tenant by its clock, however much it is. `false` where some of it
    /// could not be done yet and is to be tried again in a moment. May be cut off anywhere, and run
    /// on two nodes at once.
    async fn run_due(&self, tenant: TenantId) -> Result<bool, Failure>;
}

#[async_trait]
impl Work for Billing {
    /// Subscriptions are due. Passes and trials end by themselves, and prices take effect so, when
    /// they are looked at.
    async fn next_due(
        &self,
        tenant: TenantId,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, Failure> {
        Ok(subscriptions::next_due(&self.db.system(), tenant, (after, until)).await?)
    }

    async fn run_due(&self, tenant: TenantId) -> Result<bool, Failure> {
        self.work_off_of(Some(tenant)).await?;
        let now = self.now(tenant).await?;
        let from_the_beginning = (Timestamp(i64::MIN), now);
        let left = subscriptions::next_due(&self.db.system(), tenant, from_the_beginning).await?;
        Ok(left.is_none())
    }
}

impl Billing {
    /// The time now at a platform: by its own clock where it is a sandbox, the real time
    /// otherwise. What is bought is bought by the clock of the platform that sells it. Not to be
    /// asked within a transaction: it takes a connection of its own.
    pub async fn now(&self, tenant: TenantId) -> Result<Timestamp, Failure> {
        let terms = self.tenants.terms(tenant).await?;
        if terms.is_some_and(|terms| terms.sandbox) {
            Ok(self.clock(tenant).await?.time(self.env.now()))
        } else {
            Ok(self.env.now())
        }
    }

    /// When a moment by a platform's clock comes by the real one, if that clock is not moved
    /// before.
    pub async fn in_real_time(
        &self,
        tenant: TenantId,
        moment: Timestamp,
    ) -> Result<Timestamp, Failure> {
        let terms = self.tenants.terms(tenant).await?;
        if terms.is_some_and(|terms| terms.sandbox) {
            Ok(self.clock(tenant).await?.in_real_time(moment, self.env.now()))
        } else {
            Ok(moment)
        }
    }

    /// The clock of a sandbox.
    pub(crate) async fn clock(&self, tenant: TenantId) -> Result<Clock, Failure> {
        let scope = self.db.tenant(TenantClaim::of_peer(tenant));
        Ok(clocks::get(&scope).await?)
    }

    /// Refuses a tenant that is no sandbox.
    pub(crate) async fn require_sandbox(&self, tenant: TenantId) -> Result<(), Error> {
        let terms = self.tenants.terms(tenant).await?;
        let terms = terms.ok_or(Refusal::NotFound(Object::Tenant))?;
        if terms.sandbox { Ok(()) } else { Err(Refusal::SandboxOnly.into()) }
    }

    /// Lets the clock of the transaction's tenant begin to move.
    pub(crate) async fn begin_advance(
        &self,
        tx: &TenantTx,
        target: Timestamp,
    ) -> Result<Clock, Error> {
        let clock = clocks::lock(tx).await?;
        let moving = clock.advancing(target, self.env.now()).map_err(refusal)?;
        clocks::set(tx, moving).await?;
        Ok(moving)
    }
}

fn refusal(unmoved: Unmoved) -> Refusal {
    let invalid = |rule| Refusal::Invalid { field: "time", rule };
    match unmoved {
        Unmoved::Moving(target) => Refusal::ClockAdvancing(target),
        Unmoved::NotLater => invalid("must be later than the sandbox's time"),
        Unmoved::TooFar => invalid(
            "must be at most 731 days later than the sandbox's time, and 36525 than the real one",
        ),
    }
}
