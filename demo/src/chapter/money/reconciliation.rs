//! The daily comparison of a wallet’s book with the service’s.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use plasma_proto::billing::v1::external_wallet_service_client::ExternalWalletServiceClient;
use plasma_proto::billing::v1::{
    ExternalOperation, GetReconciliationRequest, GetReconciliationResponse,
    ReconciliationFindingKind, ReconciliationState, StartReconciliationRequest,
};
use plasma_testkit::secret;

use super::own_wallet::{Kiosk, taken};
use crate::chapter::opening::Stage;
use crate::figure;
use crate::person::SOON;
use crate::transcript::Transcript;

const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// Tells a comparison, one with a difference, and the comparison again.
pub async fn of_a_day(
    transcript: &mut Transcript,
    stage: &Stage,
    kiosk: &Kiosk,
    operations: &[ExternalOperation],
) -> Result<()> {
    // Only a day that has ended is compared; for a wait of a day the story has no time.
    let day = Timestamp::now().to_zoned(TimeZone::UTC).start_of_day()?;
    let noon = day.checked_sub(12.hours())?.timestamp();
    let book = kiosk.wallet.book()?;
    book.date_to(noon.as_microsecond())?;
    stage.change(&format!(
        "UPDATE external_operations SET created_at = {}",
        noon.as_microsecond()
    ))?;
    transcript.step("both books are dated back by a day, and the day is reconciled");
    let same = reconciled(kiosk, noon).await?;
    let (found, matched) = outcome(&same);
    let captured = taken(operations);
    transcript.check(
        "the reconciliation of the day finds every payment on both sides, and no difference",
        found == ReconciliationState::Matched
            && usize::try_from(matched).is_ok_and(|matched| matched >= captured.len())
            && same.findings.is_empty(),
        format!("{matched} matched, {} findings", same.findings.len()),
    );
    let spoiled = captured.first().context("a payment")?;
    book.misstate(&spoiled.operation_id, 1)?;
    let different = reconciled(kiosk, noon).await?;
    book.misstate(&spoiled.operation_id, -1)?;
    let again = reconciled(kiosk, noon).await?;
    let found = different.findings.first().cloned().unwrap_or_default();
    transcript.check(
        "the control: a cent more in the wallet’s book is found, and is gone when it is",
        outcome(&different).0 == ReconciliationState::Different
            && different.findings.len() == 1
            && found.kind() == ReconciliationFindingKind::AmountDiffers
            && found.operation_id == spoiled.operation_id
            && found.provider_minor_units - found.own_minor_units == 1
            && outcome(&again).0 == ReconciliationState::Matched,
        format!(
            "{} here, {} there",
            figure::money("EUR", found.own_minor_units),
            figure::money("EUR", found.provider_minor_units)
        ),
    );
    Ok(())
}

async fn reconciled(kiosk: &Kiosk, day: Timestamp) -> Result<GetReconciliationResponse> {
    let day_time = prost_types::Timestamp { seconds: day.as_second(), nanos: 0 };
    let request =
        StartReconciliationRequest { request_id: secret::request_id(), day_time: Some(day_time) };
    let mut client = ExternalWalletServiceClient::new(kiosk.channel.clone());
    let asked = client.start_reconciliation(kiosk.platform.admin(request)?).await?.into_inner();
    let reconciliation_id = asked.reconciliation.context("a reconciliation")?.reconciliation_id;
    let begun = Instant::now();
    loop {
        let reconciliation_id = reconciliation_id.clone();
        let request = kiosk.platform.admin(GetReconciliationRequest { reconciliation_id })?;
        let answer = client.get_reconciliation(request).await?.into_inner();
        if outcome(&answer).0 != ReconciliationState::Pending {
            return Ok(answer);
        }
        ensure!(begun.elapsed() < SOON, "the day is not compared after {SOON:?}");
        tokio::time::sleep(LOOK).await;
    }
}

fn outcome(answer: &GetReconciliationResponse) -> (ReconciliationState, i64) {
    let compared = answer.reconciliation.clone().unwrap_or_default();
    (compared.state(), compared.matched_count)
}
