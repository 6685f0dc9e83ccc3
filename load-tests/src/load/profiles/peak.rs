//! `peak`: the busiest minutes of a day with 10,000 users. They come, write, open chats, and go;
//! what is written to those who are away is stored until they come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::super::arrival::{Stretch, clockwork, schedule};
use super::super::stage::Stage;
use super::{anyone, fields};
use crate::dice::Dice;
use crate::size::Model;
use crate::traffic::{Device, Leaving};

/// The part of the messages that sealed devices write, where there are any.
const SEALED_SHARE: f64 = 0.2;

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let (model, derived) = (Model::default(), Model::default().derived());
    // Half of those who are enrolled at most, so that there is somebody to come.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
    let connected = (derived.devices_connected.round() as usize).min(stage.opaque.len() / 2).max(1);
    let mut town = Town::new(stage, connected);
    stage.begin(&format!("{connected} devices come before the peak"))?;
    let first: Vec<Device> = town.present.iter().cloned().collect();
    stage.connect(&first).await?;
    stage.connect(&town.sealed).await?;
    stage.end("connect", fields(json!({ "devices": connected + town.sealed.len() })))?;

    let rate = stage.plan.rate.unwrap_or(derived.messages_per_second);
    let third = stage.plan.window / 3;
    let stretch = |rate| Stretch { rate, length: third };
    for (name, factor) in
        [("peak hour", 1.0), ("busiest minutes", model.busiest_minutes), ("after", 1.0)]
    {
        let mut dice = Dice::new(stage.dice.roll());
        let messages = schedule(&mut dice, &[stretch(rate * factor)]);
        let visits = schedule(&mut dice, &[stretch(derived.visits_per_second * factor)]);
        let chats = schedule(&mut dice, &[stretch(derived.chats_per_second * factor)]);
        stage.begin(&format!(
            "{name}: {:.0} messages/s for {:.1} s",
            rate * factor,
            third.as_secs_f64()
        ))?;
        town.live(messages, visits, chats, &mut dice).await?;
        stage.end(name, fields(json!({ "rate": rate * factor })))?;
    }
    Ok(fields(json!({ "model": model, "derived": derived })))
}

/// Who is there and who is away.
struct Town {
    /// In the order in which they came.
    present: VecDeque<Device>,
    away: VecDeque<Device>,
    sealed: Vec<Device>,
}

impl Town {
    fn new(stage: &Stage, connected: usize) -> Self {
        let mut away: VecDeque<Device> = stage.opaque.iter().cloned().collect();
        let present = away.drain(..connected.min(away.len())).collect();
        Self { present, away, sealed: stage.sealed.clone() }
    }

    /// Plays what happens at moments that are fixed beforehand; waits until all is decided.
    async fn live(
        &mut self,
        messages: Vec<Duration>,
        visits: Vec<Duration>,
        chats: Vec<Duration>,
        dice: &mut Dice,
    ) -> Result<()> {
        let begun = Instant::now();
        let mut messages = clockwork(begun, messages);
        let mut visits = clockwork(begun, visits);
        let mut chats = clockwork(begun, chats);
        let mut doing = JoinSet::new();
        loop {
            tokio::select! {
                Some(due) = messages.recv() => {
                    let (device, chat) = self.writer(dice);
                    doing.spawn(async move {
                        device.send(chat, due).await;
                    });
                }
                Some(_) = visits.recv() => {
                    let Some((came, left)) = self.visit() else { continue };
                    doing.spawn(async move {
                        came.connect();
                        left.disconnect(Leaving::InOrder).await;
                    });
                }
                Some(_) = chats.recv() => {
                    let Some(device) = self.present.get(dice.below(self.present.len())) else {
                        continue;
                    };
                    let (device, dice) = (device.clone(), dice.roll());
                    let among: Vec<Device> =
                        self.present.iter().chain(&self.away).cloned().collect();
                    doing.spawn(async move { meet(&device, &among, dice).await });
                }
                else => break,
            }
            while doing.try_join_next().is_some() {}
        }
        while let Some(done) = doing.join_next().await {
            done?;
        }
        Ok(())
    }

    fn writer(&self, dice: &mut Dice) -> (Device, usize) {
        if !self.sealed.is_empty() && dice.share() < SEALED_SHARE {
            return anyone(dice, &self.sealed);
        }
        let device = self.present[dice.below(self.present.len())].clone();
        let chat = dice.below(device.contacts().max(1));
        (device, chat)
    }

    /// Who has been away for longest comes, and who has been there for longest leaves.
    fn visit(&mut self) -> Option<(Device, Device)> {
        let came = self.away.pop_front()?;
        let left = self.present.pop_front()?;
        self.present.push_back(came.clone());
        self.away.push_back(left.clone());
        Some((came, left))
    }
}

/// Opens a chat with a user of the same platform.
async fn meet(device: &Device, among: &[Device], chance: u64) {
    let Device::Opaque(own) = device else { return };
    let others = among.iter().filter_map(|other| match other {
        Device::Opaque(other) if other.may_meet(own) => Some(other),
        Device::Opaque(_) | Device::Sealed(_) => None,
    });
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        own.open_chat(others[Dice::new(chance).below(others.len())]).await;
    }
}
