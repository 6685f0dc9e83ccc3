//! Drives an operation to its end, or as far as it goes now. One call at a time, each under the
//! operation's own id, each answer kept before the next.

use plasma_kit::convert;
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChatId, TenantId};
use plasma_proto::billing::v1 as pb;
use uuid::Uuid;

use super::answers::{self, Heard};
use super::link::{Link, Silence};
use super::{mirror, undo};
use crate::Billing;
use crate::domain::external::{Kind, Operation, State};
use crate::error::Error;
use crate::store::BooksOf;
use crate::store::external::operations::{self, Change, Lease};
use crate::wire;

/// What an operation is driven for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// A purchase waits for its reserve.
    Sale,
    /// Nobody waits: what was bought is captured, what was not is released.
    Settlement,
}

/// How often a purchase hears nothing before it gives up for now.
const SILENCES_MAX: u32 = 2;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Rest,
    Become(State),
    Reserve,
    Ask,
    Capture,
    Release,
    Refund,
}

/// Decides what comes next. `asked` says that the provider was asked and has never seen it.
fn step(kind: Kind, state: State, aim: Aim, asked: bool) -> Step {
    match (kind, state, aim) {
        (Kind::Reserve, State::Intent, Aim::Sale) => Step::Reserve,
        // Never sent: there is nothing to release.
        (Kind::Reserve, State::Intent, Aim::Settlement) => Step::Become(State::Released),
        (Kind::Reserve, State::Sent | State::Unknown, Aim::Sale) if asked => Step::Reserve,
        (Kind::Reserve, State::Sent | State::Unknown, Aim::Sale) => Step::Ask,
        (Kind::Reserve, State::Sent | State::Unknown | State::Reserved, Aim::Settlement) => {
            Step::Become(State::Releasing)
        }
        (Kind::Reserve, State::Capturing, _) => Step::Capture,
        (Kind::Reserve, State::Releasing, _) => Step::Release,
        (Kind::Refund, State::Intent | State::Sent | State::Unknown, _) => Step::Refund,
        (Kind::Reserve, State::Reserved, Aim::Sale)
        | (Kind::Refund, State::Reserved | State::Capturing | State::Releasing, _)
        | (
            _,
            State::Captured
            | State::Released
            | State::Declined
            | State::Reversed
            | State::Refunded
            | State::Disputed,
            _,
        ) => Step::Rest,
    }
}

/// An operation that this node drives.
#[derive(Debug, Clone)]
pub(crate) struct Driven {
    pub(crate) tenant: TenantId,
    pub(crate) operation: Operation,
    pub(crate) holder: Uuid,
}

impl Billing {
    /// A lease from now on.
    pub(crate) fn new_lease(&self, holder: Uuid) -> Lease {
        Lease { holder, until: self.env.now().plus(self.external.policy.lease) }
    }

    /// Drives an operation, and gives its lease back unless a purchase goes on with its reserve.
    pub(crate) async fn drive(&self, mut driven: Driven, aim: Aim) -> Result<Driven, Error> {
        let (mut silences, mut never_seen) = (0, false);
        loop {
            let next = step(driven.operation.kind, driven.operation.state, aim, never_seen);
            match next {
                Step::Rest => return Ok(driven),
                Step::Become(state) => {
                    driven.operation = self.make(&driven, state).await?;
                    continue;
                }
                Step::Reserve | Step::Ask | Step::Capture | Step::Release | Step::Refund => {}
            }
            let Some(link) = self.wallet_link(driven.tenant).await? else {
                self.rest(&driven).await?;
                return Ok(driven);
            };
            if driven.operation.state == State::Intent {
                driven.operation = self.make(&driven, State::Sent).await?;
            }
            match self.call(&link, &driven, next).await? {
                Ok(Heard::NeverSeen) if next == Step::Ask => never_seen = true,
                Ok(heard) => driven.operation = self.take_in(&driven, next, heard, aim).await?,
                Err(silence) => {
                    silences += 1;
                    let (tenant, id, cause) = (driven.tenant, driven.operation.id, &silence.cause);
                    tracing::warn!(%tenant, %id, ?next, cause, "a wallet did not answer");
                    let again = aim == Aim::Sale
                        && silences < SILENCES_MAX
                        && silence.retry_after.is_none();
                    driven.operation = self.note_silence(&driven, aim, again, &silence).await?;
                    if !again {
                        return Ok(driven);
                    }
                }
            }
        }
    }

    /// Makes one call.
    async fn call(
        &self,
        link: &Link,
        driven: &Driven,
        step: Step,
    ) -> Result<Result<Heard, Silence>, Error> {
        let operation = &driven.operation;
        let operation_id = operation.id.to_string();
        let amount = Some(wire::money(operation.money));
        Ok(match step {
            Step::Reserve => {
                let user = self.tenants.partner_user_id(driven.tenant, operation.user).await?;
                let request = pb::ReserveRequest {
                    operation_id,
                    partner_user_id: user.ok_or_else(|| {
                        StoreError::Inconsistent("a payer has no id at its platform".to_owned())
                    })?,
                    amount,
                    reference: operation.obligation.clone(),
                    hold_until_time: Some(convert::timestamp(operation.hold_until)),
                };
                link.reserve(request).await.map(|said| answers::of_reserve(operation, said))
            }
            Step::Ask => {
                let request = pb::GetOperationRequest { operation_id };
                link.get_operation(request).await.map(|said| answers::of_question(operation, said))
            }
            Step::Capture => {
                let request = pb::CaptureRequest { operation_id, amount };
                link.capture(request).await.map(|said| answers::of_capture(operation, said))
            }
            Step::Release => {
                let request = pb::ReleaseRequest { operation_id: operation_id.clone() };
                match link.release(request).await.map(answers::of_release) {
                    // Captured, although it was never asked to: how much of it?
                    Ok(Heard::Declined { .. }) => {
                        let request = pb::GetOperationRequest { operation_id };
                        link.get_operation(request)
                            .await
                            .map(|said| answers::of_question(operation, said))
                    }
                    heard => heard,
                }
            }
            Step::Refund => {
                let request = pb::RefundRequest {
                    operation_id,
                    reserve_operation_id: operation
                        .reserve
                        .map(|reserve| reserve.to_string())
                        .unwrap_or_default(),
                    amount,
                    reference: operation.obligation.clone(),
                };
                link.refund(request).await.map(answers::of_refund)
            }
            Step::Rest | Step::Become(_) => Ok(Heard::Contradiction("nothing was asked")),
        })
    }

    /// Keeps what the provider said, and all that follows from it in our books, together.
    async fn take_in(
        &self,
        driven: &Driven,
        step: Step,
        heard: Heard,
        aim: Aim,
    ) -> Result<Operation, Error> {
        let (operation, asked) = (&driven.operation, driven.operation.money.minor_units());
        let mut change = Change::of(operation, operation.state, self.env.now());
        change.lease = self.new_lease(driven.holder);
        if let Heard::Declined { reason, available } = heard {
            (change.decline_reason, change.available) = (reason, available);
        }
        // By how much the provider has taken more than our books say.
        let mut difference = 0;
        change.to = match (step, &heard) {
            (Step::Reserve | Step::Ask, Heard::Reserved) => {
                change.next_attempt_at = self.env.now().plus(self.external.policy.grace);
                State::Reserved
            }
            (Step::Reserve | Step::Ask, Heard::Declined { .. }) => State::Declined,
            (Step::Reserve | Step::Ask, Heard::Released)
            | (Step::Release, Heard::Released | Heard::Declined { .. }) => State::Released,
            (Step::Reserve | Step::Ask | Step::Release, Heard::Captured(units)) => {
                (change.captured, difference) = (*units, *units);
                State::Disputed
            }
            // Whatever it is that stands there under our id, it is not what we asked for.
            (Step::Reserve | Step::Ask, _) => State::Releasing,
            (Step::Capture, Heard::Captured(units)) => {
                (change.captured, difference) = (*units, units - asked);
                State::Captured
            }
            (Step::Capture, Heard::Declined { .. } | Heard::NeverSeen) => State::Reversed,
            (Step::Refund, Heard::Refunded) => State::Refunded,
            (Step::Refund, Heard::Declined { .. } | Heard::NeverSeen) => {
                difference = asked;
                State::Declined
            }
            // Neither an end nor a way on: it is asked again, and people see it in the list.
            _ => {
                change.failed_attempts += 1;
                change.next_attempt_at = self.later(operation.failed_attempts + 1, None);
                operation.state
            }
        };
        let odd = difference != 0 || matches!(heard, Heard::Contradiction(_));
        if odd || matches!(change.to, State::Reversed | State::Disputed) {
            let (tenant, id) = (driven.tenant, operation.id);
            tracing::error!(%tenant, %id, ?step, ?heard, "a wallet provider breaks its contract");
        }
        let stays = change.to == operation.state;
        let goes_on = aim == Aim::Sale && change.to == State::Reserved;
        if (change.to.is_final() || stays) && !goes_on {
            change.lease = Lease::NONE;
        }
        // What is taken back is taken back in the books of the charge's tenant as well.
        let undone = change.to == State::Reversed;
        let home = if undone { undo::bought(operation)?.tenant } else { driven.tenant };
        let there = if undone { self.now(home).await? } else { self.env.now() };
        let tx = self.db.tenant(TenantClaim::of_peer(home)).begin().await?;
        match self.keep(&tx, driven, change, (difference, there)).await {
            Ok((saved, chat)) => {
                tx.commit().await?;
                if let Some(chat) = chat {
                    self.announce_chat(chat).await;
                }
                if stays {
                    return Err(plasma_kit::Failure::unavailable().into());
                }
                Ok(saved)
            }
            Err(error) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    async fn keep(
        &self,
        tx: &TenantTx,
        driven: &Driven,
        change: Change,
        (difference, there): (i64, Timestamp),
    ) -> Result<(Operation, Option<ChatId>), Error> {
        let books = BooksOf::party(tx, driven.tenant);
        let now = self.env.now();
        let saved = operations::save(&books, &driven.operation, driven.holder, change, now).await?;
        if difference != 0 {
            mirror::difference(&books, &self.env, &saved, difference).await?;
        }
        let chat = match change.to {
            State::Reversed => Some(self.undo(tx, &saved, there).await?),
            _ => None,
        };
        Ok((saved, chat))
    }

    /// A step that needs nobody's answer.
    async fn make(&self, driven: &Driven, state: State) -> Result<Operation, Error> {
        let now = self.env.now();
        let mut change = Change::of(&driven.operation, state, now);
        if !state.is_final() {
            change.lease = self.new_lease(driven.holder);
        }
        let tx = self.db.tenant(TenantClaim::of_peer(driven.tenant)).begin().await?;
        let saved = operations::save(&tx, &driven.operation, driven.holder, change, now).await?;
        tx.commit().await?;
        Ok(saved)
    }

    /// Keeps that there was no answer: what was sent is unknown, what was decided stays so.
    async fn note_silence(
        &self,
        driven: &Driven,
        aim: Aim,
        again: bool,
        silence: &Silence,
    ) -> Result<Operation, Error> {
        let operation = &driven.operation;
        let (now, failures) = (self.env.now(), operation.failed_attempts + 1);
        let state = match operation.state {
            State::Intent | State::Sent | State::Unknown => State::Unknown,
            state => state,
        };
        let next_attempt_at = match aim {
            // A retry of the purchase goes on with it; after that time the worker releases it.
            Aim::Sale => now.plus(self.external.policy.grace),
            Aim::Settlement => self.later(failures, silence.retry_after),
        };
        let mut change = Change::of(operation, state, next_attempt_at);
        change.failed_attempts = failures;
        if again {
            change.lease = self.new_lease(driven.holder);
        }
        let tx = self.db.tenant(TenantClaim::of_peer(driven.tenant)).begin().await?;
        let saved = operations::save(&tx, operation, driven.holder, change, now).await?;
        tx.commit().await?;
        Ok(saved)
    }

    /// Gives an operation back, to be looked at again later.
    async fn rest(&self, driven: &Driven) -> Result<(), Error> {
        let at = self.later(driven.operation.failed_attempts + 1, None);
        let tx = self.db.tenant(TenantClaim::of_peer(driven.tenant)).begin().await?;
        operations::give_back(&tx, driven.operation.id, driven.holder, at).await?;
        tx.commit().await?;
        Ok(())
    }

    /// When to try again after so many failures, and not before the provider may be called.
    fn later(&self, failures: i64, at_least: Option<std::time::Duration>) -> Timestamp {
        let [jitter] = self.env.random::<1>();
        let wait = self.external.policy.backoff(failures, jitter);
        self.env.now().plus(wait.max(at_least.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, Step, step};
    use crate::domain::external::{Kind, State};

    #[test]
    fn a_purchase_asks_before_it_sends_again_and_nobody_sends_what_is_not_wanted() {
        let reserve = |state, aim, asked| step(Kind::Reserve, state, aim, asked);
        assert_eq!(reserve(State::Intent, Aim::Sale, false), Step::Reserve);
        for state in [State::Sent, State::Unknown] {
            assert_eq!(reserve(state, Aim::Sale, false), Step::Ask);
            assert_eq!(reserve(state, Aim::Sale, true), Step::Reserve);
            assert_eq!(reserve(state, Aim::Settlement, false), Step::Become(State::Releasing));
        }
        assert_eq!(reserve(State::Reserved, Aim::Sale, false), Step::Rest);
        assert_eq!(reserve(State::Intent, Aim::Settlement, false), Step::Become(State::Released));
        for aim in [Aim::Sale, Aim::Settlement] {
            assert_eq!(reserve(State::Capturing, aim, false), Step::Capture);
            assert_eq!(reserve(State::Releasing, aim, false), Step::Release);
            for state in [State::Intent, State::Sent, State::Unknown] {
                assert_eq!(step(Kind::Refund, state, aim, false), Step::Refund);
            }
            for state in [State::Captured, State::Released, State::Declined, State::Disputed] {
                assert_eq!(reserve(state, aim, false), Step::Rest);
            }
        }
    }
}
