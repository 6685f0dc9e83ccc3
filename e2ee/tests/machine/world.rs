//! Everybody in one place, and what one step does to them.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use plasma_e2ee::{LocalDevice, RemoteDevice, RootKey, encrypt};

use crate::content::{ChatNo, Content, DeviceNo, UserNo};
use crate::device::{Device, Net, Snapshot, device_id};
use crate::history::{DEVICES_MAX, History, Kind, Step};
use crate::oracle::Oracle;
use crate::service::Service;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

pub struct World {
    pub net: Net,
    pub devices: Vec<Device>,
    /// Each person's root key, in the recovery kit.
    pub roots: Vec<RootKey>,
    pub snapshots: BTreeMap<DeviceNo, Snapshot>,
    pub revoked: Vec<DeviceNo>,
}

fn pick<T: Copy>(list: &[T], pick: usize) -> Option<T> {
    (!list.is_empty()).then(|| list[pick % list.len()])
}

impl World {
    pub fn begin(history: &History, told: bool) -> Self {
        let net = Net {
            service: Service::default(),
            oracle: Oracle::default(),
            chats: history.chats.clone(),
            rng: ChaCha20Rng::seed_from_u64(!history.seed),
            now: NOW,
            disturbed: [].into(),
            told,
        };
        let mut world = Self {
            net,
            devices: Vec::new(),
            roots: Vec::new(),
            snapshots: BTreeMap::new(),
            revoked: Vec::new(),
        };
        for (user, devices) in history.people.iter().enumerate() {
            world.found(user);
            let founder = world.devices.len() - 1;
            for further in 1..*devices {
                world.link(user, founder, further % 2 == 0);
            }
        }
        world
    }

    /// Lists every device in use.
    pub fn active(&self) -> Vec<DeviceNo> {
        (0..self.roots.len()).flat_map(|user| self.net.service.devices(user)).collect()
    }

    /// Lists the chats of a person.
    pub fn chats_of(&self, user: UserNo) -> Vec<ChatNo> {
        (0..self.net.chats.len()).filter(|chat| self.net.chats[*chat].contains(&user)).collect()
    }

    /// Does one step. What has nobody to happen to does not happen.
    pub fn step(&mut self, step: &Step) {
        self.net.rng = ChaCha20Rng::seed_from_u64(step.seed);
        self.net.now += 1;
        let [first, second, third] = step.picks;
        let active = self.active();
        let device = active[first % active.len()];
        self.net.tell(|| format!("{:?} for device {device} of {active:?}", step.kind));
        match step.kind {
            Kind::Send | Kind::SendUnanswered => {
                let chats = self.chats_of(self.devices[device].user);
                let lost = step.kind == Kind::SendUnanswered;
                if let Some(chat) = pick(&chats, second) {
                    self.send(device, chat, lost);
                }
            }
            // Half of them in order.
            Kind::Deliver => self.deliver(device, second * (third % 2), true),
            Kind::DeliverUnacknowledged => self.deliver(device, second * (third % 2), false),
            Kind::DeliverAll => self.drain(device),
            Kind::Drop | Kind::Lose | Kind::Duplicate | Kind::Relabel => {
                self.meddle(step.kind, device, second, third);
            }
            Kind::Snapshot => {
                self.snapshots.insert(device, self.devices[device].snapshot());
            }
            Kind::Restore => self.restore(first),
            Kind::Archive => {
                let records: Vec<_> = self.devices[device].records.keys().copied().collect();
                if let Some(remote) = pick(&records, second) {
                    self.net.disturbed.insert(device);
                    self.devices[device].records.get_mut(&remote).unwrap().archive_active();
                }
            }
            Kind::TopUp => self.devices[device].publish_prekeys(&mut self.net, false, false),
            Kind::Rotate => self.devices[device].publish_prekeys(&mut self.net, true, false),
            Kind::Wait => {
                let days = u64::try_from(1 + second % 9).unwrap();
                self.net.now = (self.net.now + days * DAY).min(NOW + 27 * DAY);
            }
            kind => self.change_devices(kind, device, second, third),
        }
    }

    fn change_devices(&mut self, kind: Kind, device: DeviceNo, second: usize, third: usize) {
        let user = self.devices[device].user;
        let (devices, approvers) = (self.net.service.devices(user), self.approvers(user));
        let approver = approvers[second % approvers.len()];
        let may_approve = third.is_multiple_of(2);
        match kind {
            Kind::Link if devices.len() < DEVICES_MAX => self.link(user, approver, may_approve),
            Kind::Revoke if approver != device => {
                self.revoke(approver, device);
            }
            Kind::Renew => self.renew(approver),
            Kind::Reinstall => self.reinstall(device, may_approve),
            Kind::Recover => {
                let kept = third % devices.len();
                self.recover(user, &devices[..kept.min(DEVICES_MAX - 1)]);
            }
            Kind::Intrude => self.intrude(second),
            _ => {}
        }
    }

    pub fn send(&mut self, device: DeviceNo, chat: ChatNo, answer_lost: bool) {
        let device = &mut self.devices[device];
        device.write_down(&mut self.net, chat);
        device.flush(&mut self.net, answer_lost);
    }

    fn deliver(&mut self, device: DeviceNo, index: usize, acknowledge: bool) {
        let queue = self.net.service.queue(device).unwrap();
        if queue.is_empty() {
            return;
        }
        let index = index % queue.len();
        let item = queue[index].clone();
        if index > 0 {
            self.net.disturbed.extend([device, item.sender]);
        }
        if acknowledge {
            queue.remove(index);
        }
        self.devices[device].take(&mut self.net, &item);
    }

    /// Takes all that waits for a device, in order.
    pub fn drain(&mut self, device: DeviceNo) {
        while let Some(item) = self.net.service.queue(device).unwrap().pop_front() {
            self.devices[device].take(&mut self.net, &item);
        }
    }

    fn meddle(&mut self, kind: Kind, device: DeviceNo, index: usize, copies: usize) {
        let queue = self.net.service.queue(device).unwrap();
        if queue.is_empty() {
            return;
        }
        let index = index % queue.len();
        match kind {
            Kind::Duplicate => {
                let item = queue[index].clone();
                queue.extend(std::iter::repeat_n(item, 1 + copies % 5));
            }
            Kind::Relabel => {
                let shown = &self.devices[device].tables.shown;
                let of_sender = shown.keys().filter(|(sender, _)| *sender == queue[index].sender);
                let labels: Vec<_> = of_sender.map(|(_, message)| *message).collect();
                if let Some(message) = pick(&labels, copies) {
                    queue[index].message = message;
                }
            }
            Kind::Drop => {
                let item = queue.remove(index).unwrap();
                self.net.disturbed.extend([device, item.sender]);
                queue.push_back(item);
            }
            _ => {
                let item = queue.remove(index).unwrap();
                self.net.disturbed.extend([device, item.sender]);
                self.net.oracle.lost(&item);
            }
        }
    }

    fn restore(&mut self, first: usize) {
        let numbers: Vec<_> = self.snapshots.keys().copied().collect();
        let Some(number) = pick(&numbers, first) else { return };
        let (device, copy) = (&mut self.devices[number], &self.snapshots[&number]);
        self.net.tell(|| format!("device {number} goes back to its copy"));
        self.net.disturbed.insert(number);
        self.net.oracle.restored(number, &device.tables, &copy.tables);
        device.restore(copy, &mut self.net);
    }

    /// A revoked device forks its account to stay in it, seals on the sessions that it has, and
    /// finds a way around the service; then it tries the service.
    fn intrude(&mut self, first: usize) {
        let Some(number) = pick(&self.revoked, first) else { return };
        let (net, intruder) = (&mut self.net, &mut self.devices[number]);
        let mut account = intruder.own().clone();
        if let Ok(fork) = intruder.keys.renew(&account, net.now) {
            account.advance(&[fork], &[], net.now).unwrap();
        }
        let chat = (0..net.chats.len()).find(|chat| net.chats[*chat].contains(&intruder.user));
        let (Some(chat), Ok(local)) = (chat, LocalDevice::new(&intruder.keys, &account)) else {
            return;
        };
        if account.epoch() == intruder.own().epoch() {
            return;
        }
        let content = Content { chat, id: net.rng.next_u64(), lamport: 1 << 40, text: Vec::new() };
        for (device, record) in &mut intruder.records {
            let users = intruder.accounts.values();
            let mut remotes = users.filter_map(|it| RemoteDevice::new(it, device_id(*device)).ok());
            let Some(remote) = remotes.next() else { continue };
            let bytes = content.to_bytes();
            if let Ok(envelope) = encrypt(record, &local, &remote, &bytes, &mut net.rng, net.now) {
                net.service.send_control(number, *device, envelope, None);
            }
        }
        intruder.write_down(net, chat);
        intruder.flush(net, false);
    }
}
