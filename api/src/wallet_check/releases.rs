//! Checks of Release.

use pb::DeclineReason;
use plasma_proto::billing::v1 as pb;

use super::Verdict;
use super::bench::{AMOUNT, Bench, instead};

pub(super) async fn frees(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    for _ in 0..3 {
        bench.free(&id).await?;
        bench.moved(before, 0, 0).await?;
    }
    Ok(())
}

pub(super) async fn tombstone(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    bench.free(&id).await?;
    for _ in 0..2 {
        match bench.reserve(&id, AMOUNT).await? {
            pb::reserve_response::Outcome::Declined(declined)
                if declined.reason() == DeclineReason::Released => {}
            other => {
                bench.free(&id).await?;
                return instead("a Reserve that comes after its Release", &other);
            }
        }
    }
    bench.moved(before, 0, 0).await
}

pub(super) async fn is_not_captured(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.reserved(AMOUNT).await?;
    bench.free(&id).await?;
    match bench.capture(&id, AMOUNT).await? {
        pb::capture_response::Outcome::Declined(declined)
            if declined.reason() == DeclineReason::Released => {}
        other => return instead("a Capture after the Release", &other),
    }
    bench.moved(before, 0, 0).await
}

pub(super) async fn of_captured(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.captured(AMOUNT).await?;
    match bench.release(&id).await? {
        pb::release_response::Outcome::Declined(declined)
            if declined.reason() == DeclineReason::Captured => {}
        other => return instead("a Release after the Capture", &other),
    }
    bench.moved(before, -AMOUNT, -AMOUNT).await?;
    bench.give_back(&id, AMOUNT).await
}

pub(super) async fn of_declined(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let id = bench.id();
    match bench.reserve(&id, before.1 + 1).await? {
        pb::reserve_response::Outcome::Declined(_) => {}
        other => return instead("Reserve of too much", &other),
    }
    bench.free(&id).await?;
    bench.moved(before, 0, 0).await
}
