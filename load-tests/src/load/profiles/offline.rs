//! `offline`: messages for devices that are away are stored, then the devices come and take them.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::super::stage::Stage;
use super::fields;
use crate::traffic::{Device, Leaving};

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let (messages, in_flight) = (stage.plan.messages, stage.plan.in_flight);
    // Nobody is there: whoever sends needs no stream. First everyone takes what earlier runs left.
    let everyone: Vec<Device> = stage.opaque.clone();
    stage.begin("taking what is left of earlier runs")?;
    stage.connect(&everyone).await?;
    for device in &everyone {
        device.disconnect(Leaving::InOrder).await;
    }
    stage.end("before", Map::new())?;

    stage.begin(&format!("storing {messages} messages, {in_flight} in flight"))?;
    stage.keep_in_flight(&everyone, in_flight, move |turn| turn >= messages).await?;
    let tally = stage.around.ledger.tally();
    let stored = stage.end("store", fields(json!({ "in_flight": in_flight })))?;
    #[expect(clippy::cast_precision_loss, reason = "counts of a load are far below 2^53")]
    let stored_per_second = stored.stored as f64 / stored.seconds;

    stage.begin(&format!("{} devices take {} envelopes", everyone.len(), tally.awaited))?;
    stage.connect(&everyone).await?;
    stage.drain().await;
    let drained = stage.end("drain", fields(json!({ "devices": everyone.len() })))?;
    let drained_per_second = drained.received_per_second;
    Ok(fields(json!({
        "stored_per_second": stored_per_second,
        "drained_per_second": drained_per_second,
    })))
}
