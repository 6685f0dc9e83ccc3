//! `relay`: as many messages as go through (closed loop), with more and more in flight. The knee is
//! the fewest in flight that carry nine tenths of the most; beyond it more in flight only wait
//! longer. Half of the most is then sent in an open loop, for the latency that a service at half
//! its load has.

use std::time::Instant;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::super::arrival::{Stretch, schedule};
use super::super::stage::Stage;
use super::{anyone, fields};
use crate::traffic::Device;

/// The part of the most that counts as all.
const KNEE: f64 = 0.9;

#[derive(Debug, Clone, Copy)]
struct Step {
    in_flight: usize,
    per_second: f64,
    p99: f64,
}

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let everyone: Vec<Device> = stage.opaque.clone();
    stage.begin(&format!("connecting {} devices", everyone.len()))?;
    stage.connect(&everyone).await?;
    stage.end("connect", Map::new())?;

    let window = stage.plan.window;
    let mut steps = Vec::new();
    let mut in_flight = 1;
    while in_flight <= stage.plan.in_flight {
        stage.begin(&format!("{in_flight} in flight for {window:?}"))?;
        let end = Instant::now() + window;
        stage.keep_in_flight(&everyone, in_flight, move |_| Instant::now() >= end).await?;
        stage.drain().await;
        let more = fields(json!({ "in_flight": in_flight }));
        let phase = stage.end(format!("{in_flight} in flight"), more)?;
        let (per_second, p99) = (phase.received_per_second, phase.delivery.p99);
        steps.push(Step { in_flight, per_second, p99 });
        in_flight *= 2;
    }
    let most = steps.iter().map(|step| step.per_second).fold(0.0, f64::max);
    let knee = knee(&steps);

    let rate = (most / 2.0).max(1.0);
    let mut dice = stage.dice.clone();
    let moments = schedule(&mut dice, &[Stretch { rate, length: window }]);
    stage.begin(&format!("half of the most, {rate:.0} messages/s, for {window:?}"))?;
    stage.send_at(moments, || anyone(&mut dice, &everyone)).await?;
    stage.drain().await;
    stage.end("half load", fields(json!({ "rate": rate })))?;
    Ok(fields(json!({
        "most_per_second": most,
        "knee": knee.map(|step| json!({
            "in_flight": step.in_flight,
            "messages_per_second": step.per_second,
            "p99_ms": step.p99,
        })),
    })))
}

fn knee(steps: &[Step]) -> Option<Step> {
    let most = steps.iter().map(|step| step.per_second).fold(0.0, f64::max);
    steps.iter().find(|step| step.per_second >= KNEE * most).copied()
}

#[cfg(test)]
mod tests {
    use super::{Step, knee};

    #[test]
    fn the_knee_is_where_more_in_flight_brings_little() {
        let step = |in_flight, per_second| Step { in_flight, per_second, p99: 1.0 };
        let steps =
            [step(1, 100.0), step(2, 190.0), step(4, 280.0), step(8, 300.0), step(16, 290.0)];
        assert_eq!(knee(&steps).unwrap().in_flight, 4);
        assert!(knee(&[]).is_none());
    }
}
