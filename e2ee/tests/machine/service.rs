//! An honest service in memory. What is lost, repeated or overtaken on the way is the history's
//! doing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use plasma_e2ee::PrekeyBundle;
use plasma_identity::{
    DeviceCertificate, Manifest, ManifestHash, PrekeyRole, RootPublicKey, SignedPrekey,
    verify_first, verify_successor,
};

use crate::content::{DeviceNo, MessageKey, UserNo};
use crate::device::{number_of, user_address};

/// One envelope or retry request that waits for a device.
#[derive(Clone)]
pub struct Item {
    pub sender: DeviceNo,
    /// The label outside the encryption.
    pub message: u64,
    pub bytes: Rc<[u8]>,
    /// Whose sight of which message depends on it; the oracle's note.
    pub about: Option<(MessageKey, DeviceNo)>,
    control: bool,
}

/// An account as the service keeps it.
pub struct Account {
    pub root: RootPublicKey,
    pub manifests: Vec<Manifest>,
    pub certificates: Vec<DeviceCertificate>,
    devices: Vec<DeviceCertificate>,
}

#[derive(Default)]
struct Shelf {
    signed: Option<SignedPrekey>,
    last_resort: Option<SignedPrekey>,
    one_time_ec: VecDeque<SignedPrekey>,
    one_time_kem: VecDeque<SignedPrekey>,
}

/// One message, sealed for each device.
pub type Envelopes = Vec<(DeviceNo, Rc<[u8]>)>;

/// What became of a message.
pub enum Outcome {
    /// For these devices; whether the envelope was stored or one of the message was there still.
    Accepted(Vec<(DeviceNo, bool)>),
    /// Nothing was taken: the device sets are others now.
    Mismatch,
    /// The sender is not a device any more.
    Refused,
}

/// Another manifest was faster.
#[derive(Debug)]
pub struct Conflict;

#[derive(Default)]
pub struct Service {
    accounts: BTreeMap<UserNo, Account>,
    queues: BTreeMap<DeviceNo, VecDeque<Item>>,
    shelves: BTreeMap<DeviceNo, Shelf>,
}

impl Account {
    fn head(&self) -> &Manifest {
        self.manifests.last().unwrap()
    }

    fn numbers(&self) -> impl Iterator<Item = DeviceNo> {
        self.devices.iter().map(|device| number_of(device.address().device))
    }
}

impl Service {
    pub fn found(
        &mut self,
        user: UserNo,
        root: RootPublicKey,
        first: Manifest,
        certificate: &DeviceCertificate,
        now: u64,
    ) {
        let offered = [*certificate];
        let devices = verify_first(user_address(user), &root, &first, &offered, now).unwrap();
        self.open_queues(&devices);
        let certificates = offered.to_vec();
        self.accounts.insert(user, Account { root, manifests: vec![first], certificates, devices });
    }

    /// Takes the next manifest by compare-and-set, and returns the devices that it removes with
    /// what waited for them.
    pub fn publish(
        &mut self,
        user: UserNo,
        next: Manifest,
        offered: &[DeviceCertificate],
        now: u64,
    ) -> Result<Vec<(DeviceNo, Vec<Item>)>, Conflict> {
        let account = self.accounts.get_mut(&user).unwrap();
        let current = account.head();
        if next.statement().previous != current.hash() {
            return Err(Conflict);
        }
        let listed: BTreeSet<_> = account.numbers().collect();
        let former: Vec<_> = account
            .certificates
            .iter()
            .filter(|known| account.devices.iter().all(|device| device.hash() != known.hash()))
            .copied()
            .collect();
        let devices = verify_successor(
            &account.root,
            current,
            &account.devices,
            &former,
            &next,
            offered,
            now,
        )
        .expect("the service refuses an honest manifest");
        account.manifests.push(next);
        account.devices = devices;
        for new in offered {
            if account.certificates.iter().all(|known| known.hash() != new.hash()) {
                account.certificates.push(*new);
            }
        }
        let kept: BTreeSet<_> = account.numbers().collect();
        let devices = account.devices.clone();
        self.open_queues(&devices);
        let mut removed = Vec::new();
        for &device in listed.difference(&kept) {
            self.shelves.remove(&device);
            let purged = self.queues.remove(&device).into_iter().flatten().collect();
            removed.push((device, purged));
        }
        Ok(removed)
    }

    fn open_queues(&mut self, devices: &[DeviceCertificate]) {
        for device in devices {
            self.queues.entry(number_of(device.address().device)).or_default();
        }
    }

    pub fn account(&self, user: UserNo) -> &Account {
        &self.accounts[&user]
    }

    /// Lists the devices that the current manifest names.
    pub fn devices(&self, user: UserNo) -> Vec<DeviceNo> {
        self.accounts[&user].numbers().collect()
    }

    /// Adds prekeys; `replace` forgets the one-time keys published before.
    pub fn publish_prekeys(&mut self, device: DeviceNo, keys: Vec<SignedPrekey>, replace: bool) {
        let stock = self.shelves.entry(device).or_default();
        if replace {
            stock.one_time_ec.clear();
            stock.one_time_kem.clear();
        }
        for key in keys {
            match key.role() {
                PrekeyRole::SignedEc => stock.signed = Some(key),
                PrekeyRole::LastResortKem => stock.last_resort = Some(key),
                PrekeyRole::OneTimeEc => stock.one_time_ec.push_back(key),
                PrekeyRole::OneTimeKem => stock.one_time_kem.push_back(key),
            }
        }
    }

    /// Hands out a bundle: each one-time key once, oldest first, then the last resort.
    pub fn take_bundle(&mut self, user: UserNo, device: DeviceNo) -> Option<PrekeyBundle> {
        let devices = &self.accounts[&user].devices;
        let certificate = *devices.iter().find(|one| number_of(one.address().device) == device)?;
        let stock = self.shelves.get_mut(&device)?;
        let kem = stock.one_time_kem.pop_front().or_else(|| stock.last_resort.clone())?;
        let one_time = stock.one_time_ec.pop_front();
        Some(PrekeyBundle { certificate, signed: stock.signed.clone()?, kem, one_time })
    }

    /// Takes a message for every device of both users, or nothing.
    pub fn send(
        &mut self,
        (own, own_hash): (UserNo, ManifestHash),
        (peer, peer_hash): (UserNo, ManifestHash),
        (sender, message): MessageKey,
        envelopes: Envelopes,
    ) -> Outcome {
        let (own, peer) = (&self.accounts[&own], &self.accounts[&peer]);
        if !own.numbers().any(|device| device == sender) {
            return Outcome::Refused;
        }
        if own.head().hash() != own_hash || peer.head().hash() != peer_hash {
            return Outcome::Mismatch;
        }
        let expected: BTreeSet<_> =
            own.numbers().chain(peer.numbers()).filter(|device| *device != sender).collect();
        let addressed: BTreeSet<_> = envelopes.iter().map(|(device, _)| *device).collect();
        assert_eq!(expected, addressed, "a client sealed for other devices than it named");
        let mut accepted = Vec::new();
        for (device, bytes) in envelopes {
            let queue = self.queues.get_mut(&device).unwrap();
            let stored =
                queue.iter().any(|it| !it.control && (it.sender, it.message) == (sender, message));
            accepted.push((device, !stored));
            if !stored {
                let about = Some(((sender, message), device));
                queue.push_back(Item { sender, message, bytes, about, control: false });
            }
        }
        Outcome::Accepted(accepted)
    }

    /// Takes what repairs a session, for one device. Answers whether there is such a device.
    pub fn send_control(
        &mut self,
        sender: DeviceNo,
        device: DeviceNo,
        bytes: Vec<u8>,
        about: Option<(MessageKey, DeviceNo)>,
    ) -> bool {
        let Some(queue) = self.queues.get_mut(&device) else { return false };
        let message = about.map_or(0, |((_, message), _)| message);
        queue.push_back(Item { sender, message, bytes: bytes.into(), about, control: true });
        true
    }

    /// What waits for a device; none for one that was revoked.
    pub fn queue(&mut self, device: DeviceNo) -> Option<&mut VecDeque<Item>> {
        self.queues.get_mut(&device)
    }
}
