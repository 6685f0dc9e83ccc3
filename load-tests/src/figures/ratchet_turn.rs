//! `ratchet.turn`: two devices answer each other, so that every message turns the ratchet,
//! compared with the P-256 operations without which no turn is possible.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use getrandom::SysRng;
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use plasma_e2ee::rand_core::UnwrapErr;
use plasma_e2ee::{
    DeviceKeys, HandshakeKeys, LocalDevice, PrekeyBundle, PrivatePrekey, RemoteDevice, RootKey,
    SessionRecord, decrypt, encrypt, initiate,
};
use plasma_identity::{
    Capabilities, DeviceAddress, PrekeyRole, UserAddress, VerifiedAccount, verify_chain,
};
use serde_json::Map;
use uuid::Uuid;

use super::progress;
use crate::clock;
use crate::machine::own_cpu;
use crate::options::{FigureName, Options};
use crate::report::{Figure, Run};

const NAME: &str = FigureName::RatchetTurn.name();
/// Parts of a run, ours and the yardstick's in turn, so that both have the same weather.
const BLOCKS: u32 = 20;
const CONTENT_LENGTH: usize = 1_000;
const TENANT: Uuid = Uuid::from_u128(1);

/// Measures.
pub fn measure(options: &Options) -> Result<Figure> {
    let turns = if options.quick { 200 } else { 2_000 };
    progress(NAME, format!("two devices answer each other {turns} times in each run"));
    let mut conversation = Conversation::begin()?;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let (mut value, mut yardstick) = (0.0, 0.0);
        for _ in 0..BLOCKS {
            value += micros_each(turns / BLOCKS, || conversation.turn())?;
            yardstick += micros_each(turns / BLOCKS, || {
                bare_turn();
                Ok(())
            })?;
        }
        let (value, yardstick) = (value / f64::from(BLOCKS), yardstick / f64::from(BLOCKS));
        let said = format!(
            "run {number} of {}: {value:.0} µs/turn; two agreements and a key: {yardstick:.0} µs",
            options.runs
        );
        progress(NAME, said);
        runs.push(Run { value, yardstick, details: Map::new() });
    }
    Ok(Figure::of(NAME, "µs/turn", runs))
}

fn micros_each(turns: u32, mut turn: impl FnMut() -> Result<()>) -> Result<f64> {
    let before = own_cpu();
    for _ in 0..turns {
        turn()?;
    }
    Ok(own_cpu().saturating_sub(before).as_secs_f64() * 1e6 / f64::from(turns))
}

/// What a turn cannot do without: the receiver's agreement with the sender's new key, a new key of
/// its own, and the agreement with that.
fn bare_turn() {
    let mut rng = UnwrapErr(SysRng);
    let key = SecretKey::generate_from_rng(&mut rng);
    let theirs = black_box(key.public_key());
    black_box(key.diffie_hellman(&theirs).raw_secret_bytes());
    black_box(key.diffie_hellman(&theirs).raw_secret_bytes());
}

/// A device with what it knows and keeps.
struct Device {
    keys: DeviceKeys,
    account: VerifiedAccount,
    record: SessionRecord,
}

/// Two devices with an established session.
struct Conversation {
    devices: [Device; 2],
    content: Vec<u8>,
    now: u64,
    turns: usize,
}

impl Conversation {
    fn begin() -> Result<Self> {
        let now = clock::unix_seconds();
        let users = [2, 3].map(|user| UserAddress { tenant: TENANT, user: Uuid::from_u128(user) });
        let addresses = users.map(|user| user.device(Uuid::from_u128(1)));
        let devices = [
            Device::found(addresses[0], addresses[1], now)?,
            Device::found(addresses[1], addresses[0], now)?,
        ];
        let mut content = vec![0; CONTENT_LENGTH];
        getrandom::fill(&mut content).ok().context("random bytes")?;
        let mut conversation = Self { devices, content, now, turns: 0 };
        conversation.shake_hands()?;
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

    /// The second device's prekeys, the first device's first message.
    fn shake_hands(&mut self) -> Result<()> {
        let (now, mut rng) = (self.now, UnwrapErr(SysRng));
        let [first, second] = &mut self.devices;
        let mut prekey = |role| PrivatePrekey::generate(&second.keys, role, 1, now, &mut rng);
        let (signed, kem) = (prekey(PrekeyRole::SignedEc), prekey(PrekeyRole::LastResortKem));
        let bundle = PrekeyBundle {
            certificate: *second.account.devices().first().context("a device")?,
            signed: signed.public().clone(),
            kem: kem.public().clone(),
            one_time: None,
        };
        let local = LocalDevice::new(&first.keys, &first.account)?;
        let remote = RemoteDevice::new(&second.account, second.keys.address().device)?;
        initiate(&mut first.record, &local, &remote, &bundle, &mut rng, now)?;
        let keys =
            HandshakeKeys { signed: Some(signed), kem: Some(kem), ..HandshakeKeys::default() };
        pass(first, second, &keys, &self.content, now)?;
        self.turns = 1;
        Ok(())
    }

    /// One message, from the device that received the last one.
    fn turn(&mut self) -> Result<()> {
        let [first, second] = &mut self.devices;
        let (from, to) =
            if self.turns.is_multiple_of(2) { (first, second) } else { (second, first) };
        pass(from, to, &HandshakeKeys::default(), &self.content, self.now)?;
        self.turns += 1;
        Ok(())
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

    use super::{Conversation, SysRng, UnwrapErr, bare_turn, pass};

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
        bare_turn();
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
}
