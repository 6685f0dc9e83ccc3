//! What happens in a conversation: the inputs of a file, and the implementation playing them.

use plasma_e2ee::{
    Decrypted, DeviceKeys, HandshakeKeys, PrekeyBundle, PrivatePrekey, SessionRecord, decrypt,
    encrypt, initiate,
};
use plasma_identity::{DeviceCertificate, PrekeyRole, SignedPrekey};
use serde_json::Value;

use crate::account::{Loaded, NOW, Party};
use crate::bare::rejected;
use crate::fields::Fields;
use crate::json::Json;
use crate::random::{Randomness, agreement_scalar};

/// A prekey of the responder.
#[derive(Clone)]
pub struct Prekey {
    /// The published structure; its signature is only verified.
    pub public: Vec<u8>,
    /// The scalar or the seed.
    pub private: Vec<u8>,
}

impl Prekey {
    /// Makes a prekey.
    pub fn make(owner: &Party, role: PrekeyRole, id: u32, randomness: &mut Randomness) -> Self {
        Self::make_by(&owner.load().keys, role, id, randomness)
    }

    /// Makes a prekey of a device that need not be certified.
    pub fn make_by(
        keys: &DeviceKeys,
        role: PrekeyRole,
        id: u32,
        randomness: &mut Randomness,
    ) -> Self {
        let made = PrivatePrekey::generate(keys, role, id, NOW, randomness);
        let [draw] = randomness.take().try_into().expect("one draw");
        let private = if role.is_kem() { draw } else { agreement_scalar(draw) };
        Self { public: made.public().to_bytes(), private }
    }

    /// Reads a prekey.
    pub fn read(file: &Value) -> Self {
        Self { public: file.bytes("public"), private: file.bytes("private") }
    }

    /// The role's number.
    pub fn role(&self) -> u8 {
        self.public[2]
    }

    /// The id, four bytes.
    pub fn id(&self) -> &[u8] {
        &self.public[51..55]
    }

    /// The point or the encapsulation key.
    pub fn key(&self) -> &[u8] {
        &self.public[63..self.public.len() - 64]
    }

    /// The public half as the implementation reads it.
    pub fn signed(&self) -> SignedPrekey {
        SignedPrekey::from_bytes(&self.public).expect("a prekey")
    }

    fn load(&self) -> PrivatePrekey {
        let length = u32::try_from(self.public.len()).expect("a short prekey").to_be_bytes();
        let stored = [&[0x42, 1], &length[..], &self.public, &self.private].concat();
        PrivatePrekey::from_bytes(&stored).expect("a prekey with its private half")
    }
}

/// One of the two devices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The one that starts the session.
    Initiator,
    /// The other one.
    Responder,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// The side's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }

    fn read(name: &str) -> Self {
        match name {
            "initiator" => Self::Initiator,
            "responder" => Self::Responder,
            other => panic!("no side {other}"),
        }
    }
}

/// A message to send, with what is drawn for it.
#[derive(Clone)]
pub struct Sending {
    /// Who sends.
    pub from: Side,
    /// When, in unix seconds.
    pub now: u64,
    /// What.
    pub content: Vec<u8>,
    /// The new ratchet key's scalar, where the side turns.
    pub ratchet_private: Option<Vec<u8>>,
    /// The seed of the ML-KEM key that the new chain carries.
    pub kem_seed: Option<Vec<u8>>,
    /// FIPS 203's `m`, where the side answers an ML-KEM key.
    pub kem_message: Option<Vec<u8>>,
    /// The header's salt.
    pub salt: Vec<u8>,
}

/// What happens next.
#[derive(Clone)]
pub enum Event {
    /// A message is made.
    Send(Sending),
    /// A message, by its position among all that were made, arrives.
    Deliver {
        /// The position.
        index: usize,
        /// When, in unix seconds.
        now: u64,
        /// The reason for which it is refused.
        error: Option<String>,
    },
}

/// A whole conversation on one session.
#[derive(Clone)]
pub struct Script {
    /// What the file calls it.
    pub name: String,
    /// The initiator.
    pub initiator: Party,
    /// The responder.
    pub responder: Party,
    /// SPK.
    pub signed: Prekey,
    /// PQPK.
    pub kem: Prekey,
    /// OPK.
    pub one_time: Option<Prekey>,
    /// EK's scalar.
    pub ephemeral_private: Vec<u8>,
    /// FIPS 203's `m` of the handshake.
    pub kem_message: Vec<u8>,
    /// The first ratchet key's scalar.
    pub ratchet_private: Vec<u8>,
    /// The initiator's signature of the transcript; only verified.
    pub signature: Vec<u8>,
    /// What happens after the handshake at [`NOW`].
    pub events: Vec<Event>,
}

impl Script {
    /// Reads the inputs of a conversation.
    pub fn read(file: &Value) -> Self {
        let handshake = file.object("handshake");
        Self {
            name: file.text("name").to_owned(),
            initiator: Party::read(file.object("initiator")),
            responder: Party::read(file.object("responder")),
            signed: Prekey::read(file.object("signed_prekey")),
            kem: Prekey::read(file.object("kem_prekey")),
            one_time: file.get("one_time_prekey").map(Prekey::read),
            ephemeral_private: handshake.bytes("ephemeral_private"),
            kem_message: handshake.bytes("kem_message"),
            ratchet_private: handshake.bytes("ratchet_private"),
            signature: handshake.bytes("signature"),
            events: file.list("events").iter().map(Event::read).collect(),
        }
    }

    /// Plays the conversation with the implementation and returns its envelopes. While recording,
    /// what is drawn and signed becomes part of the script; otherwise the script's draws are used,
    /// and every message and refusal must be as the script says.
    pub fn play(&mut self, mut recording: Option<&mut Randomness>) -> Vec<Vec<u8>> {
        let (ours, theirs) = (self.initiator.load(), self.responder.load());
        let mut stage = Stage::new(ours, theirs);
        self.start(&mut stage, recording.as_deref_mut());
        let mut envelopes: Vec<Vec<u8>> = Vec::new();
        let mut contents: Vec<Vec<u8>> = Vec::new();
        let keys = self.handshake_keys();
        for event in &mut self.events {
            match event {
                Event::Send(sending) => {
                    envelopes.push(sending.perform(&mut stage, recording.as_deref_mut()));
                    contents.push(sending.content.clone());
                }
                Event::Deliver { index, now, error } => {
                    let result = stage.deliver(&envelopes[*index], &keys, *now);
                    match (result, error) {
                        (Ok(decrypted), None) => assert_eq!(*decrypted.content, contents[*index]),
                        (Err(reason), Some(expected)) => assert_eq!(reason, expected),
                        (Ok(_), Some(expected)) => panic!("{expected} was expected"),
                        (Err(reason), None) => panic!("{reason}"),
                    }
                }
            }
        }
        envelopes
    }

    fn start(&mut self, stage: &mut Stage, recording: Option<&mut Randomness>) {
        let certificate = DeviceCertificate::from_bytes(&self.responder.certificate);
        let bundle = PrekeyBundle {
            certificate: certificate.expect("a certificate"),
            signed: self.signed.signed(),
            kem: self.kem.signed(),
            one_time: self.one_time.as_ref().map(Prekey::signed),
        };
        let Stage { initiator, responder, records: [record, _] } = stage;
        let (local, remote) = (initiator.local(), responder.remote());
        let mut start = |randomness: &mut Randomness| {
            initiate(record, &local, &remote, &bundle, randomness, NOW).expect("a good bundle");
        };
        if let Some(randomness) = recording {
            start(randomness);
            let [ephemeral, message, ratchet] =
                randomness.take().try_into().expect("three draws of a handshake");
            self.ephemeral_private = agreement_scalar(ephemeral);
            self.kem_message = message;
            self.ratchet_private = agreement_scalar(ratchet);
        } else {
            let [ephemeral, ratchet] = [&self.ephemeral_private, &self.ratchet_private]
                .map(|it| agreement_scalar(it.clone()));
            let mut randomness = Randomness::given(&[&ephemeral, &self.kem_message, &ratchet]);
            start(&mut randomness);
            randomness.finish();
        }
    }

    fn handshake_keys(&self) -> HandshakeKeys {
        HandshakeKeys {
            signed: Some(self.signed.load()),
            kem: Some(self.kem.load()),
            one_time: self.one_time.as_ref().map(Prekey::load),
            initiation_seen: false,
        }
    }
}

/// Both devices and their records, the initiator's first.
pub struct Stage {
    initiator: Loaded,
    responder: Loaded,
    records: [SessionRecord; 2],
}

impl Stage {
    fn new(initiator: Loaded, responder: Loaded) -> Self {
        let (ours, theirs) = (initiator.keys.address(), responder.keys.address());
        let records = [SessionRecord::new(ours, theirs), SessionRecord::new(theirs, ours)];
        Self { initiator, responder, records }
    }

    fn deliver(
        &mut self,
        envelope: &[u8],
        keys: &HandshakeKeys,
        now: u64,
    ) -> Result<Decrypted, &'static str> {
        let [ours, theirs] = &mut self.records;
        let to_initiator = envelope[52..68] == *self.initiator.keys.address().device.as_bytes();
        let (record, local, remote) = if to_initiator {
            (ours, &self.initiator, &self.responder)
        } else {
            (theirs, &self.responder, &self.initiator)
        };
        decrypt(record, &local.local(), keys, &remote.account, envelope, now)
            .map_err(|error| error.reason())
    }
}

impl Sending {
    /// A message for which nothing is drawn yet.
    pub fn new(from: Side, content: &[u8], now: u64) -> Self {
        Self {
            from,
            now,
            content: content.to_vec(),
            ratchet_private: None,
            kem_seed: None,
            kem_message: None,
            salt: Vec::new(),
        }
    }

    fn perform(&mut self, stage: &mut Stage, recording: Option<&mut Randomness>) -> Vec<u8> {
        let Stage { initiator, responder, records: [ours, theirs] } = stage;
        let (record, local, remote) = match self.from {
            Side::Initiator => (ours, initiator, responder),
            Side::Responder => (theirs, responder, initiator),
        };
        let (content, now) = (self.content.clone(), self.now);
        let mut seal = |randomness: &mut Randomness| {
            encrypt(record, &local.local(), &remote.remote(), &content, randomness, now)
                .expect("a session")
        };
        let Some(randomness) = recording else {
            let ratchet_draw = self.ratchet_private.clone().map(agreement_scalar);
            let optional = [&ratchet_draw, &self.kem_seed, &self.kem_message];
            let mut draws: Vec<&[u8]> = optional.into_iter().flatten().map(Vec::as_slice).collect();
            draws.push(&self.salt);
            let mut randomness = Randomness::given(&draws);
            let envelope = seal(&mut randomness);
            randomness.finish();
            return envelope;
        };
        let envelope = seal(randomness);
        let mut draws = randomness.take();
        self.salt = draws.pop().expect("a salt");
        for (position, draw) in draws.into_iter().enumerate() {
            match (position, draw.len()) {
                (0, 32) => self.ratchet_private = Some(agreement_scalar(draw)),
                (1, 32) => self.kem_message = Some(draw),
                (1, 64) => self.kem_seed = Some(draw),
                other => panic!("an unknown draw {other:?}"),
            }
        }
        envelope
    }

    fn read(file: &Value) -> Self {
        let turn = |name| file.get("turn").and_then(|turn| turn.optional_bytes(name));
        Self {
            from: Side::read(file.text("from")),
            now: file.number("now"),
            content: file.bytes("content"),
            ratchet_private: turn("ratchet_private"),
            kem_seed: turn("kem_seed"),
            kem_message: turn("kem_message"),
            salt: file.bytes("salt"),
        }
    }
}

impl Event {
    fn read(file: &Value) -> Self {
        match file.text("event") {
            "send" => Self::Send(Sending::read(file)),
            "deliver" => Self::Deliver {
                index: usize::try_from(file.number("index")).expect("a small position"),
                now: file.number("now"),
                error: file.get("error").map(|_| file.text("error").to_owned()),
            },
            other => panic!("no event {other}"),
        }
    }

    /// A message that is made.
    pub fn send(from: Side, content: &str, now: u64) -> Self {
        Self::Send(Sending::new(from, content.as_bytes(), now))
    }

    /// A message that arrives.
    pub fn deliver(index: usize, now: u64) -> Self {
        Self::Deliver { index, now, error: None }
    }

    /// A message that is refused.
    pub fn refuse(index: usize, now: u64, reason: &str) -> Self {
        Self::Deliver { index, now, error: Some(reason.to_owned()) }
    }
}

/// The fields of a prekey in a file.
pub fn prekey(prekey: &Prekey) -> Json {
    let mut fields =
        vec![("public", (&prekey.public).into()), ("private", (&prekey.private).into())];
    if prekey.role() > 2 {
        fields.push(("kem_rejected", (&rejected(&prekey.private)).into()));
    }
    fields.into()
}
