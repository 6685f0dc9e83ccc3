//! Two devices in memory, through the public functions of `plasma-e2ee`.

use anyhow::{Context, Result, ensure};
use getrandom::SysRng;
use plasma_e2ee::rand_core::UnwrapErr;
use plasma_e2ee::{
    DeviceKeys, HandshakeKeys, LocalDevice, PrekeyBundle, PrivatePrekey, RemoteDevice, RootKey,
    SessionRecord, decrypt, encrypt, initiate,
};
use plasma_identity::{
    Capabilities, DeviceAddress, PrekeyRole, UserAddress, VerifiedAccount, verify_chain,
};
use uuid::Uuid;

use super::CONTENT_LENGTH;
use crate::clock;

const TENANT: Uuid = Uuid::from_u128(1);

/// A device with what it knows and keeps.
struct Device {
    keys: DeviceKeys,
    account: VerifiedAccount,
    record: SessionRecord,
}

/// Two devices that have never met, and the second one's prekeys.
pub(super) struct Strangers {
    devices: [Device; 2],
    bundle: PrekeyBundle,
    keys: HandshakeKeys,
    content: Vec<u8>,
    now: u64,
}

impl Strangers {
    pub(super) fn new() -> Result<Self> {
        let now = clock::unix_seconds();
        let users = [2, 3].map(|user| UserAddress { tenant: TENANT, user: Uuid::from_u128(user) });
        let addresses = users.map(|user| user.device(Uuid::from_u128(1)));
        let first = Device::found(addresses[0], addresses[1], now)?;
        let second = Device::found(addresses[1], addresses[0], now)?;
        let mut rng = UnwrapErr(SysRng);
        let mut prekey = |role| PrivatePrekey::generate(&second.keys, role, 1, now, &mut rng);
        let signed = prekey(PrekeyRole::SignedEc);
        let (one_time, kem) = (prekey(PrekeyRole::OneTimeEc), prekey(PrekeyRole::OneTimeKem));
        let bundle = PrekeyBundle {
            certificate: *second.account.devices().first().context("a device")?,
            signed: signed.public().clone(),
            kem: kem.public().clone(),
            one_time: Some(one_time.public().clone()),
        };
        let keys = HandshakeKeys {
            signed: Some(signed),
            kem: Some(kem),
            one_time: Some(one_time),
            initiation_seen: false,
        };
        let mut content = vec![0; CONTENT_LENGTH];
        getrandom::fill(&mut content).ok().context("random bytes")?;
        Ok(Self { devices: [first, second], bundle, keys, content, now })
    }

    /// Begins a session and passes its first message, as if the two had never met.
    pub(super) fn meet(&mut self) -> Result<()> {
        for device in &mut self.devices {
            device.record = SessionRecord::new(device.record.local(), device.record.remote());
        }
        let [first, second] = &mut self.devices;
        let local = LocalDevice::new(&first.keys, &first.account)?;
        let remote = RemoteDevice::new(&second.account, second.keys.address().device)?;
        let mut rng = UnwrapErr(SysRng);
        initiate(&mut first.record, &local, &remote, &self.bundle, &mut rng, self.now)?;
        pass(first, second, &self.keys, &self.content, self.now)
    }
}

/// Two devices with an established session.
pub(super) struct Conversation {
    devices: [Device; 2],
    content: Vec<u8>,
    now: u64,
    turns: usize,
}

impl Conversation {
    pub(super) fn begin() -> Result<Self> {
        let mut strangers = Strangers::new()?;
        strangers.meet()?;
        let Strangers { devices, content, now, .. } = strangers;
        let mut conversation = Self { devices, content, now, turns: 1 };
        // The first reply confirms the session; what is measured is what follows.
        for _ in 0..4 {
            conversation.turn()?;
        }
        ensure!(
            conversation.devices.iter().all(|device| device.record.is_confirmed()),
            "the session is not established"
        );
        Ok(conversation)
    }

    /// One message, from the device that received the last one.
    pub(super) fn turn(&mut self) -> Result<()> {
        self.pass()?;
        self.turns += 1;
        Ok(())
    }

    /// One message more from the device that has the turn.
    pub(super) fn step(&mut self) -> Result<()> {
        self.pass()
    }

    fn pass(&mut self) -> Result<()> {
        let [first, second] = &mut self.devices;
        let (from, to) =
            if self.turns.is_multiple_of(2) { (first, second) } else { (second, first) };
        pass(from, to, &HandshakeKeys::default(), &self.content, self.now)
    }

    /// Seals one message that nobody opens.
    pub(super) fn seal(&mut self) -> Result<Vec<u8>> {
        let [from, to] = &mut self.devices;
        let local = LocalDevice::new(&from.keys, &from.account)?;
        let remote = RemoteDevice::new(&to.account, to.keys.address().device)?;
        let mut rng = UnwrapErr(SysRng);
        Ok(encrypt(&mut from.record, &local, &remote, &self.content, &mut rng, self.now)?)
    }
}

/// Encrypts on one side and decrypts on the other.
fn pass(
    from: &mut Device,
    to: &mut Device,
    keys: &HandshakeKeys,
    content: &[u8],
    now: u64,
) -> Result<()> {
    let local = LocalDevice::new(&from.keys, &from.account)?;
    let remote = RemoteDevice::new(&to.account, to.keys.address().device)?;
    let mut rng = UnwrapErr(SysRng);
    let envelope = encrypt(&mut from.record, &local, &remote, content, &mut rng, now)?;
    let local = LocalDevice::new(&to.keys, &to.account)?;
    let decrypted = decrypt(&mut to.record, &local, keys, &from.account, &envelope, now)?;
    ensure!(&decrypted.content[..] == content, "what was decrypted is not what was encrypted");
    Ok(())
}

impl Device {
    fn found(address: DeviceAddress, peer: DeviceAddress, now: u64) -> Result<Self> {
        let (mut rng, user) = (UnwrapErr(SysRng), address.user_address());
        let root = RootKey::generate(&mut rng);
        let keys = DeviceKeys::generate(address, &mut rng);
        let wish = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
        let certificate = root.certify(&wish, now)?;
        let manifest = root.start_generation(user, &[certificate], None, now)?;
        let account = verify_chain(user, None, root.public(), &[manifest], &[certificate], now)?;
        Ok(Self { keys, account, record: SessionRecord::new(address, peer) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use plasma_e2ee::{HandshakeKeys, LocalDevice, RemoteDevice, encrypt};

    use super::{Conversation, Strangers, SysRng, UnwrapErr, pass};

    #[test]
    fn every_message_of_the_conversation_is_of_one_session_and_read() {
        let mut conversation = Conversation::begin().unwrap();
        let before = conversation.devices[0].record.active_session();
        let mut states = HashSet::new();
        for _ in 0..6 {
            conversation.turn().unwrap();
            states.insert(conversation.devices[0].record.to_bytes().to_vec());
        }
        assert_eq!(states.len(), 6, "a turn changed nothing");
        assert_eq!(conversation.devices[0].record.active_session(), before);
    }

    #[test]
    fn a_spoiled_message_is_no_turn() {
        let mut conversation = Conversation::begin().unwrap();
        let now = conversation.now;
        let [first, second] = &mut conversation.devices;
        let local = LocalDevice::new(&first.keys, &first.account).unwrap();
        let remote = RemoteDevice::new(&second.account, second.keys.address().device).unwrap();
        let mut rng = UnwrapErr(SysRng);
        let mut envelope =
            encrypt(&mut first.record, &local, &remote, b"x", &mut rng, now).unwrap();
        *envelope.last_mut().unwrap() ^= 1;
        let local = LocalDevice::new(&second.keys, &second.account).unwrap();
        let keys = HandshakeKeys::default();
        let (record, account) = (&mut second.record, &first.account);
        assert!(plasma_e2ee::decrypt(record, &local, &keys, account, &envelope, now).is_err());
        pass(first, second, &keys, b"y", now).unwrap();
    }

    #[test]
    fn strangers_meet_anew_each_time() {
        let mut strangers = Strangers::new().unwrap();
        let mut sessions = HashSet::new();
        for _ in 0..3 {
            strangers.meet().unwrap();
            sessions.insert(strangers.devices[0].record.active_session().unwrap());
        }
        assert_eq!(sessions.len(), 3);
    }

    #[test]
    fn a_chain_goes_on_without_a_turn() {
        let mut conversation = Conversation::begin().unwrap();
        for _ in 0..100 {
            conversation.step().unwrap();
        }
        conversation.turn().unwrap();
    }
}
