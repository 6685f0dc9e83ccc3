//! What a message writes, counted from outside the service: nothing when its devices are online,
//! and, as the control, something when one is not.

use std::collections::BTreeMap;

use anyhow::Result;
use plasma_client::{ChatId, DeliveryState, SendReport};
use plasma_testkit::ClusterKind;
use plasma_testkit::stores::{Change, Snapshot};

use super::opening::Stage;
use super::people::Cast;
use crate::person::until;
use crate::transcript::Transcript;

/// A device that answers late once has its envelope stored, as it should; the promise is about
/// messages that were acknowledged online.
const ATTEMPTS: u32 = 4;

/// Counts both.
pub async fn writes(
    transcript: &mut Transcript,
    stage: &Stage,
    cast: &mut Cast,
    chat: ChatId,
) -> Result<()> {
    transcript.chapter("What the stores are made to write");
    let mut online = None;
    for _ in 0..ATTEMPTS {
        transcript.step("waiting until the stores are at rest …");
        let before = settled(stage)?;
        let text = transcript.saying("Are you there?");
        let report = cast.ann.say(chat, &text).await?;
        cast.bob.phone().shows(chat, &text).await?;
        let all_delivered = report.count(DeliveryState::Delivered) == report.deliveries.len();
        transcript.step(&format!(
            "a message to {} devices: {}",
            report.deliveries.len(),
            states(&report)
        ));
        if all_delivered {
            let change = settled(stage)?.since(&before);
            let nothing = change.stored_nothing();
            online = Some(change);
            if nothing {
                break;
            }
            transcript.step("a receipt for it was acknowledged late and stored; once more …");
        }
        until("the late envelope to go", || Ok(stage.envelopes()? == 0)).await?;
    }
    let Some(online) = online else {
        transcript.check(
            "a message is acknowledged online by three devices",
            false,
            "never in time",
        );
        return Ok(());
    };
    transcript.detail("counters", summary(stage, &online));
    transcript.check(
        "a message acknowledged online moved no write counter of any store",
        online.stored_nothing(),
        summary(stage, &online),
    );

    cast.bob.laptop_mut().offline();
    let before = settled(stage)?;
    let text = transcript.saying("Call me when you can");
    let report = cast.ann.say(chat, &text).await?;
    let change = settled(stage)?.since(&before);
    transcript.step(&format!("the same with Bob’s laptop closed: {}", states(&report)));
    transcript.detail("counters", summary(stage, &change));
    transcript.check(
        "the control: a stored message moves the same counters",
        report.count(DeliveryState::Stored) >= 1 && !change.stored_nothing(),
        summary(stage, &change),
    );
    let held = stage.envelopes()?;
    cast.bob.laptop_mut().online().await?;
    for gadget in &cast.bob.gadgets {
        gadget.shows(chat, &text).await?;
    }
    until("the stored envelope to go", || Ok(stage.envelopes()? == 0)).await?;
    transcript.check(
        "the control: the count of envelopes sees one that is stored, and sees it go",
        held >= 1,
        format!("{held}, then 0"),
    );
    Ok(())
}

fn settled(stage: &Stage) -> Result<Snapshot> {
    tokio::task::block_in_place(|| stage.stores.settled())
}

fn states(report: &SendReport) -> String {
    let states = report.deliveries.iter().map(|delivery| delivery.state.as_str_name());
    let states = states.map(|name| name.trim_start_matches("DELIVERY_STATE_").to_lowercase());
    states.collect::<Vec<_>>().join(", ")
}

/// The difference in one line: files where the service stores in files, rows and commands where
/// it stores in servers.
fn summary(stage: &Stage, change: &Change) -> String {
    if stage.cluster.kind() == ClusterKind::Embedded {
        return format!("{} files changed, {:+} bytes", change.files.len(), change.file_bytes);
    }
    let list = |counters: &BTreeMap<String, u64>| {
        let each: Vec<_> = counters.iter().map(|(name, count)| format!("{name} {count}")).collect();
        if each.is_empty() { "none".to_owned() } else { each.join(", ") }
    };
    let tables = list(&change.tables);
    format!("{} rows written (tables: {tables}); Redis: {}", change.rows, list(&change.redis))
}
