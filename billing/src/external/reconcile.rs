//! Compares a day of a provider's books with ours.

use std::collections::BTreeMap;
use std::time::Duration;

use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::env::{Timestamp, micros};
use plasma_kit::ids::{ExternalOperationId, Id, TenantId};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;

use super::link::{Link, Silence};
use crate::Billing;
use crate::domain::external::{Kind, Operation, State};
use crate::error::Error;
use crate::store::external::reconciliations::{self, Finding, FindingKind};
use crate::store::external::{operations, providers};

/// One day.
pub(crate) const DAY: Duration = Duration::from_hours(24);
/// How long after a day's end it is compared: what was begun at its end has ended by then.
const SETTLING: Duration = Duration::from_mins(10);
/// How far clocks may differ: who is listed on the next day or the one before is late, not missing.
const MARGIN: Duration = Duration::from_mins(10);
/// Operations on a page of the provider's list.
const PAGE: i32 = 200;
/// Most pages that are read of one day.
const PAGES_MAX: u32 = 5_000;
/// Most findings that are kept of one day.
const FINDINGS_MAX: usize = 1_000;

/// The beginning of the day, in UTC, in which a moment is.
pub(crate) fn day_of(moment: Timestamp) -> Timestamp {
    let day = micros(DAY);
    Timestamp(moment.0.div_euclid(day) * day)
}

impl Billing {
    /// Asks for yesterday where it was not yet, and compares what was asked for.
    pub(super) async fn reconcile_due(&self) -> Result<(), Error> {
        let system = self.db.system();
        let now = self.env.now();
        let yesterday = day_of(now.minus(SETTLING)).minus(DAY);
        for tenant in providers::without_day(&system, yesterday).await? {
            let tx = self.db.tenant(TenantClaim::of_peer(tenant)).begin().await?;
            reconciliations::ask(&tx, self.env.uuid(), yesterday, now, false).await?;
            tx.commit().await?;
        }
        let lease_until = now.plus(self.external.policy.lease * 20);
        while let Some(due) =
            reconciliations::take_due(&system, self.env.now(), lease_until).await?
        {
            if let Err(error) = self.reconcile(due.tenant, due.id, due.day).await {
                tracing::warn!(tenant = %due.tenant, ?error, "a day could not be compared");
            }
        }
        Ok(())
    }

    async fn reconcile(
        &self,
        tenant: TenantId,
        id: plasma_kit::ids::ReconciliationId,
        day: Timestamp,
    ) -> Result<(), Error> {
        let link = self.wallet_link(tenant).await?.ok_or_else(Failure::unavailable)?;
        let theirs = listed(&link, day).await.map_err(|silence| {
            tracing::warn!(%tenant, silence.cause, "a wallet did not list its operations");
            Failure::unavailable()
        })?;
        let db = self.db.tenant(TenantClaim::of_peer(tenant));
        let end = day.plus(DAY);
        let mut own = operations::of_time(&db, day.minus(MARGIN), end.plus(MARGIN)).await?;
        // What the provider lists today and we made at another time is late, not missing.
        for operation_id in theirs.keys() {
            let id = ExternalOperationId::parse(operation_id);
            if let Some(id) = id.filter(|id| own.iter().all(|operation| operation.id != *id)) {
                own.extend(operations::load(&db, id).await?);
            }
        }
        let compared = compare(&own, &theirs, day);
        let tx = db.begin().await?;
        reconciliations::save(&tx, id, compared.matched, &compared.findings, self.env.now())
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The provider's operations of a day and a little around it.
async fn listed(
    link: &Link,
    day: Timestamp,
) -> Result<BTreeMap<String, pb::WalletOperation>, Silence> {
    let mut listed = BTreeMap::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = pb::ListOperationsRequest {
            start_time: Some(convert::timestamp(day.minus(MARGIN))),
            end_time: Some(convert::timestamp(day.plus(DAY).plus(MARGIN))),
            page_size: PAGE,
            page_token,
        };
        let page = link.list_operations(request).await?;
        let operations = page.operations.into_iter();
        listed.extend(operations.map(|operation| (operation.operation_id.clone(), operation)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(listed);
        }
    }
    Err(Silence { cause: "its list does not end".to_owned(), retry_after: None })
}

/// What a comparison found.
#[derive(Debug, PartialEq)]
struct Compared {
    matched: i64,
    findings: Vec<Finding>,
}

/// Compares one day. Those of the margins around it are there to tell what is late from what is
/// missing, and are compared on their own days.
fn compare(
    own: &[Operation],
    theirs: &BTreeMap<String, pb::WalletOperation>,
    day: Timestamp,
) -> Compared {
    let within = |moment: Timestamp| moment >= day && moment < day.plus(DAY);
    let mut compared = Compared { matched: 0, findings: Vec::new() };
    let mut known = Vec::new();
    for operation in own {
        let id = operation.id.to_string();
        let listed = theirs.get(&id);
        known.push(id.clone());
        let ours_is_today = within(operation.created_at);
        let theirs_is_today = listed.is_some_and(|listed| within(made(listed)));
        if !ours_is_today && !theirs_is_today {
            continue;
        }
        let kind = match listed {
            None => leaves_a_trace(operation).then_some(FindingKind::MissingThere),
            Some(listed) => difference(operation, listed)
                .or((ours_is_today != theirs_is_today).then_some(FindingKind::Late)),
        };
        match kind {
            Some(kind) => compared.findings.push(Finding {
                kind,
                operation_id: id,
                currency: operation.money.currency().code().to_owned(),
                own: taken_here(operation),
                provider: listed.map_or(0, taken_there),
            }),
            None if listed.is_some() => compared.matched += 1,
            None => {}
        }
    }
    for (id, listed) in theirs.iter().filter(|(id, _)| !known.contains(id)) {
        if within(made(listed)) {
            let amount = listed.amount.clone().unwrap_or_default();
            compared.findings.push(Finding {
                kind: FindingKind::MissingHere,
                operation_id: shortened(id, 80),
                currency: shortened(&amount.currency_code, 3),
                own: 0,
                provider: taken_there(listed),
            });
        }
    }
    compared.findings.sort_by(|one, other| one.operation_id.cmp(&other.operation_id));
    compared.findings.truncate(FINDINGS_MAX);
    compared
}

fn made(listed: &pb::WalletOperation) -> Timestamp {
    listed.create_time.as_ref().map_or(Timestamp(i64::MIN), convert::moment)
}

/// Whether a provider must list it: declined ones and tombstones it may leave out.
fn leaves_a_trace(operation: &Operation) -> bool {
    matches!(
        operation.state,
        State::Reserved | State::Capturing | State::Captured | State::Refunded
    )
}

/// In what an operation differs that both have.
fn difference(own: &Operation, listed: &pb::WalletOperation) -> Option<FindingKind> {
    use pb::WalletOperationState as Theirs;
    let amount = crate::wire::money(own.money);
    // A tombstone knows no amount.
    let amount_differs =
        listed.state() != Theirs::Released && listed.amount.as_ref() != Some(&amount);
    if amount_differs || taken_here(own) != taken_there(listed) && own.state.is_final() {
        return Some(FindingKind::AmountDiffers);
    }
    let same = match own.state {
        State::Captured => listed.state() == Theirs::Captured,
        State::Released | State::Declined | State::Reversed => {
            matches!(listed.state(), Theirs::Released | Theirs::Declined)
        }
        State::Refunded => listed.state() == Theirs::Refunded,
        State::Disputed => false,
        // Under way: it is compared when it has ended.
        State::Intent
        | State::Sent
        | State::Unknown
        | State::Reserved
        | State::Capturing
        | State::Releasing => true,
    };
    (!same).then_some(FindingKind::StateDiffers)
}

/// What our books say was taken; less than 0 where it was given back.
fn taken_here(operation: &Operation) -> i64 {
    match (operation.kind, operation.state) {
        (Kind::Reserve, State::Captured | State::Disputed) => operation.captured,
        (Kind::Refund, State::Refunded) => -operation.money.minor_units(),
        _ => 0,
    }
}

/// What the provider says was taken; less than 0 where it was given back.
fn taken_there(listed: &pb::WalletOperation) -> i64 {
    match listed.state() {
        pb::WalletOperationState::Captured => listed.captured_minor_units,
        pb::WalletOperationState::Refunded => {
            -listed.amount.as_ref().map_or(0, |amount| amount.minor_units)
        }
        _ => 0,
    }
}

/// A stranger's text, no longer than its column.
fn shortened(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect()
}
