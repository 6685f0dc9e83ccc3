//! Redis is killed and stays away. A device on one node must get what is sent through the other,
//! within about a second and before Redis is back.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::device::LIVENESS;
use super::{Found, Scene};

const MESSAGES: u128 = 12;
/// Ten sweeps. Without the sweep nothing arrives before Redis is back.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

pub(super) async fn ask(scene: &mut Scene) -> Result<Found> {
    let people = scene.people(2).await?;
    let chat = scene.chat(&people[0], &people[1]).await?;
    let sender = scene.device(&people[0], 0)?;
    let receiver = scene.device(&people[1], 1)?;
    let mut stream = receiver.listen().await?;
    let redis = scene.cluster.servers()?.redis.clone();
    tokio::task::spawn_blocking(move || redis.started()?.kill()).await??;
    let mut latencies = Vec::new();
    let mut found = None;
    for message in 1..=MESSAGES {
        tokio::time::sleep(Duration::from_millis(200).mul_f64(scene.dice.share())).await;
        let begun = Instant::now();
        sender.send(&chat, &people[1], message).await.context("a send without Redis")?;
        let Some((envelope, _)) = stream.envelope(begun + ARRIVAL_MAX).await? else {
            found = Some(Found::Broken(format!(
                "message {message} has not arrived in {ARRIVAL_MAX:?} without Redis"
            )));
            break;
        };
        latencies.push(begun.elapsed());
        receiver.acknowledge(vec![envelope]).await?;
    }
    let redis = scene.cluster.servers()?.redis.clone();
    tokio::task::spawn_blocking(move || redis.started()?.restart()).await??;
    if let Some(found) = found {
        return Ok(found);
    }
    latencies.sort_unstable();
    let (median, longest) = (latencies[latencies.len() / 2], latencies[latencies.len() - 1]);
    // Once it is back, hints work again: the device is told at once or by the sweep at the latest.
    let begun = Instant::now();
    sender.send(&chat, &people[1], MESSAGES + 1).await?;
    let Some((envelope, _)) = stream.envelope(begun + LIVENESS).await? else {
        return Ok(Found::Broken("nothing arrives once Redis is back".to_owned()));
    };
    receiver.acknowledge(vec![envelope]).await?;
    Ok(Found::Kept(format!(
        "{MESSAGES} messages took {:.0} ms in the median, {:.0} ms at most without Redis",
        median.as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3
    )))
}
