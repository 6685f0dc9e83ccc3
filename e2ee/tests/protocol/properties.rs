//! Random conversations of two devices.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::pq_ledger::Ledger;
use crate::world::{DAY, Device, commitment, rng};
use plasma_e2ee::{
    DecryptError, Disclosure, LinkingApprover, RecoveryKey, RetryRequest, SessionRecord,
};
use proptest::prelude::*;

static ALICE: LazyLock<Device> = LazyLock::new(|| Device::founder(1, 2));
static BOB: LazyLock<Device> = LazyLock::new(|| Device::founder(2, 2));

#[derive(Clone, Debug)]
pub enum Step {
    Send { length: usize },
    Burst { count: usize },
    Wait { days: u64 },
    Archive,
    Deliver { index: usize },
    Repeat { index: usize },
    Drop { index: usize },
    Reload,
    Snapshot,
    Restore,
}

/// Below the 2,000 keys that a session stores.
const MOST_SENT: usize = 1_800;
/// Within the time that prekeys last, together with the longest wait.
const MOST_WAITED: u64 = 30;
/// Below the ten sessions that a record archives, crossing ones counted.
const MOST_ARCHIVED: usize = 3;

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        5 => (0..300_usize).prop_map(|length| Step::Send { length }),
        5 => any::<usize>().prop_map(|index| Step::Deliver { index }),
        1 => any::<usize>().prop_map(|index| Step::Repeat { index }),
        1 => any::<usize>().prop_map(|index| Step::Drop { index }),
        1 => Just(Step::Reload),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restore),
    ];
    (0..2_usize, step)
}

pub struct UnderWay {
    envelope: Vec<u8>,
    content: Vec<u8>,
    turn: usize,
}

/// Two devices, and what the service holds for each.
pub struct Conversation {
    pub devices: [Device; 2],
    pub under_way: [Vec<UnderWay>; 2],
    /// What is seen of the post-quantum steps.
    pub ledger: Ledger,
    delivered: [Vec<Vec<u8>>; 2],
    snapshots: [Option<Vec<u8>>; 2],
    commitments: HashSet<[u8; 32]>,
    last_sender: usize,
    turns: usize,
    restored: bool,
    sent: usize,
    waited: u64,
    archived: usize,
}

impl Conversation {
    pub fn new(seed: u64) -> Self {
        let mut devices = [ALICE.clone(), BOB.clone()];
        for device in &mut devices {
            device.seed += seed << 8;
        }
        Self {
            devices,
            under_way: [Vec::new(), Vec::new()],
            ledger: Ledger::default(),
            delivered: [Vec::new(), Vec::new()],
            snapshots: [None, None],
            commitments: HashSet::new(),
            last_sender: 0,
            turns: 0,
            restored: false,
            sent: 0,
            waited: 0,
            archived: 0,
        }
    }

    fn pair(&mut self, first: usize) -> (&mut Device, &mut Device) {
        let [alice, bob] = &mut self.devices;
        if first == 0 { (alice, bob) } else { (bob, alice) }
    }

    pub fn send(&mut self, side: usize, content: Vec<u8>) {
        let (sender, receiver) = self.pair(side);
        let envelope = sender.send(receiver, &content);
        assert!(self.commitments.insert(commitment(&envelope)), "a (key, nonce) was repeated");
        self.sent += 1;
        if !self.restored {
            self.ledger.sent(side, &envelope);
        }
        if side != self.last_sender {
            self.turns += 1;
            self.last_sender = side;
        }
        self.under_way[1 - side].push(UnderWay { envelope, content, turn: self.turns });
    }

    pub fn deliver(&mut self, side: usize, index: usize) {
        if self.under_way[side].is_empty() {
            return;
        }
        let index = index % self.under_way[side].len();
        let UnderWay { envelope, content, turn } = self.under_way[side].remove(index);
        // A chain is kept for four turns of the peer after its own.
        let fresh = self.turns - turn < 8;
        let (receiver, sender) = self.pair(side);
        match receiver.receive(sender, &envelope) {
            Ok(opened) => assert_eq!(opened, content),
            Err(error) => assert!(self.restored || !fresh, "{error}"),
        }
        self.delivered[side].push(envelope);
    }

    pub fn step(&mut self, side: usize, step: &Step) {
        let peer = self.devices[1 - side].address();
        match *step {
            Step::Send { length } => self.send(side, vec![0xa5; length]),
            Step::Burst { count } if self.sent < MOST_SENT => {
                (0..count).for_each(|_| self.send(side, vec![0xa5; 1]));
            }
            Step::Wait { days } if self.waited < MOST_WAITED => {
                self.waited += days;
                self.devices[side].now += days * DAY;
            }
            Step::Archive if self.archived < MOST_ARCHIVED => {
                if let Some(record) = self.devices[side].records.get_mut(&peer) {
                    self.archived += 1;
                    record.archive_active();
                }
            }
            Step::Burst { .. } | Step::Wait { .. } | Step::Archive => {}
            Step::Deliver { index } => self.deliver(side, index),
            Step::Repeat { index } => {
                let Some(count) = self.delivered[side].len().checked_sub(1) else { return };
                let envelope = self.delivered[side][index % (count + 1)].clone();
                let restored = self.restored;
                let (receiver, sender) = self.pair(side);
                let result = receiver.receive(sender, &envelope);
                assert!(restored || result.is_err(), "a message was opened twice");
            }
            Step::Drop { index } => {
                if !self.under_way[side].is_empty() {
                    let index = index % self.under_way[side].len();
                    self.under_way[side].remove(index);
                }
            }
            Step::Reload => self.devices[side].reload(peer),
            Step::Snapshot => {
                let record = self.devices[side].records.get(&peer);
                self.snapshots[side] = record.map(|record| record.to_bytes().to_vec());
            }
            Step::Restore => {
                if let Some(bytes) = &self.snapshots[side] {
                    let record = SessionRecord::from_bytes(bytes).unwrap();
                    self.devices[side].records.insert(peer, record);
                    self.restored = true;
                }
            }
        }
    }

    /// Delivers all that is under way, then lets both sides answer each other.
    pub fn settle(&mut self) {
        for side in 0..2 {
            while !self.under_way[side].is_empty() {
                self.deliver(side, 0);
            }
        }
        self.exchange();
        self.exchange();
    }

    /// From here on every message counts again, whatever was restored before.
    pub fn heal(&mut self) {
        self.restored = false;
        self.ledger = Ledger::default();
        (0..3).for_each(|_| self.exchange());
    }

    pub fn exchange(&mut self) {
        for side in 0..2 {
            self.send(side, b"exchange".to_vec());
            let last = self.under_way[1 - side].len() - 1;
            self.deliver(1 - side, last);
        }
    }
}

/// Whether a step leaves the devices' own states in order.
pub fn is_honest(step: &Step) -> bool {
    !matches!(step, Step::Snapshot | Step::Restore)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_message_is_opened_once_and_both_sides_converge(
        seed in 0..1_u64 << 20,
        steps in prop::collection::vec(step(), 0..90),
    ) {
        let mut conversation = Conversation::new(seed);
        for (side, step) in steps {
            if is_honest(&step) {
                conversation.step(side, &step);
            }
        }
        conversation.settle();
        let [alice, bob] = &conversation.devices;
        let (a, b) = (alice.record(bob.address()), bob.record(alice.address()));
        prop_assert_eq!(a.active_session(), b.active_session());
        prop_assert!(a.is_confirmed() && b.is_confirmed());
    }

    #[test]
    fn a_restored_device_repeats_no_key_and_new_sessions_heal_it(
        seed in 0..1_u64 << 20,
        steps in prop::collection::vec(step(), 0..90),
    ) {
        let mut conversation = Conversation::new(seed);
        for (side, step) in steps {
            conversation.step(side, &step);
        }
        conversation.under_way = [Vec::new(), Vec::new()];
        for device in &mut conversation.devices {
            device.records.values_mut().for_each(SessionRecord::archive_active);
        }
        conversation.heal();
        let [alice, bob] = &conversation.devices;
        let (a, b) = (alice.record(bob.address()), bob.record(alice.address()));
        prop_assert_eq!(a.active_session(), b.active_session());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        kind in 0x0f_u8..0x15,
    ) {
        let prefix = [kind, 1, 1, 0];
        let length = prefix.len().min(bytes.len());
        bytes[..length].copy_from_slice(&prefix[..length]);
        let result = BOB.clone().receive(&ALICE, &bytes);
        let malformed = matches!(result, Err(DecryptError::MalformedEnvelope(_)));
        prop_assert!(malformed, "{:?}", result);
        prop_assert!(SessionRecord::from_bytes(&bytes).is_err());
        prop_assert!(RetryRequest::from_bytes(&bytes).is_err());
        prop_assert!(Disclosure::from_bytes(&bytes).is_err());
    }

    #[test]
    fn arbitrary_text_is_no_code_and_no_key(text in "\\PC{0,200}") {
        let (user, account) = (ALICE.account.user_address(), ALICE.account.fingerprint());
        for text in [&text, &format!("plasma-link:1:{text}")] {
            let scanned = LinkingApprover::scan(text, user, account, &mut rng(1));
            prop_assert!(scanned.is_err());
        }
        let coded = format!("plasma-recovery:1:{text}");
        prop_assert!(RecoveryKey::from_words(&text).is_err());
        prop_assert!(RecoveryKey::from_qr_text(&coded).is_err());
    }
}
