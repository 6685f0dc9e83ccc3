//! A device is online and does not acknowledge, so that everything for it is stored at once. What
//! is stored must reach it because the node of the sender says so, and not because some sweep
//! comes by: that shows in the time from
//! the answer of the send to the arrival.
//!
//! One message at a time, a random moment after the one before has arrived: a hint for the next
//! would otherwise bring what had none. With hints a message takes some milliseconds; without, half
//! a second less that moment.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_proto::messaging::v1::DeliveryState;
use tokio::time::Instant;

use super::device::LIVENESS;
use super::{Found, Scene};

/// Messages through each node.
const ROUNDS: usize = 12;
/// Most time between two messages.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// A quarter of all is faster than this: with hints on the busiest machine, without them nearly none
/// (the one in ten that is offered live, because the device is tried again).
const QUARTER_MAX: Duration = Duration::from_millis(250);

pub(super) async fn ask(scene: &mut Scene) -> Result<Found> {
    let nodes = scene.cluster.nodes().len();
    let people = scene.people(nodes + 1).await?;
    let dozing = scene.device(&people[nodes], nodes - 1)?;
    let mut stream = dozing.listen().await?;
    let mut latencies = Vec::new();
    let mut received = Vec::new();
    for (node, sender) in people.iter().enumerate().take(nodes) {
        let chat = scene.chat(sender, &dozing.enrolled).await?;
        let sender = scene.device(sender, node)?;
        for round in 0..=ROUNDS {
            tokio::time::sleep(PAUSE_MAX.mul_f64(scene.dice.share())).await;
            let begun = Instant::now();
            let number = u128::try_from(node * 1_000 + round + 1)?;
            let sending = async {
                let sent = sender.send(&chat, &dozing.enrolled, number).await;
                (sent, Instant::now())
            };
            let receiving = async {
                let envelope = stream.envelope(begun + LIVENESS).await?;
                anyhow::Ok((envelope, Instant::now()))
            };
            let ((sent, answered_at), arrived) = tokio::join!(sending, receiving);
            ensure!(sent? == DeliveryState::Stored, "a message was not stored");
            let (envelope, arrived_at) = arrived?;
            // How long the store takes is not the question: a slow disk is no lost hint.
            let after = arrived_at.saturating_duration_since(answered_at);
            let Some((envelope, message)) = envelope else {
                return Ok(Found::Broken(format!("message {number} has not arrived in {after:?}")));
            };
            ensure!(message == number, "message {message} instead of {number}");
            received.push(envelope);
            // The first of a node is offered live, and its acknowledgement waited for in vain.
            if round > 0 {
                latencies.push(after);
            }
        }
    }
    dozing.acknowledge(received).await?;
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 4).copied().context("a latency");
    let (quarter, median) = (at(1)?, at(2)?);
    let longest = *latencies.last().context("a latency")?;
    let words = format!(
        "{} stored messages came {:.1} ms after the answer in the fastest quarter, {:.1} ms in the \
         median, {:.1} ms at most",
        latencies.len(),
        quarter.as_secs_f64() * 1e3,
        median.as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3
    );
    Ok(Found::when(quarter <= QUARTER_MAX, words))
}
