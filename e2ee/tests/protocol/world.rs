//! Devices in memory, with a service that hands out what they published.

use std::collections::{HashMap, HashSet};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use plasma_e2ee::rand_core::CryptoRng;
use plasma_e2ee::{
    DecryptError, Decrypted, DeviceKeys, HandshakeKeys, LocalDevice, PrekeyBundle, PrivatePrekey,
    RemoteDevice, RootKey, SessionRecord, decrypt, encrypt, initiate, peek,
};
use plasma_identity::{
    Capabilities, DeviceAddress, PrekeyRole, UserAddress, VerifiedAccount, verify_chain,
};
use uuid::Uuid;

pub const NOW: u64 = 1_800_000_000;
pub const DAY: u64 = 24 * 60 * 60;

/// One device with everything that it stores.
#[derive(Clone)]
pub struct Device {
    pub keys: DeviceKeys,
    pub root: RootKey,
    pub account: VerifiedAccount,
    pub prekeys: HashMap<(PrekeyRole, u32), PrivatePrekey>,
    pub markers: HashSet<[u8; 40]>,
    pub records: HashMap<DeviceAddress, SessionRecord>,
    pub one_time_ec: Vec<u32>,
    pub one_time_kem: Vec<u32>,
    pub seed: u64,
    pub now: u64,
}

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn user(number: u128) -> UserAddress {
    UserAddress { tenant: Uuid::from_u128(0xa), user: Uuid::from_u128(number) }
}

impl Device {
    /// The only device of a user, with `one_time` one-time prekeys of each sort.
    pub fn founder(number: u8, one_time: u32) -> Self {
        let mut rng = rng(u64::from(number));
        let user = user(u128::from(number));
        let root = RootKey::generate(&mut rng);
        let keys = DeviceKeys::generate(user.device(Uuid::from_u128(1)), &mut rng);
        let request = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
        let certificate = root.certify(&request, NOW).unwrap();
        let manifest = root.start_generation(user, &[certificate], None, NOW).unwrap();
        let fingerprint = Some(root.fingerprint(user));
        let chain = [manifest];
        let account =
            verify_chain(user, fingerprint, root.public(), &chain, &[certificate], NOW).unwrap();
        Self::with(keys, root, account, one_time, u64::from(number) << 32)
    }

    /// A second device of `approver`'s user, approved by it.
    pub fn linked(approver: &mut Self, device: u128, one_time: u32) -> Self {
        let seed = 1000 + u64::try_from(device).unwrap();
        let mut rng = rng(seed);
        let user = approver.account.user_address();
        let keys = DeviceKeys::generate(user.device(Uuid::from_u128(device)), &mut rng);
        let request = keys.certificate_request(approver.account.fingerprint(), Capabilities::V1);
        let (certificate, manifest) =
            approver.keys.approve(&approver.account, &request, false, NOW).unwrap();
        approver.account.advance(&[manifest], &[certificate], NOW).unwrap();
        Self::with(keys, approver.root.clone(), approver.account.clone(), one_time, seed << 32)
    }

    fn with(
        keys: DeviceKeys,
        root: RootKey,
        account: VerifiedAccount,
        one_time: u32,
        seed: u64,
    ) -> Self {
        let mut rng = rng(seed);
        let mut prekeys = HashMap::new();
        let mut make = |role, id| {
            let prekey = PrivatePrekey::generate(&keys, role, id, NOW, &mut rng);
            prekeys.insert((role, id), PrivatePrekey::from_bytes(&prekey.to_bytes()).unwrap());
        };
        make(PrekeyRole::SignedEc, 7);
        make(PrekeyRole::LastResortKem, 8);
        for id in 0..one_time {
            make(PrekeyRole::OneTimeEc, id);
            make(PrekeyRole::OneTimeKem, id);
        }
        let ids: Vec<u32> = (0..one_time).rev().collect();
        Self {
            keys,
            root,
            account,
            prekeys,
            markers: HashSet::new(),
            records: HashMap::new(),
            one_time_ec: ids.clone(),
            one_time_kem: ids,
            seed,
            now: NOW,
        }
    }

    /// Randomness that no other call of this device gets.
    pub fn rng(&mut self) -> ChaCha20Rng {
        self.seed += 1;
        rng(self.seed)
    }

    pub fn address(&self) -> DeviceAddress {
        self.keys.address()
    }

    pub fn record(&self, peer: DeviceAddress) -> SessionRecord {
        let empty = || SessionRecord::new(self.address(), peer);
        self.records.get(&peer).cloned().unwrap_or_else(empty)
    }

    /// What the service hands out: each one-time key once, oldest first.
    pub fn bundle(&mut self) -> PrekeyBundle {
        let own = self.account.device(self.address().device).unwrap();
        let kem = match self.one_time_kem.pop() {
            Some(id) => (PrekeyRole::OneTimeKem, id),
            None => (PrekeyRole::LastResortKem, 8),
        };
        let public = |key: (PrekeyRole, u32)| self.prekeys[&key].public().clone();
        PrekeyBundle {
            certificate: *own,
            signed: public((PrekeyRole::SignedEc, 7)),
            kem: public(kem),
            one_time: self.one_time_ec.pop().map(|id| public((PrekeyRole::OneTimeEc, id))),
        }
    }

    /// Sends to a device, initiating when that is needed.
    pub fn send(&mut self, peer: &mut Device, content: &[u8]) -> Vec<u8> {
        let mut rng = self.rng();
        self.send_with(peer, content, &mut rng)
    }

    /// Sends with this randomness.
    pub fn send_with<R: CryptoRng>(
        &mut self,
        peer: &mut Device,
        content: &[u8],
        rng: &mut R,
    ) -> Vec<u8> {
        let mut record = self.record(peer.address());
        let local = LocalDevice::new(&self.keys, &self.account).unwrap();
        let account = peer.account.clone();
        let remote = RemoteDevice::new(&account, peer.address().device).unwrap();
        if record.needs_initiation(self.now) {
            let bundle = peer.bundle();
            initiate(&mut record, &local, &remote, &bundle, rng, self.now).unwrap();
        }
        let envelope = encrypt(&mut record, &local, &remote, content, rng, self.now).unwrap();
        self.records.insert(peer.address(), record);
        envelope
    }

    /// Loads the prekeys that an envelope names.
    pub fn handshake_keys(&self, envelope: &[u8]) -> HandshakeKeys {
        let Some(initiation) = peek(envelope).ok().and_then(|info| info.initiation) else {
            return HandshakeKeys::default();
        };
        let load = |role, id| self.prekeys.get(&(role, id)).cloned();
        HandshakeKeys {
            signed: load(PrekeyRole::SignedEc, initiation.signed_prekey_id),
            kem: load(initiation.kem_role, initiation.kem_prekey_id),
            one_time: initiation.one_time_prekey_id.and_then(|id| load(PrekeyRole::OneTimeEc, id)),
            initiation_seen: initiation
                .replay_marker
                .is_some_and(|marker| self.markers.contains(&marker.to_bytes())),
        }
    }

    /// Receives from the device that is known as `peer`, and checks that an error changes nothing.
    pub fn receive(&mut self, peer: &Device, envelope: &[u8]) -> Result<Vec<u8>, DecryptError> {
        self.receive_from(peer.address(), &peer.account, envelope).map(|it| it.content.to_vec())
    }

    pub fn receive_from(
        &mut self,
        peer: DeviceAddress,
        account: &VerifiedAccount,
        envelope: &[u8],
    ) -> Result<Decrypted, DecryptError> {
        let keys = self.handshake_keys(envelope);
        let mut record = self.record(peer);
        let before = record.to_bytes();
        let local = LocalDevice::new(&self.keys, &self.account).unwrap();
        let result = decrypt(&mut record, &local, &keys, account, envelope, self.now);
        match &result {
            Ok(decrypted) => {
                self.records.insert(peer, record);
                for key in &decrypted.consumed {
                    self.prekeys.remove(key);
                }
                self.markers.extend(decrypted.replay_marker.map(|marker| marker.to_bytes()));
            }
            Err(_) => assert_eq!(*record.to_bytes(), *before, "an error changed the record"),
        }
        result
    }

    /// Stores and loads the record of a peer.
    pub fn reload(&mut self, peer: DeviceAddress) {
        if let Some(record) = self.records.get_mut(&peer) {
            let bytes = record.to_bytes();
            *record = SessionRecord::from_bytes(&bytes).unwrap();
            assert_eq!(*record.to_bytes(), *bytes);
        }
    }
}

/// The key commitment of an envelope: it stands for its (key, nonce).
pub fn commitment(envelope: &[u8]) -> [u8; 32] {
    let start = header_length(envelope);
    envelope[start..start + 32].try_into().unwrap()
}

/// Where the header of an envelope ends.
pub fn header_length(envelope: &[u8]) -> usize {
    match (envelope[0], envelope[3]) {
        (0x11, 0) => 1484,
        (0x10, 0) => 253,
        (0x10, 1) => 253 + 1184,
        (0x10, 2) => 253 + 1088,
        other => panic!("no such header: {other:?}"),
    }
}
