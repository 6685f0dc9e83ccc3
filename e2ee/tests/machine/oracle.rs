//! What must be true: who is owed which message, and what may be on whose screen.
//!
//! - A message is **owed** to the devices for which the service accepted it, until it is shown
//!   there or the device is revoked.
//! - A device that goes back to a copy has the screen of that copy again. What it had acknowledged
//!   since is not owed to it again; what still waited for it is.
//! - A message is not owed any more when the service lost it, when it would have to be sent again
//!   and its sender is revoked, when its sender went back to a copy without it in the log, or when
//!   the pair went back twice and the three times that it is sent again are used up.
//! - Whether owed or not, a message is shown only on devices for which it was accepted, at most
//!   once, unchanged, and never on or from a revoked device.

use std::collections::{BTreeMap, BTreeSet};

use plasma_e2ee::DecryptError;

use crate::content::{ChatNo, Content, DeviceNo, MessageKey};
use crate::device::Tables;
use crate::service::Item;

const RESENDS_MAX: u32 = 3;

/// What happened, in numbers.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub histories: u64,
    pub steps: u64,
    pub exchanges: u64,
    pub exchanges_max: u64,
    pub devices_max: usize,
    pub messages: u64,
    pub shown: u64,
    pub initiations: u64,
    pub mismatches: u64,
    pub requests: u64,
    pub resent: u64,
    pub given_up: u64,
    pub exhausted: u64,
    pub reasons: BTreeMap<&'static str, u64>,
}

struct Sent {
    content: Content,
    entitled: BTreeSet<DeviceNo>,
}

#[derive(Default)]
pub struct Oracle {
    messages: BTreeMap<MessageKey, Sent>,
    screens: BTreeMap<DeviceNo, BTreeSet<MessageKey>>,
    owed: BTreeSet<(MessageKey, DeviceNo)>,
    resent: BTreeMap<(MessageKey, DeviceNo), u32>,
    revoked: BTreeSet<DeviceNo>,
    restored: BTreeMap<DeviceNo, u32>,
    exhausted: BTreeSet<(MessageKey, DeviceNo)>,
    pub counts: Counts,
}

impl Oracle {
    /// A device wrote a message, after all that it has seen of the chat.
    pub fn wrote(&mut self, device: DeviceNo, content: &Content) {
        let seen = self.latest(device, content.chat);
        assert!(content.lamport > seen, "device {device} writes before what it has seen");
        let key = (device, content.id);
        self.screens.entry(device).or_default().insert(key);
        self.messages.insert(key, Sent { content: content.clone(), entitled: [].into() });
        self.counts.messages += 1;
    }

    fn latest(&self, device: DeviceNo, chat: ChatNo) -> u64 {
        let seen = self.screens.get(&device).into_iter().flatten();
        let contents = seen.map(|key| &self.messages[key].content);
        contents.filter(|it| it.chat == chat).map(|it| it.lamport).max().unwrap_or(0)
    }

    /// The service accepted a message for these devices, and stored an envelope or has one still.
    pub fn accepted(&mut self, key: MessageKey, devices: &[(DeviceNo, bool)]) {
        assert!(!self.revoked.contains(&key.0), "taken from revoked device {}", key.0);
        let sent = self.messages.get_mut(&key).unwrap();
        for &(device, stored) in devices {
            assert!(!self.revoked.contains(&device), "taken for revoked device {device}");
            sent.entitled.insert(device);
            if stored && !self.screens.entry(device).or_default().contains(&key) {
                self.owed.insert((key, device));
            }
        }
    }

    /// The service refused a device's message.
    pub fn refused(&self, device: DeviceNo) {
        assert!(self.revoked.contains(&device), "device {device} was refused");
    }

    /// A message appeared on a screen.
    pub fn showed(&mut self, device: DeviceNo, key: MessageKey, content: &Content) {
        assert!(!self.revoked.contains(&device), "shown on revoked device {device}");
        let sent = self.messages.get(&key).expect("shown, but nobody wrote it");
        let entitled = sent.entitled.contains(&device);
        assert!(entitled, "message of {} shown on device {device}, not accepted for it", key.0);
        assert_eq!(sent.content, *content, "shown, but changed");
        let new = self.screens.entry(device).or_default().insert(key);
        assert!(new, "message of {} shown twice on device {device}", key.0);
        self.owed.remove(&(key, device));
        self.counts.shown += 1;
    }

    /// A device left its account, and these items waited for it.
    pub fn revoked(&mut self, device: DeviceNo, purged: &[Item]) {
        self.revoked.insert(device);
        self.owed.retain(|(_, to)| *to != device);
        for item in purged {
            self.lost(item);
        }
    }

    /// The service lost an item.
    pub fn lost(&mut self, item: &Item) {
        self.owed.retain(|debt| Some(*debt) != item.about);
    }

    /// The sender of a message that must be sent again is revoked.
    pub fn gave_up(&mut self, about: Option<(MessageKey, DeviceNo)>) {
        if let Some(debt) = about {
            self.counts.given_up += u64::from(self.owed.remove(&debt));
        }
    }

    /// A sender has sent a message again as often as it may.
    pub fn exhausted(&mut self, key: MessageKey, device: DeviceNo) {
        self.exhausted.insert((key, device));
    }

    /// A sender sent a message again.
    pub fn resent(&mut self, key: MessageKey, device: DeviceNo) {
        let times = self.resent.entry((key, device)).or_default();
        *times += 1;
        assert!(*times <= RESENDS_MAX, "sent again to device {device} without limit");
        let entitled = &self.messages[&key].entitled;
        assert!(entitled.contains(&device), "sent again to device {device}, not entitled to it");
        self.counts.resent += 1;
    }

    /// A device asks for a message once more. Between devices of which none ever went back to a copy
    /// nothing needs repair.
    pub fn requested(&mut self, device: DeviceNo, sender: DeviceNo, error: DecryptError) {
        let went_back = [device, sender].iter().any(|it| self.restored.contains_key(it));
        assert!(went_back, "device {device} cannot open what {sender} sent: {error}");
        self.counts.requests += 1;
    }

    /// A device cannot open an item, and asking for it again is no help.
    pub fn unreadable(&mut self, item: &Item, error: DecryptError) {
        if let Some((key, device)) = item.about
            && self.owed.contains(&(key, device))
        {
            panic!("device {device} cannot open a message of {}: {error}", key.0);
        }
    }

    /// A device went back to a copy of itself.
    pub fn restored(&mut self, device: DeviceNo, before: &Tables, copy: &Tables) {
        *self.restored.entry(device).or_default() += 1;
        self.screens.insert(device, copy.shown.keys().copied().collect());
        // Its log can answer for an envelope only if the copy knows it.
        let envelopes = |tables: &Tables, id: u64, to: DeviceNo| {
            let logged = tables.log.get(&id);
            let to_device = logged.into_iter().flat_map(|it| &it.envelopes);
            to_device.filter(|(_, it)| **it == to).map(|(hash, _)| *hash).collect::<Vec<_>>()
        };
        self.owed.retain(|((sender, id), to)| {
            *sender != device || envelopes(before, *id, *to) == envelopes(copy, *id, *to)
        });
        self.resent.retain(|((sender, _), _), _| *sender != device);
    }

    /// What is owed still.
    ///
    /// Three times are enough for a device that goes back once: the first may come on a session
    /// that it lost as well, a later one comes on a new session.
    pub fn debts(&self) -> Vec<(MessageKey, DeviceNo)> {
        let restored = |device: &DeviceNo| self.restored.get(device).copied().unwrap_or(0);
        let excused = |debt: &(MessageKey, DeviceNo)| {
            let ((sender, _), device) = debt;
            self.exhausted.contains(debt) && restored(sender) + restored(device) > 1
        };
        self.owed.iter().filter(|debt| !excused(debt)).copied().collect()
    }

    /// Counts what was not shown because it had been sent again too often.
    pub fn excused(&self) -> usize {
        self.owed.len() - self.debts().len()
    }

    /// A device shows what is on its screen, in the order of the counters.
    pub fn check_screen(&self, device: DeviceNo, tables: &Tables) {
        let screen: BTreeSet<_> = tables.shown.keys().copied().collect();
        assert_eq!(self.screens.get(&device).cloned().unwrap_or_default(), screen);
        for (key, content) in &tables.shown {
            assert_eq!(self.messages[key].content, *content, "the screen was changed");
        }
    }
}
