//! Checks of Refund.

use pb::DeclineReason;
use pb::refund_response::Outcome;
use plasma_proto::billing::v1 as pb;

use super::Verdict;
use super::bench::{AMOUNT, Bench, accepted_refund, instead};

pub(super) async fn gives_back(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let reserve = bench.captured(AMOUNT).await?;
    let id = bench.id();
    for _ in 0..3 {
        accepted_refund(&bench.refund(&id, &reserve, AMOUNT).await?)?;
        bench.moved(before, 0, 0).await?;
    }
    match bench.refund(&id, &reserve, 1).await? {
        Outcome::Duplicate(_) => {}
        other => return instead("Refund with another body", &other),
    }
    match bench.refund(&bench.id(), &bench.id(), 1).await? {
        Outcome::UnknownOperation(_) => {}
        other => return instead("Refund of what was never seen", &other),
    }
    bench.moved(before, 0, 0).await
}

pub(super) async fn bounded(bench: &Bench) -> Verdict {
    let before = bench.money().await?;
    let reserve = bench.captured(AMOUNT).await?;
    bench.give_back(&reserve, AMOUNT - 2).await?;
    match bench.refund(&bench.id(), &reserve, 3).await? {
        Outcome::Declined(declined) if declined.reason() == DeclineReason::Limit => {}
        other => return instead("Refund of more than is left", &other),
    }
    bench.moved(before, -2, -2).await?;
    bench.give_back(&reserve, 2).await
}
