//! Many senders at once store for one device that is online, through every node. Transactions that
//! overlap commit in another order than they began; everything must arrive all the same.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use plasma_proto::messaging::v1::DeliveryState;
use tokio::time::Instant;

use super::{Found, Scene};

/// Senders through each node.
const SENDERS: usize = 4;
/// Messages of each: all of them together fit the window of the device, which acknowledges none.
const MESSAGES: usize = 28;
const WINDOW: usize = 256;
/// From the last answer to the last arrival.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

pub(super) async fn ask(scene: &mut Scene) -> Result<Found> {
    let nodes = scene.cluster.nodes().len();
    let senders = nodes * SENDERS;
    ensure!(senders * (MESSAGES + 1) <= WINDOW, "more than the window holds");
    let people = scene.people(senders + 1).await?;
    let dozing = scene.device(&people[senders], nodes - 1)?;
    let mut stream = dozing.listen().await?;
    let sending = people.iter().enumerate().take(senders).map(|(place, sender)| {
        let (scene, to) = (&*scene, &dozing.enrolled);
        async move {
            let chat = scene.chat(sender, to).await?;
            let device = scene.device(sender, place % nodes)?;
            // The first of each finds out that the device dozes.
            for number in 0..=MESSAGES {
                let message = u128::try_from(place * 1_000 + number + 1)?;
                let state = device.send(&chat, to, message).await?;
                ensure!(state == DeliveryState::Stored, "a message was {state:?}");
            }
            Ok(())
        }
    });
    let receiving = async {
        let mut arrived = HashSet::new();
        let mut envelopes = Vec::new();
        let mut until = Instant::now() + Duration::from_mins(1);
        let sending = try_join_all(sending);
        tokio::pin!(sending);
        let mut is_sent = false;
        while arrived.len() < senders * (MESSAGES + 1) {
            tokio::select! {
                sent = &mut sending, if !is_sent => {
                    sent?;
                    is_sent = true;
                    until = Instant::now() + ARRIVAL_MAX;
                }
                envelope = stream.envelope(until) => {
                    let Some((envelope, message)) = envelope? else { break };
                    envelopes.push(envelope);
                    arrived.insert(message);
                }
            }
        }
        anyhow::Ok((arrived.len(), envelopes))
    };
    let (arrived, envelopes) = receiving.await?;
    dozing.acknowledge(envelopes).await?;
    let all = senders * (MESSAGES + 1);
    let words = format!("{arrived} of {all} messages of {senders} senders arrived");
    Ok(Found::when(arrived == all, words))
}
