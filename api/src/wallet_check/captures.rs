//! Checks of Capture.

use pb::WalletOperationState;
use pb::capture_response::Outcome;
use plasma_proto::billing::v1 as pb;

use super::Verdict;
use super::bench::{AMOUNT, Bench, accepted_capture, instead};

pub(super) async fn takes(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    for _ in 0..3 {
        let operation = accepted_capture(&bench.capture(&id, AMOUNT).await?)?;
        let state = operation.state();
        if state != WalletOperationState::Captured || operation.captured_minor_units != AMOUNT {
            return instead("Capture", &operation);
        }
        bench.moved(before, -AMOUNT, -AMOUNT).await?;
    }
    bench.give_back(&id, AMOUNT).await
}

pub(super) async fn is_final(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    accepted_capture(&bench.capture(&id, AMOUNT - 2).await?)?;
    for units in [1, AMOUNT] {
        match bench.capture(&id, units).await? {
            Outcome::Duplicate(_) => {}
            other => return instead("another Capture", &other),
        }
    }
    bench.moved(before, 2 - AMOUNT, 2 - AMOUNT).await?;
    bench.give_back(&id, AMOUNT - 2).await
}

pub(super) async fn part(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    let operation = accepted_capture(&bench.capture(&id, 3).await?)?;
    if operation.captured_minor_units != 3 {
        return instead("Capture of a part", &operation);
    }
    bench.moved(before, -3, -3).await?;
    bench.give_back(&id, 3).await
}

pub(super) async fn never_seen(bench: &Bench) -> Verdict {
    match bench.capture(&bench.id(), AMOUNT).await? {
        Outcome::UnknownOperation(_) => {}
        other => return instead("Capture of what was never seen", &other),
    }
    match bench.operation(&bench.id()).await? {
        pb::get_operation_response::Answer::UnknownOperation(_) => Ok(()),
        other @ pb::get_operation_response::Answer::Operation(_) => {
            instead("GetOperation of what was never seen", &other)
        }
    }
}
