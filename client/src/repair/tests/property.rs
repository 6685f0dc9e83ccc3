//! Whatever the service does, and whichever backup is put back, all devices find together.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use proptest::prelude::*;
use tokio::runtime::Builder;

use super::town::{ANN, BOB, Town};
use crate::event::Event;
use crate::id::{ChatId, MessageId};
use crate::message::MessageRef;
use crate::testing::CHAT;

#[derive(Debug, Clone)]
enum Step {
    Send { from: usize },
    Receive { to: usize, place: usize },
    Controls { from: usize },
    Repeat { to: usize, place: usize },
    Drop { to: usize, place: usize },
    Relabel { to: usize, place: usize },
    Snapshot,
    Restore,
}

const DEVICES: usize = 4;
/// The device that is put back from a copy.
const RESTORED: usize = 1;

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    let any = 0_usize..8;
    prop_oneof![
        6 => device.clone().prop_map(|from| Step::Send { from }),
        10 => (device.clone(), any.clone()).prop_map(|(to, place)| Step::Receive { to, place }),
        4 => device.clone().prop_map(|from| Step::Controls { from }),
        2 => (device.clone(), any.clone()).prop_map(|(to, place)| Step::Repeat { to, place }),
        2 => (device.clone(), any.clone()).prop_map(|(to, place)| Step::Drop { to, place }),
        1 => (device, any).prop_map(|(to, place)| Step::Relabel { to, place }),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restore),
    ]
}

struct Run {
    town: Town,
    snapshot: Option<(PathBuf, HashSet<MessageRef>)>,
    /// What each device has announced.
    announced: Vec<BTreeMap<MessageRef, u32>>,
    sent: u32,
    /// Whether the service has lost something that it had accepted for the device.
    lossy: Vec<bool>,
}

impl Run {
    async fn step(&mut self, step: &Step) {
        let queue = |town: &Town, to: usize, place: usize| {
            let length = town.queues[to].len();
            (length > 0).then(|| place % length)
        };
        match step {
            Step::Send { from } => {
                self.sent += 1;
                self.town.send(*from, &format!("{} from {from}", self.sent)).await;
            }
            Step::Receive { to, place } => {
                if let Some(place) = queue(&self.town, *to, *place) {
                    let envelope = self.town.queues[*to].remove(place);
                    self.town.queues[*to].insert(0, envelope);
                    self.receive(*to).await;
                }
            }
            Step::Controls { from } => drop(self.town.deliver_controls(*from).await),
            Step::Repeat { to, place } => {
                if let Some(place) = queue(&self.town, *to, *place) {
                    let envelope = self.town.queues[*to][place].clone();
                    self.town.queues[*to].push(envelope);
                }
            }
            Step::Drop { to, place } => {
                if let Some(place) = queue(&self.town, *to, *place) {
                    self.town.queues[*to].remove(place);
                    self.lossy[*to] = true;
                }
            }
            Step::Relabel { to, place } => {
                if let Some(place) = queue(&self.town, *to, *place) {
                    let mut copy = self.town.queues[*to][place].clone();
                    copy.message_id = MessageId(uuid::Uuid::from_u128(99)).to_string();
                    copy.chat_id = ChatId(uuid::Uuid::from_u128(98)).to_string();
                    copy.envelope_id.push('2');
                    self.town.queues[*to].push(copy);
                }
            }
            Step::Snapshot => {
                let path = self.town.snapshot(RESTORED);
                let known = self.announced[RESTORED].keys().copied().collect();
                self.snapshot = Some((path, known));
            }
            Step::Restore => {
                if let Some((path, known)) = &self.snapshot {
                    self.town.restore(RESTORED, path);
                    self.announced[RESTORED].retain(|message, _| known.contains(message));
                }
            }
        }
    }

    async fn receive(&mut self, to: usize) {
        for event in self.town.receive_one(to).await.unwrap_or_default() {
            if let Event::Message(message) = event {
                let key = MessageRef { sender: message.sender, id: message.id };
                *self.announced[to].entry(key).or_default() += 1;
            }
        }
    }

    async fn settle(&mut self) {
        loop {
            let mut moved = false;
            for index in 0..DEVICES {
                while !self.town.queues[index].is_empty() {
                    self.receive(index).await;
                    moved = true;
                }
                moved |= self.town.deliver_controls(index).await > 0;
            }
            if !moved {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_devices_find_together_and_show_each_message_once(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run {
                town: Town::of(&[(ANN, 2), (BOB, 2)], 30),
                snapshot: None,
                announced: vec![BTreeMap::new(); DEVICES],
                sent: 0,
                lossy: vec![false; DEVICES],
            };
            for step in &steps {
                run.step(step).await;
            }
            // The service delivers what it has; hours pass, as long as something is under way.
            for _ in 0..8 {
                run.settle().await;
                run.town.move_clocks(3_601);
            }
            // Everybody reaches everybody, without a single further repair.
            for round in 0..2 {
                for from in 0..DEVICES {
                    run.town.send(from, &format!("last {round} from {from}")).await;
                    for _ in 0..4 {
                        run.settle().await;
                        run.town.move_clocks(3_601);
                    }
                }
            }
            let controls = run.town.controls;
            for from in 0..DEVICES {
                run.town.send(from, &format!("end from {from}")).await;
                run.settle().await;
            }
            prop_assert_eq!(run.town.controls, controls, "everything is repaired");
            for index in 0..DEVICES {
                let shown = run.town.shown(index);
                for from in 0..DEVICES {
                    for text in [format!("last 0 from {from}"), format!("end from {from}")] {
                        let times = shown.iter().filter(|shown| **shown == text).count();
                        prop_assert_eq!(times, usize::from(from != index), "{}: {}", index, text);
                    }
                }
                prop_assert!(run.announced[index].values().all(|times| *times == 1));
                let ids: HashSet<_> =
                    run.town.devices[index].history(CHAT).unwrap().into_iter().map(|m| (m.sender, m.id)).collect();
                prop_assert_eq!(ids.len(), shown.len());
            }
            // Between devices that were never put back, over a service that lost nothing, all of it
            // is there.
            let whole = |index: &usize| *index != RESTORED && !run.lossy[*index];
            for index in (0..DEVICES).filter(whole) {
                let shown = run.town.shown(index);
                for other in (0..DEVICES).filter(whole).filter(|other| *other != index) {
                    let count = |shown: &[String]| {
                        shown.iter().filter(|text| text.ends_with(&format!("from {other}"))).count()
                    };
                    let sent = steps
                        .iter()
                        .filter(|step| matches!(step, Step::Send { from } if *from == other))
                        .count();
                    prop_assert_eq!(count(&shown), sent + 3, "{} misses some of {}", index, other);
                }
            }
            Ok(())
        })?;
    }
}
