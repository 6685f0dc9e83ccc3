//! PostgreSQL crashes and comes back while people write to somebody who is offline. Whatever was
//! answered OK must be there when that device comes online.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use plasma_proto::messaging::v1::receive_response::Event;
use tokio::time::Instant;

use super::device::{LIVENESS, Listening};
use super::{Found, Scene};
use crate::enrollment::Enrolled;

const SENDERS: usize = 6;
const BEFORE: Duration = Duration::from_millis(500);
const DOWN: Duration = Duration::from_millis(1_500);
const AFTER: Duration = Duration::from_millis(500);
/// Between two sends of one sender.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn ask(scene: &mut Scene) -> Result<Found> {
    let people = scene.people(SENDERS + 1).await?;
    let absent = &people[SENDERS];
    let mut senders = Vec::new();
    for (place, sender) in people.iter().enumerate().take(SENDERS) {
        let chat = scene.chat(sender, absent).await?;
        senders.push((scene.device(sender, place)?, chat));
    }
    let is_over = AtomicBool::new(false);
    let sending = senders.iter().enumerate().map(|(place, (sender, chat))| {
        let is_over = &is_over;
        async move {
            let (mut accepted, mut refused) = (HashSet::new(), 0_u32);
            let mut message = u128::try_from(place)? * 1_000_000;
            while !is_over.load(Ordering::Relaxed) {
                message += 1;
                match sender.send_once(chat, absent, message).await {
                    Ok(_) => drop(accepted.insert(message)),
                    Err(_) => refused += 1,
                }
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok((accepted, refused))
        }
    });
    let postgres = scene.cluster.servers()?.postgres.clone();
    let crashing = async {
        tokio::time::sleep(BEFORE).await;
        let server = postgres.clone();
        let crash = move || server.started().context("a server of one's own")?.crash();
        tokio::task::spawn_blocking(crash).await??;
        tokio::time::sleep(DOWN).await;
        let restart = move || postgres.started().context("a server of one's own")?.restart();
        tokio::task::spawn_blocking(restart).await??;
        tokio::time::sleep(AFTER).await;
        is_over.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    let (sent, crashed) = tokio::join!(try_join_all(sending), crashing);
    crashed?;
    let (mut accepted, mut refused) = (HashSet::new(), 0);
    for (of_one, refused_to_one) in sent? {
        accepted.extend(of_one);
        refused += refused_to_one;
    }
    ensure!(!accepted.is_empty() && refused > 0, "the crash did not fall into the sends");
    let arrived = everything_stored(scene, absent).await?;
    let lost = accepted.difference(&arrived).count();
    let words = format!(
        "{} sends were answered OK, {refused} were refused, {lost} of the first are lost",
        accepted.len()
    );
    Ok(Found::when(lost == 0, words))
}

/// Takes what waits for a device, until nothing does.
async fn everything_stored(scene: &Scene, absent: &Enrolled) -> Result<HashSet<u128>> {
    let device = scene.device(absent, 0)?;
    let mut stream = Listening(device.open().await?);
    let mut arrived = HashSet::new();
    let until = Instant::now() + LIVENESS;
    loop {
        ensure!(Instant::now() < until, "what was stored does not come to an end");
        match stream.next(LIVENESS).await?.context("an event")? {
            Event::Envelope(envelope) => {
                let message = plasma_proto::id::parse("msg", &envelope.message_id);
                arrived.insert(message.context("a message id")?);
                device.acknowledge(vec![envelope.envelope_id]).await?;
            }
            Event::QueueEmpty(_) => {
                return Ok(arrived);
            }
            _ => {}
        }
    }
}
