//! Has money set aside for a purchase, before anything is sold.
//!
//! A debt has one operation at a time. A purchase that is tried again finds the operation of the time
//! before and goes on with it, whatever became of that; a new operation, with a new id, begins only
//! after the last one has ended for good.

use std::time::Duration;

use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::ids::{ExternalOperationId, UserId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;

use super::settle::{Aim, Driven};
use crate::Billing;
use crate::domain::external::{Bought, Kind, Operation, State};
use crate::domain::money::Money;
use crate::domain::pass::Party;
use crate::error::{Error, Refusal, Shortfall};
use crate::store::Write;
use crate::store::external::operations::{self, Lease};
use crate::store::external::providers;

/// How often a purchase begins again after an operation that ended without a reserve.
const ATTEMPTS: u32 = 4;
/// How often it looks whether another who drives the operation is done.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// What is to be paid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Debt {
    pub(crate) payer: Party,
    /// What it is, as the ledger names it.
    pub(crate) obligation: String,
    pub(crate) money: Money,
}

/// What a sale is paid from.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one for a sale, and not kept")]
pub(crate) enum Funding {
    /// The payer's hosted wallet, in the sale's own transaction.
    Hosted,
    /// Money that is set aside at the payer's own wallet.
    External(Reserved),
    /// Nothing: another call has sold it meanwhile, or it costs nothing.
    Sold,
}

/// Money that is set aside. Either it is captured by the sale's transaction, or it is given up.
#[derive(Debug, Clone)]
pub(crate) struct Reserved(Driven);

impl Reserved {
    /// Whether it is what a payer is charged.
    pub(crate) fn covers(&self, payer: Party, money: Money) -> bool {
        let operation = &self.0.operation;
        operation.money == money && operation.user == payer.user && self.0.tenant == payer.tenant
    }

    /// Marks the reserve for its capture, in the transaction of the sale: one is not without the
    /// other. A reserve that is no longer this node's is a [`StoreError::Conflict`].
    pub(crate) async fn capture(
        &self,
        billing: &Billing,
        tx: &TenantTx,
        bought: Bought,
    ) -> Result<Captured, StoreError> {
        let now = billing.env.now();
        let mut change = operations::Change::of(&self.0.operation, State::Capturing, now);
        change.bought = Some(bought);
        change.lease = billing.new_lease(self.0.holder);
        let operation = operations::save(tx, &self.0.operation, self.0.holder, change, now).await?;
        Ok(Captured(Driven { operation, ..self.0.clone() }))
    }
}

/// A reserve that was marked in a sale's transaction: once that is committed, it is captured.
#[derive(Debug)]
#[must_use = "the capture waits for the lease to run out otherwise"]
pub(crate) struct Captured(Driven);

impl Billing {
    /// Has money set aside at the payer's own wallet.
    ///
    /// Fails with `PAYMENT_REQUIRED`, `PAYMENT_DECLINED`, and with `UNAVAILABLE` where the wallet does
    /// not answer or another call drives the same debt.
    pub(crate) async fn reserve(&self, debt: Debt) -> Result<Funding, Error> {
        let Some(link) = self.wallet_link(debt.payer.tenant).await? else {
            return Ok(Funding::Hosted);
        };
        if let Some(wait) = link.kept_back() {
            return Err(Failure::unavailable().retry_after(wait).into());
        }
        // Goes on if the caller leaves: what was begun is known to its end.
        let billing = self.clone();
        let reserving = tokio::spawn(async move { billing.obtain(&debt).await });
        reserving.await.map_err(|error| {
            tracing::error!(%error, "a reserve ended abruptly");
            Failure::internal()
        })?
    }

    /// After a sale's transaction: captures what it marked, or else frees what was set aside for it.
    /// Follows in the background.
    pub(crate) fn close(&self, funding: Funding, captured: Option<Captured>) {
        match (captured, funding) {
            (Some(captured), _) => self.settle_soon(captured.0),
            // Where the commit was not answered and yet took place, the step is refused.
            (None, Funding::External(reserved)) => self.settle_soon(reserved.0),
            (None, Funding::Hosted | Funding::Sold) => {}
        }
    }

    /// Keeps that money of a captured reserve is to be given back, in the transaction that says so in
    /// the books. The worker has the provider do it.
    pub(crate) async fn return_by(
        &self,
        books: &impl Write,
        paid: &Operation,
        refund: String,
        money: Money,
    ) -> Result<(), StoreError> {
        let now = self.env.now();
        let operation = Operation {
            kind: Kind::Refund,
            obligation: refund,
            reserve: Some(paid.id),
            bought: paid.bought,
            ..self.intent(paid.user, money, String::new(), 1)
        };
        if operations::insert(books, &operation, Lease::NONE, now).await? {
            return Ok(());
        }
        Err(StoreError::Conflict("the refund was begun already".to_owned()))
    }

    /// Has the worker look now for what is due.
    pub(crate) fn settle_now(&self) {
        self.external.wake.notify_one();
    }

    /// A new operation.
    fn intent(&self, user: UserId, money: Money, obligation: String, attempt: i64) -> Operation {
        let now = self.env.now();
        Operation {
            id: ExternalOperationId(self.env.uuid()),
            kind: Kind::Reserve,
            user,
            money,
            obligation,
            attempt,
            state: State::Intent,
            captured: 0,
            decline_reason: 0,
            available: 0,
            reserve: None,
            bought: None,
            failed_attempts: 0,
            hold_until: now.plus(self.external.policy.hold),
            created_at: now,
            updated_at: now,
            closed_at: None,
        }
    }

    fn settle_soon(&self, driven: Driven) {
        let billing = self.clone();
        tokio::spawn(async move {
            let id = driven.operation.id;
            if let Err(error) = billing.drive(driven, Aim::Settlement).await {
                tracing::warn!(%id, ?error, "an operation at a wallet is left to the worker");
                billing.external.wake.notify_one();
            }
        });
    }

    async fn obtain(&self, debt: &Debt) -> Result<Funding, Error> {
        let tenant = debt.payer.tenant;
        let db = self.db.tenant(TenantClaim::of_peer(tenant));
        let mut looks = self.external.policy.call_timeout.div_duration_f32(LOOK_INTERVAL);
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            let user = debt.payer.user;
            let latest = operations::latest(&db, user, &debt.obligation, Kind::Reserve).await?;
            let taken = match latest {
                // Another call sold it, and the caller will find what it sold.
                Some(sold) if matches!(sold.state, State::Capturing | State::Captured) => {
                    return Ok(Funding::Sold);
                }
                Some(operation) if operation.closed_at.is_none() => {
                    self.take_over(tenant, &operation).await?
                }
                ended => match self.begin(debt, ended.map_or(1, |it| it.attempt + 1)).await? {
                    Begun::Hosted => return Ok(Funding::Hosted),
                    Begun::Operation(driven) => driven,
                },
            };
            let Some(driven) = taken else {
                // Another call or node drives it, and may be done in a moment.
                looks -= 1.0;
                if looks < 0.0 {
                    return Err(Failure::unavailable().into());
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            };
            attempts += 1;
            let wanted = driven.operation.money == debt.money;
            let aim = if wanted { Aim::Sale } else { Aim::Settlement };
            let driven = self.drive(driven, aim).await?;
            match driven.operation.state {
                State::Reserved if wanted => return Ok(Funding::External(Reserved(driven))),
                State::Declined if wanted => return Err(declined(&driven.operation).into()),
                // An end without money: the next attempt has the next id.
                state if state.is_final() => {}
                _ => return Err(Failure::unavailable().into()),
            }
        }
        Err(Failure::unavailable().into())
    }

    /// Takes an open operation's lease, if nobody drives it.
    async fn take_over(
        &self,
        tenant: plasma_kit::ids::TenantId,
        operation: &Operation,
    ) -> Result<Option<Driven>, Error> {
        let holder = self.env.uuid();
        let (lease, now) = (self.new_lease(holder), self.env.now());
        let tx = self.db.tenant(TenantClaim::of_peer(tenant)).begin().await?;
        let taken = operations::lease(&tx, operation.id, lease, now).await?;
        tx.commit().await?;
        Ok(taken.map(|operation| Driven { tenant, operation, holder }))
    }

    /// Keeps a new operation before its first call.
    async fn begin(&self, debt: &Debt, attempt: i64) -> Result<Begun, Error> {
        let (tenant, holder, now) = (debt.payer.tenant, self.env.uuid(), self.env.now());
        let obligation = debt.obligation.clone();
        let operation = self.intent(debt.payer.user, debt.money, obligation, attempt);
        let tx = self.db.tenant(TenantClaim::of_peer(tenant)).begin().await?;
        if providers::lock(&tx, false).await?.is_none() {
            self.external.forget(tenant);
            return Ok(Begun::Hosted);
        }
        let lease = self.new_lease(holder);
        let begun = operations::insert(&tx, &operation, lease, now).await?;
        tx.commit().await?;
        Ok(Begun::Operation(begun.then_some(Driven { tenant, operation, holder })))
    }
}

#[expect(clippy::large_enum_variant, reason = "one for a sale, and not kept")]
enum Begun {
    /// The tenant has no provider any more.
    Hosted,
    /// A new operation; `None` where another call began it.
    Operation(Option<Driven>),
}

/// Why the payer's wallet does not pay.
fn declined(operation: &Operation) -> Refusal {
    if operation.decline_reason == i32::from(pb::DeclineReason::InsufficientFunds) {
        let available = operation.available;
        return Refusal::PaymentRequired(Shortfall { required: operation.money, available });
    }
    Refusal::PaymentDeclined(operation.decline_reason)
}
