//! `storm`: under an even traffic every connection breaks at once, and everybody comes back at
//! once, as after an outage of a mobile network.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::super::arrival::{Stretch, schedule};
use super::super::progress::say;
use super::super::stage::Stage;
use super::{anyone, fields};
use crate::dice::Dice;
use crate::meters::Latencies;
use crate::traffic::{Device, Leaving};

/// How long everybody may take to come back.
const BACK_MAX: Duration = Duration::from_mins(2);

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let everyone: Vec<Device> = stage.everyone().cloned().collect();
    stage.begin(&format!("connecting {} devices", everyone.len()))?;
    stage.connect(&everyone).await?;
    stage.end("connect", fields(json!({ "devices": everyone.len() })))?;

    let (rate, window) = (stage.plan.rate.unwrap_or(1.0), stage.plan.window);
    let mut back = Vec::new();
    for storm in 1..=stage.plan.storms {
        let mut dice = Dice::new(stage.dice.roll());
        let moments = schedule(&mut dice, &[Stretch { rate, length: window }]);
        stage.begin(&format!("storm {storm} of {}, {rate:.0} messages/s", stage.plan.storms))?;
        let sending = stage.send_at(moments, || anyone(&mut dice, &everyone));
        // A third of the time before, the rest after.
        let breaking = async {
            tokio::time::sleep(window / 3).await;
            everyone_back(&everyone).await
        };
        let (sent, returned) = tokio::join!(sending, breaking);
        sent?;
        let summary = returned?.summary();
        say(format!(
            "everybody is back: half after {:.0} ms, 99 of 100 after {:.0} ms, all after {:.0} ms",
            summary.p50, summary.p99, summary.max
        ));
        stage.drain().await;
        stage.end(format!("storm {storm}"), fields(json!({ "back_ms": summary })))?;
        back.push(summary);
    }
    Ok(fields(json!({ "rate_per_second": rate, "back_ms": back })))
}

/// Breaks every connection and has everybody come back; how long each took.
async fn everyone_back(everyone: &[Device]) -> Result<Latencies> {
    join_all(everyone.iter().map(|device| device.disconnect(Leaving::AtOnce))).await;
    let begun = Instant::now();
    let times = Arc::new(Mutex::new(Latencies::default()));
    let coming = everyone.iter().map(|device| async {
        device.connect();
        let is_back = device.until_ready(BACK_MAX).await;
        if is_back {
            times.lock().unwrap_or_else(PoisonError::into_inner).record(begun.elapsed());
        }
        is_back
    });
    let back = join_all(coming).await.into_iter().filter(|is_back| *is_back).count();
    ensure!(
        back == everyone.len(),
        "{} of {} devices are not back after {BACK_MAX:?}",
        everyone.len() - back,
        everyone.len()
    );
    Ok(times.lock().unwrap_or_else(PoisonError::into_inner).clone())
}
