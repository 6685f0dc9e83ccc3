//! Redis is killed and stays away. A device on one node must get what is sent through the other,
//! within about a second and before Redis is back.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::device::{Device, LIVENESS, Listening};
use super::{Found, Scene};

const MESSAGES: u128 = 12;
/// Ten sweeps. Without the sweep nothing arrives before Redis is back.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);
/// The longest pause between attempts to reach Redis is a second.
const FOUND_AGAIN: Duration = Duration::from_secs(3);
/// Relayed by Redis a message takes milliseconds, by the sweep 400 to 500.
const QUARTER_MAX: Duration = Duration::from_millis(250);

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
    let after = once_it_is_back(scene, &chat, &sender, &receiver, &mut stream).await?;
    let Some(after) = after else {
        return Ok(Found::Broken("nothing arrives once Redis is back".to_owned()));
    };
    let words = format!(
        "{MESSAGES} messages took {:.0} ms in the median, {:.0} ms at most without Redis, and {:.0} ms \
         in the fastest quarter once it was back",
        median.as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3,
        after.as_secs_f64() * 1e3
    );
    Ok(Found::when(after <= QUARTER_MAX, words))
}

/// How long the fastest quarter of messages takes when the nodes have found Redis again: they must
/// hear each other as before, on the streams that were open all the while.
async fn once_it_is_back(
    scene: &mut Scene,
    chat: &str,
    sender: &Device,
    receiver: &Device,
    stream: &mut Listening,
) -> Result<Option<Duration>> {
    tokio::time::sleep(FOUND_AGAIN).await;
    let mut latencies = Vec::new();
    for message in MESSAGES + 1..=2 * MESSAGES {
        tokio::time::sleep(Duration::from_millis(100).mul_f64(scene.dice.share())).await;
        let begun = Instant::now();
        let sending = sender.send(chat, &receiver.enrolled, message);
        let receiving = async {
            let envelope = stream.envelope(begun + LIVENESS).await?;
            let after = begun.elapsed();
            if let Some((envelope, _)) = &envelope {
                receiver.acknowledge(vec![envelope.clone()]).await?;
            }
            anyhow::Ok(envelope.map(|_| after))
        };
        let (sent, after) = tokio::join!(sending, receiving);
        sent?;
        let Some(after) = after? else { return Ok(None) };
        latencies.push(after);
    }
    latencies.sort_unstable();
    Ok(latencies.get(latencies.len() / 4).copied())
}
