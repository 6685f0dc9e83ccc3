//! `connected` and `soak`: everybody is there, and messages come at an even rate.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::super::arrival::{Stretch, schedule};
use super::super::stage::Stage;
use super::{anyone, fields};
use crate::traffic::Device;

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let everyone: Vec<Device> = stage.everyone().cloned().collect();
    stage.begin(&format!("connecting {} devices", everyone.len()))?;
    stage.connect(&everyone).await?;
    stage.end("connect", fields(json!({ "devices": everyone.len() })))?;

    let rate = stage.plan.rate.unwrap_or(1.0);
    let window = stage.plan.window;
    let mut dice = stage.dice.clone();
    let moments = schedule(&mut dice, &[Stretch { rate, length: window }]);
    stage.begin(&format!("{rate:.1} messages/s for {window:?}"))?;
    stage.send_at(moments, || anyone(&mut dice, &everyone)).await?;
    stage.drain().await;
    stage.end("traffic", fields(json!({ "rate": rate })))?;
    Ok(fields(json!({ "rate_per_second": rate })))
}
