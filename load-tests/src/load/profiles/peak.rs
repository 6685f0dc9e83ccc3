//! `peak`: the busiest minutes of a day with 10,000 users. They come, write, open chats, and go;
//! what is written to those who are away is stored until they come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::super::arrival::{Stretch, clockwork, schedule};
use super::super::stage::Stage;
use super::{anyone, fields};
use crate::dice::Dice;
use crate::traffic::{Device, Leaving};

/// What people do on a day, and what follows for its busiest minutes.
///
/// The numbers of people are assumptions on the high side, each written down here; what follows
/// from them is arithmetic. Arrivals are independent of each other (Poisson).
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Model {
    /// Users who come on a day.
    users_per_day: f64,
    /// Messages that each writes on a day.
    messages_per_user: f64,
    /// Times that each opens the app on a day.
    visits_per_user: f64,
    /// How long a visit lasts.
    minutes_per_visit: f64,
    /// Chats that each opens on a day.
    chats_per_user: f64,
    /// The part of a day's traffic that falls into its busiest hour; evenly spread it would be
    /// 1/24.
    share_of_peak_hour: f64,
    /// How much more than the mean of that hour its busiest minutes have.
    busiest_minutes: f64,
}

const MODEL: Model = Model {
    users_per_day: 10_000.0,
    messages_per_user: 60.0,
    visits_per_user: 15.0,
    minutes_per_visit: 5.0,
    chats_per_user: 1.0,
    share_of_peak_hour: 0.15,
    busiest_minutes: 2.0,
};

impl Model {
    /// What each user does so often on a day happens so often per second in the peak hour.
    fn per_second(self, per_user: f64) -> f64 {
        self.users_per_day * per_user * self.share_of_peak_hour / 3_600.0
    }

    fn messages_per_second(self) -> f64 {
        self.per_second(self.messages_per_user)
    }

    fn visits_per_second(self) -> f64 {
        self.per_second(self.visits_per_user)
    }

    fn chats_per_second(self) -> f64 {
        self.per_second(self.chats_per_user)
    }

    /// Devices connected at a time: arrivals times the length of a visit (Little's law).
    fn connected(self) -> f64 {
        self.visits_per_second() * self.minutes_per_visit * 60.0
    }

    fn derived(self) -> Value {
        json!({
            "messages_per_second": self.messages_per_second(),
            "messages_per_second_in_busiest_minutes":
                self.messages_per_second() * self.busiest_minutes,
            "visits_per_second": self.visits_per_second(),
            "chats_per_second": self.chats_per_second(),
            "devices_connected": self.connected(),
        })
    }
}

/// The part of the messages that sealed devices write, where there are any.
const SEALED_SHARE: f64 = 0.2;

pub(super) async fn play(stage: &mut Stage) -> Result<Map<String, Value>> {
    let model = MODEL;
    // Half of those who are enrolled at most, so that there is somebody to come.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
    let connected = (model.connected().round() as usize).min(stage.opaque.len() / 2).max(1);
    let mut town = Town::new(stage, connected);
    stage.begin(&format!("{connected} devices come before the peak"))?;
    let first: Vec<Device> = town.present.iter().cloned().collect();
    stage.connect(&first).await?;
    stage.connect(&town.sealed).await?;
    stage.end("connect", fields(json!({ "devices": connected + town.sealed.len() })))?;

    let rate = stage.plan.rate.unwrap_or_else(|| model.messages_per_second());
    let third = stage.plan.window / 3;
    let stretch = |rate| Stretch { rate, length: third };
    for (name, factor) in
        [("peak hour", 1.0), ("busiest minutes", model.busiest_minutes), ("after", 1.0)]
    {
        let mut dice = Dice::new(stage.dice.roll());
        let messages = schedule(&mut dice, &[stretch(rate * factor)]);
        let visits = schedule(&mut dice, &[stretch(model.visits_per_second() * factor)]);
        let chats = schedule(&mut dice, &[stretch(model.chats_per_second() * factor)]);
        stage.begin(&format!(
            "{name}: {:.0} messages/s for {:.1} s",
            rate * factor,
            third.as_secs_f64()
        ))?;
        town.live(messages, visits, chats, &mut dice).await?;
        stage.end(name, fields(json!({ "rate": rate * factor })))?;
    }
    Ok(fields(json!({ "model": model, "derived": model.derived() })))
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

#[cfg(test)]
mod tests {
    use super::MODEL;

    #[test]
    fn the_model_adds_up_to_a_day() {
        // Evenly spread, 10,000 users with 60 messages write 6.9 a second.
        let evenly = MODEL.users_per_day * MODEL.messages_per_user / 86_400.0;
        assert!((evenly - 6.94).abs() < 0.01);
        assert!((MODEL.messages_per_second() - 25.0).abs() < 1e-9);
        assert!((MODEL.visits_per_second() - 6.25).abs() < 1e-9);
        assert!((MODEL.connected() - 1_875.0).abs() < 1e-9);
    }
}
