//! One device: what it stores, and a copy of all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chacha20::ChaCha20Rng;
use plasma_e2ee::{DeviceKeys, PrivatePrekey, SessionRecord};
use plasma_identity::{DeviceAddress, PrekeyRole, UserAddress, VerifiedAccount};
use uuid::Uuid;

use crate::content::{ChatNo, Content, DeviceNo, MessageKey, UserNo};
use crate::oracle::Oracle;
use crate::service::Service;

/// How many one-time prekeys of each sort a device publishes: few, so that they run out.
const ONE_TIME_EC: usize = 4;
const ONE_TIME_KEM: usize = 3;

/// Everything around a device.
pub struct Net {
    pub service: Service,
    pub oracle: Oracle,
    pub chats: Vec<[UserNo; 2]>,
    pub rng: ChaCha20Rng,
    pub now: u64,
    /// Devices that went back to a copy, archived a session, lost something or got it out of order.
    pub disturbed: BTreeSet<DeviceNo>,
    /// Whether what happens is printed.
    pub told: bool,
}

impl Net {
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("  {}", what());
        }
    }
}

/// A sent message, kept so that it can be sent again.
#[derive(Clone)]
pub struct Logged {
    pub content: Content,
    /// The envelopes that carried it, each with its device.
    pub envelopes: BTreeMap<[u8; 32], DeviceNo>,
    /// How often it was sent again, for each device.
    pub resent: BTreeMap<DeviceNo, u32>,
}

/// What holds no key.
#[derive(Clone, Default)]
pub struct Tables {
    pub markers: BTreeSet<[u8; 40]>,
    pub shown: BTreeMap<MessageKey, Content>,
    pub lamport: BTreeMap<ChatNo, u64>,
    pub outbox: VecDeque<u64>,
    pub log: BTreeMap<u64, Logged>,
    /// Hashes of the envelopes that were opened.
    pub opened: BTreeSet<[u8; 32]>,
    /// Hashes of the envelopes for which a retry was requested.
    pub asked: BTreeSet<[u8; 32]>,
}

pub struct Device {
    pub number: DeviceNo,
    pub user: UserNo,
    pub keys: DeviceKeys,
    pub accounts: BTreeMap<UserNo, VerifiedAccount>,
    pub records: BTreeMap<DeviceNo, SessionRecord>,
    pub prekeys: BTreeMap<(PrekeyRole, u32), PrivatePrekey>,
    pub tables: Tables,
    /// The service tells a restored device which id comes next, so that none is used twice.
    next_prekey: u32,
}

/// A copy of a device's whole state, as bytes wherever a key is in it.
#[derive(Clone)]
pub struct Snapshot {
    keys: Vec<u8>,
    accounts: Vec<(UserNo, Vec<u8>)>,
    records: Vec<(DeviceNo, Vec<u8>)>,
    prekeys: Vec<Vec<u8>>,
    pub tables: Tables,
}

pub fn user_address(user: UserNo) -> UserAddress {
    let number = u128::try_from(user).unwrap() + 1;
    UserAddress { tenant: Uuid::from_u128(0xa), user: Uuid::from_u128(number) }
}

pub fn device_id(number: DeviceNo) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1)
}

pub fn number_of(device: Uuid) -> DeviceNo {
    usize::try_from(device.as_u128() - 1).unwrap()
}

pub fn user_of(address: UserAddress) -> UserNo {
    usize::try_from(address.user.as_u128() - 1).unwrap()
}

impl Device {
    /// A device that nobody has certified yet.
    pub fn new(user: UserNo, number: DeviceNo, net: &mut Net) -> Self {
        let address = user_address(user).device(device_id(number));
        Self {
            number,
            user,
            keys: DeviceKeys::generate(address, &mut net.rng),
            accounts: BTreeMap::new(),
            records: BTreeMap::new(),
            prekeys: BTreeMap::new(),
            tables: Tables::default(),
            next_prekey: 1,
        }
    }

    pub fn address(&self) -> DeviceAddress {
        self.keys.address()
    }

    pub fn own(&self) -> &VerifiedAccount {
        &self.accounts[&self.user]
    }

    pub fn record(&self, remote: DeviceAddress) -> SessionRecord {
        let stored = self.records.get(&number_of(remote.device));
        stored.cloned().unwrap_or_else(|| SessionRecord::new(self.address(), remote))
    }

    /// Follows an account to the manifest that the service has now.
    pub fn refresh(&mut self, net: &Net, user: UserNo) {
        let offered = net.service.account(user);
        let (manifests, certificates) = (&offered.manifests, &offered.certificates);
        if let Some(known) = self.accounts.get_mut(&user) {
            let after = known.epoch();
            let newer = manifests.partition_point(|next| next.statement().epoch <= after);
            known
                .advance(&manifests[newer..], certificates, net.now)
                .expect("an honest account is refused");
        } else {
            let address = user_address(user);
            let fingerprint = Some(offered.root.fingerprint(address));
            let (root, now) = (offered.root, net.now);
            let account = plasma_identity::verify_chain(
                address,
                fingerprint,
                root,
                manifests,
                certificates,
                now,
            );
            self.accounts.insert(user, account.expect("an honest account is refused"));
        }
    }

    /// Stores new prekeys, then publishes them. `replace` withdraws what was published before.
    pub fn publish_prekeys(&mut self, net: &mut Net, rotate: bool, replace: bool) {
        let roles = [PrekeyRole::SignedEc, PrekeyRole::LastResortKem];
        let mut wanted = if rotate { roles.to_vec() } else { Vec::new() };
        wanted.extend([PrekeyRole::OneTimeEc; ONE_TIME_EC]);
        wanted.extend([PrekeyRole::OneTimeKem; ONE_TIME_KEM]);
        let mut published = Vec::with_capacity(wanted.len());
        for role in wanted {
            let id = self.next_prekey;
            self.next_prekey += 1;
            let prekey = PrivatePrekey::generate(&self.keys, role, id, net.now, &mut net.rng);
            published.push(prekey.public().clone());
            self.prekeys.insert((role, id), prekey);
        }
        net.service.publish_prekeys(self.number, published, replace);
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            keys: self.keys.to_bytes().to_vec(),
            accounts: self.accounts.iter().map(|(user, it)| (*user, it.to_bytes())).collect(),
            records: self.records.iter().map(|(no, it)| (*no, it.to_bytes().to_vec())).collect(),
            prekeys: self.prekeys.values().map(|it| it.to_bytes().to_vec()).collect(),
            tables: self.tables.clone(),
        }
    }

    /// Goes back to a copy, as an app does that comes from a backup: it starts new sessions, and
    /// publishes keys that it surely has.
    pub fn restore(&mut self, snapshot: &Snapshot, net: &mut Net) {
        self.keys = DeviceKeys::from_bytes(&snapshot.keys).unwrap();
        let accounts = snapshot.accounts.iter();
        self.accounts = accounts
            .map(|(user, bytes)| (*user, VerifiedAccount::from_bytes(bytes).unwrap()))
            .collect();
        let records = snapshot.records.iter();
        self.records =
            records.map(|(no, it)| (*no, SessionRecord::from_bytes(it).unwrap())).collect();
        let prekeys = snapshot.prekeys.iter().map(|it| PrivatePrekey::from_bytes(it).unwrap());
        self.prekeys = prekeys.map(|it| ((it.role(), it.id()), it)).collect();
        self.tables = snapshot.tables.clone();
        self.records.values_mut().for_each(SessionRecord::archive_active);
        self.publish_prekeys(net, true, true);
    }
}
